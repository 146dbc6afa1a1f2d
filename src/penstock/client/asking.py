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
from penstock.core.time import Clock
from penstock.venues.client_reply import VenueError
from penstock.venues.client_request import OutgoingRequest

T = TypeVar("T")
Wire = TypeVar("Wire")

Read = Callable[[int, bytes], T]
"""A venue's reader of a reply's status and body. Raises VenueError for a no, and for what is none of the venue's."""

READ_TRIES_MAX = 3
READ_DELAYS_MS = (250, 1_000)
RATE_LIMIT_PAUSE_MS_MAX = 5_000
ARRIVAL_MARGIN_MS = 30_000
"""A withdrawal taken in its window's last moment may still be on its way into the venue's records for so long."""

# ---- withdrawing: once -------------------------------------------------------------------------------------


def submit_once(
    venue: str, prepared: Prepared, read_id: Read[str], is_in_doubt: Callable[[VenueError], bool]
) -> Steps[Submitted]:
    """Send a withdrawal as `send_once` does. read_id: gives the withdrawal's id; "" is no answer."""

    def named(http_status: int, body: bytes) -> str:
        found = read_id(http_status, body)
        if not found:
            raise ValueError("it says yes and names no withdrawal")
        return found

    withdrawal_id = yield from send_once(venue, prepared, named, is_in_doubt)
    return Submitted(venue, withdrawal_id, prepared.payment, prepared.signed_at_ms)


def send_once(
    venue: str, prepared: Prepared, read: Read[T], is_in_doubt: Callable[[VenueError], bool]
) -> Steps[T]:
    """Send what moves money, never again by itself. Returns what `read` makes of the answer.

    is_in_doubt: whether an error, though the venue's own, leaves open how far the request got.
    Raises NotSent where nothing left this machine; VenueRefused for a no that the venue words itself, below HTTP
    500; OutcomeUnknown for everything else, no answer among it.
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
            return _outcome(venue, prepared, answer, read, is_in_doubt)
        case None:
            raise AssertionError("a driver answers every Send")


def _outcome(
    venue: str, prepared: Prepared, reply: Reply, read: Read[T], is_in_doubt: Callable[[VenueError], bool]
) -> T:
    code: int | str = ""
    try:
        return read(reply.status, reply.body)
    except VenueError as error:
        if not (error.outcome_unknown or is_in_doubt(error)):
            raise _refusal(venue, error) from None
        code = error.code
        seen = f"{error.message[:200]}, code {'none' if code == '' else code}"
    except (ValueError, RecursionError) as error:
        seen = str(error)[:200]
    raise OutcomeUnknown(
        venue,
        prepared,
        reason=f"the answer leaves it open ({seen}, HTTP {reply.status})",
        http_status=reply.status,
        code=str(code) if code else None,
    )


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


# ---- reading: a few times ----------------------------------------------------------------------------------


def ask(
    venue: str,
    request: Callable[[], OutgoingRequest],
    read: Read[Wire],
    convert: Callable[[Wire], T],
    rate_limit_pause_ms: Callable[[Reply], int | None],
    *,
    rate_limit_code: int | str | None = None,
) -> Steps[T]:
    """Ask a few times if need be: reading changes nothing.

    request: made anew for each try, since its time and signature may go stale. convert: raises ValueError or
    LookupError for what makes no sense. rate_limit_pause_ms: how long the venue asks to wait after HTTP 429 or
    an error with rate_limit_code, None where it does not say.
    Raises NotSent, NoAnswer, BadReply or VenueRefused, of the last try.
    """
    tries = 0
    while True:
        answer = yield Send(SignedRequest.of(request()))
        tries += 1
        try:
            return _understood(venue, answer, read, convert)
        except PenstockClientError as problem:
            limited = isinstance(problem, VenueRefused) and problem.code == str(rate_limit_code)
            pause_ms = _pause_ms(answer, tries, limited=limited, asked_ms=rate_limit_pause_ms)
            if pause_ms is None:
                raise
        yield Pause(pause_ms)


def _understood(venue: str, answer: Reply | Lost | None, read: Read[Wire], convert: Callable[[Wire], T]) -> T:
    """What the answer says. Raises as `ask`."""
    match answer:
        case Lost(sent=sent, reason=reason):
            raise NoAnswer(venue, reason) if sent else NotSent(venue, reason)
        case Reply():
            try:
                return convert(read(answer.status, answer.body))
            except VenueError as error:
                raise _refusal(venue, error) from None
            except (ValueError, LookupError, RecursionError) as error:
                raise BadReply(venue, str(error), answer.status) from None
        case None:
            raise AssertionError("a driver answers every Send")


def _pause_ms(
    answer: Reply | Lost | None, tries: int, *, limited: bool, asked_ms: Callable[[Reply], int | None]
) -> int | None:
    """How long to wait before asking once more; None where that is of no use. limited: by the answer's own words."""
    if tries == READ_TRIES_MAX:
        return None
    pause_ms = READ_DELAYS_MS[min(tries, len(READ_DELAYS_MS)) - 1]
    if isinstance(answer, Reply):
        if limited or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            told_ms = asked_ms(answer)
            pause_ms = READ_DELAYS_MS[-1] if told_ms is None else told_ms
        elif answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return None
    return min(pause_ms, RATE_LIMIT_PAUSE_MS_MAX)


def _refusal(venue: str, error: VenueError) -> PenstockClientError:
    if not error.code:
        return BadReply(venue, error.message, error.http_status)
    return VenueRefused(venue, str(error.code), error.message, error.http_status, error.trace)


def seconds_in(header: str) -> Callable[[Reply], int | None]:
    """The pause where a venue's header says how many seconds to wait."""

    def pause_ms(reply: Reply) -> int | None:
        wait_s = _number(reply, header)
        return None if wait_s is None else wait_s * 1000

    return pause_ms


def until_time_in(header: str, clock: Clock) -> Callable[[Reply], int | None]:
    """The pause where a venue's header says when to come back, in Unix milliseconds by its own clock."""

    def pause_ms(reply: Reply) -> int | None:
        resets_at_ms = _number(reply, header)
        return None if resets_at_ms is None else max(resets_at_ms - clock.now_ms(), READ_DELAYS_MS[0])

    return pause_ms


def _number(reply: Reply, header: str) -> int | None:
    digits = reply.headers.get(header, "")[:15]
    return int(digits) if digits.isascii() and digits.isdecimal() else None


def as_it_is(value: T) -> T:
    """`convert` for an answer that is passed on as the venue's wire gives it."""
    return value


def check_is_number(venue: str, withdrawal_id: str) -> None:
    """Raises ValueError for an id that the venue cannot have given."""
    if not (withdrawal_id.isascii() and withdrawal_id.isdecimal()):
        raise ValueError(f"a withdrawal of {venue} goes by its number, not {withdrawal_id[:64]!r}")
