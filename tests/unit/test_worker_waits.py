"""A worker that waits for a commit: what it is told when the commit does not come."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from penstock.core.refusals import InDoubt, RefusalCode, Refused
from penstock.workers import lane


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
