"""A worker whose commit or whose lane does not come: what it is told, and what it says of it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import cast

import pytest
from structlog.testing import capture_logs

from penstock.core.refusals import InDoubt, RefusalCode, Refused, Unavailable
from penstock.workers import chain_worker, lane


def test_a_commit_that_does_not_come_is_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "COMMIT_TIMEOUT_S", 0.0)
    with pytest.raises(InDoubt, match="no commit within 0 s"):
        lane.wait(Future())


def test_an_answer_and_a_refusal_come_through() -> None:
    answered: Future[object] = Future()
    answered.set_result("row")
    assert lane.wait(answered) == "row"
    refused: Future[object] = Future()
    refused.set_exception(Refused(RefusalCode.NOT_NOW))
    with pytest.raises(Refused):
        lane.wait(refused)


class Unclaimed:
    """A lane as far as its claim, which fails by the next of `errors`."""

    network = "ethereum"

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def claim(self) -> None:
        raise self.errors.pop(0)


def test_passes_that_fail_alike_are_told_once() -> None:
    away, doubt = Unavailable("the database cannot be read"), InDoubt("no commit within 30 s")
    taken = Refused(RefusalCode.NOT_NOW, owner="another")
    failing = Unclaimed(away, away, doubt, doubt, taken, taken, taken)
    told = chain_worker.Told("ethereum")
    with capture_logs() as lines:
        while failing.errors:
            chain_worker.run_pass(cast("lane.Lane", failing), told)
    assert [(line["event"], line["log_level"], line["network"]) for line in lines] == [
        ("pass cut short", "warning", "ethereum"),
        ("pass cut short", "warning", "ethereum"),
        ("pass refused", "info", "ethereum"),
    ]
    assert [line["reason"] for line in lines[:2]] == [str(away), str(doubt)]
