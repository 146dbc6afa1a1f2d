"""Everything the client raises about the venue.

PenstockClientError
  + NotOffered       the venue has no such call; nothing was sent
  + NotSent          nothing left this machine: safe to call again
  + VenueRefused     the venue said no, in its own code and words
  + NoAnswer         a read went unanswered, after its repeats: safe to call again
  + BadReply         a read was answered with something that is not the venue's
  + OutcomeUnknown   a withdrawal was sent and nobody knows what became of it: never simply call again

A wrong argument is a TypeError or ValueError, raised before anything is sent. No error shows a secret.
"""

from __future__ import annotations

from penstock.client.values import Prepared, iso_time


class PenstockClientError(Exception):
    """Base of all errors of the client. venue: "bitmart"."""

    def __init__(self, venue: str, text: str) -> None:
        super().__init__(text)
        self.venue = venue

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are rebuilt from their message alone; a worker process would lose what is in doubt here.
        return _rebuilt, (type(self), self.args, self.__dict__)


class NotOffered(PenstockClientError):
    """The venue has no such call. Nothing was sent."""

    def __init__(self, venue: str, what: str) -> None:
        super().__init__(venue, f"{venue} offers no {what}")
        self.what = what


class NotSent(PenstockClientError):
    """No byte of the request left this machine (connection refused, TLS failed). Nothing was done."""

    def __init__(self, venue: str, reason: str) -> None:
        super().__init__(venue, f"{venue} was not reached, nothing was sent: {reason}")
        self.reason = reason


class VenueRefused(PenstockClientError):
    """The venue answered no. code, message, trace: its own ("" for none); http_status: of the answer."""

    def __init__(self, venue: str, code: str, message: str, http_status: int, trace: str = "") -> None:
        super().__init__(venue, f"{venue} refused: {message} (code {code}, HTTP {http_status})")
        self.code = code
        self.message = message
        self.http_status = http_status
        self.trace = trace


class NoAnswer(PenstockClientError):
    """A read was sent and not answered, as often as the client tries. Reading changes nothing: call again."""

    def __init__(self, venue: str, reason: str) -> None:
        super().__init__(venue, f"{venue} did not answer: {reason}")
        self.reason = reason


class BadReply(PenstockClientError):
    """The answer to a read is not what the venue's interface says. reason: what was wrong with it."""

    def __init__(self, venue: str, reason: str, http_status: int) -> None:
        super().__init__(venue, f"{venue} answered with something unreadable: {reason} (HTTP {http_status})")
        self.reason = reason
        self.http_status = http_status


class OutcomeUnknown(PenstockClientError):
    """A withdrawal was sent and no answer says whether it was made. Do not send it again: ask with `resolve`, or, where
    prepared.taken_once (Alphapo's exchanges), ask for the very same under the same id.

    payment: what was asked for, with its request id where the venue takes one. sent_at_ms: the request's own
    time. window_ends_ms: from then on the venue no longer takes this request, should it still be under way.
    reason: what was seen in place of an answer. http_status, code: of the answer, where there was one.
    prepared: the very bytes that were sent, for `repeat_identical` only; its asked_by_id tells whether the
    venue can be asked for this very withdrawal, or only for its history.
    """

    def __init__(
        self,
        venue: str,
        prepared: Prepared,
        *,
        reason: str,
        http_status: int | None = None,
        code: str | None = None,
    ) -> None:
        request_id = prepared.payment.request_id
        named = f" with the request id {request_id}" if request_id else ""
        super().__init__(
            venue,
            f"outcome unknown: {prepared.payment} was sent to {venue}{named} at "
            f"{iso_time(prepared.signed_at_ms)} and {reason}. It may have been made. {_then(prepared)}",
        )
        self.prepared = prepared
        self.payment = prepared.payment
        self.sent_at_ms = prepared.signed_at_ms
        self.window_ends_ms = prepared.window_ends_ms
        self.reason = reason
        self.http_status = http_status
        self.code = code


def _then(prepared: Prepared) -> str:
    """What whoever lost an answer is to do."""
    if prepared.taken_once:
        return (
            "The venue cannot be asked for it, and takes an id once: ask for the very same again with the same id. "
            "If the answer is then that the id is taken, it was made; any other no leaves it open"
        )
    if prepared.asked_by_id:
        ask = "The venue can be asked by this id: do so, with resolve(...),"
    else:
        ask = "The venue cannot be asked by an id of yours: ask its history, with resolve(...),"
    return (
        f"Do not send it again. {ask} until it is conclusive; that nothing was made is certain at the earliest "
        f"{iso_time(prepared.window_ends_ms)}"
    )


def _rebuilt(
    kind: type[PenstockClientError], args: tuple[object, ...], facts: dict[str, object]
) -> PenstockClientError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error
