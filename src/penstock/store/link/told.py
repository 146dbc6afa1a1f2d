"""What becomes of a command that went over a link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

_log = structlog.get_logger(__name__)


class Told(asyncio.Future[object]):
    """A future whose waiter may go on in the very call that settles it, where others do in the loop's next turn.

    at_once: the waiter, called with this. A turn may be long where many requests have come together, and an answer
    should not wait behind all of them.
    """

    at_once: Callable[[Told], object] | None = None

    def tell(self, answer: object, error: Exception | None = None) -> None:
        """Settle it, unless it was given up; with the error if there is one. Raises nothing."""
        if self.done():
            return
        if error is not None:
            self.set_exception(error)
        else:
            self.set_result(answer)
        if self.at_once is not None:
            try:
                self.at_once(self)
            except Exception:  # noqa: BLE001 - logged; other answers of the same frame must still be told
                _log.exception("going on with a request failed")
