"""How every venue is asked: a withdrawal is sent once, whatever becomes of its answer; a read a few times."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from penstock.client.errors import (
    BadReply,
    NoAnswer,
    NotSent,
    OutcomeUnknown,
    PenstockClientError,
    VenueRefused,
)
from penstock.client.steps import Lost, Pause, Reply, Send, SignedRequest, Steps
from penstock.client.values import Prepared, Submitted, iso_time

T = TypeVar("T")

READ_TRIES_MAX = 3
READ_DELAYS_MS = (250, 1_000)
RATE_LIMIT_PAUSE_MS_MAX = 5_000


def send_once(
    venue: str, prepared: Prepared, withdrawal_id: Callable[[Reply, Prepared], str]
) -> Steps[Submitted]:
    """Send a withdrawal, never again by itself.

    withdrawal_id: reads the answer; raises VenueRefused for a no that the venue words itself, and OutcomeUnknown
    for anything that is neither yes nor no. Raises NotSent where nothing left this machine, OutcomeUnknown where
    no answer came.
    """
    try:
        answer = yield Send(prepared.request)
    except BaseException as stopped:
        # An interrupt or a cancellation: whoever sees it must learn that a withdrawal may be under way.
        stopped.add_note(
            str(OutcomeUnknown(venue, prepared, reason="the wait for its answer was broken off"))
        )
        raise
    match answer:
        case Lost(sent=False, reason=reason):
            raise NotSent(venue, reason)
        case Lost(reason=reason):
            raise OutcomeUnknown(venue, prepared, reason=f"no answer came back ({reason})")
        case Reply():
            found = withdrawal_id(answer, prepared)
        case None:
            raise AssertionError("a driver answers every Send")
    return Submitted(venue, found, prepared.payment, prepared.signed_at_ms)


def repeat_once(
    venue: str,
    prepared: Prepared,
    submit: Callable[[Prepared], Steps[Submitted]],
    *,
    now_ms: int,
    ends_ms: int,
) -> Steps[Submitted]:
    """Send the very same bytes once more, before `ends_ms`. Raises OutcomeUnknown when that settles nothing."""
    if now_ms >= ends_ms:
        raise OutcomeUnknown(venue, prepared, reason=f"its time for a repeat ended at {iso_time(ends_ms)}")
    try:
        return (yield from submit(prepared))
    except (NotSent, VenueRefused) as error:
        # A repeat that was not sent, or was refused, says nothing about the first request: that may still
        # arrive.
        reason = f"a repeat of the same bytes did not settle it ({error})"
    raise OutcomeUnknown(venue, prepared, reason=reason)


def ask(
    venue: str,
    request: Callable[[], SignedRequest],
    read: Callable[[Reply], T],
    rate_limit_pause_ms: Callable[[Reply], int | None],
) -> Steps[T]:
    """Ask a few times if need be: reading changes nothing.

    request: made anew for each try, since its time and signature may go stale. read: the answer; raises
    VenueRefused for the venue's no, BadReply, ValueError or LookupError for what makes no sense.
    rate_limit_pause_ms: how long the venue asks to wait after HTTP 429, None where it does not say.
    Raises NotSent, NoAnswer, BadReply or VenueRefused, of the last try.
    """
    problem: PenstockClientError | None = None
    for attempt in range(READ_TRIES_MAX):
        answer = yield Send(request())
        pause_ms = READ_DELAYS_MS[min(attempt, len(READ_DELAYS_MS) - 1)]
        match answer:
            case Lost(sent=sent, reason=reason):
                problem = NoAnswer(venue, reason) if sent else NotSent(venue, reason)
            case Reply():
                try:
                    return read(answer)
                except (VenueRefused, BadReply) as error:
                    problem = error
                except (ValueError, LookupError, RecursionError) as error:
                    problem = BadReply(venue, str(error), answer.status)
                if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                    asked_ms = rate_limit_pause_ms(answer)
                    pause_ms = min(
                        READ_DELAYS_MS[-1] if asked_ms is None else asked_ms, RATE_LIMIT_PAUSE_MS_MAX
                    )
                elif answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    break
            case None:
                raise AssertionError("a driver answers every Send")
        if attempt + 1 < READ_TRIES_MAX:
            yield Pause(pause_ms)
    assert problem is not None
    raise problem
