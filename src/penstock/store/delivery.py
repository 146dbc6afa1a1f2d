"""Who waits for a command's outcome, and handing it over: to a thread's future, or over a link to another process."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from penstock.core.commands import Command

Outcome = object
"""An answer, or the exception to raise for the command."""


class Link(Protocol):
    """A connection on which other processes send commands and wait for outcomes."""

    def answer(self, outcomes: Sequence[tuple[int, Outcome]]) -> None:
        """Send outcomes by the numbers their commands came with. Never raises: nobody may be listening any more."""
        ...


@dataclass(slots=True, eq=False)
class Submission:
    """A queued command. Either `future` waits for it, or the link it came over, under `number`."""

    command: Command
    future: Future[object] | None
    link: Link | None = None
    number: int = 0


def deliver(taken: Sequence[Submission], outcomes: Sequence[Outcome]) -> None:
    """Hand each outcome to whoever waits; one message per link, however many wait there."""
    by_link: dict[Link, list[tuple[int, Outcome]]] = {}
    for submission, outcome in zip(taken, outcomes, strict=True):
        if submission.link is not None:
            by_link.setdefault(submission.link, []).append((submission.number, outcome))
        elif submission.future is not None and submission.future.set_running_or_notify_cancel():
            if isinstance(outcome, Exception):
                submission.future.set_exception(outcome)
            else:
                submission.future.set_result(outcome)
    for link, waiting in by_link.items():
        link.answer(waiting)
