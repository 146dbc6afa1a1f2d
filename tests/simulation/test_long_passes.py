"""A pass that takes longer than a lease, at a slow signer or a slow node, still comes to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.engine.sending_rows import LaneRow
from penstock.workers.chain_worker import make_pass
from penstock.workers.lane import Pace
from tests.simulation.deployment import Deployment

Deploy = Callable[..., Deployment]

PACE = Pace(lease_ms=1_000, bump_after_ms=600_000, resend_after_ms=600_000)
SLOW_MS = 400
"""Of one answer: with PAYMENTS of them a pass takes some five leases."""
PAYMENTS = 12


def slow(service: Deployment, call: Callable[..., Any], also: Callable[[], None]) -> Callable[..., Any]:
    """The same call, after a while in which `also` happens."""

    def answer(*arguments: Any) -> Any:
        service.clock.advance(SLOW_MS)
        also()
        return call(*arguments)

    return answer


@pytest.mark.parametrize("what", ["sign", "submit", "intent"])
def test_the_lease_is_renewed_in_the_middle_of_a_pass_so_that_another_worker_keeps_waiting(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    service = deploy(pace=PACE)
    for at in range(PAYMENTS):
        service.withdraw(f"r{at}", 5_000_000 + at)
    other = service.new_lane()
    turned_away: list[str] = []

    def try_the_other() -> None:
        with pytest.raises(Refused) as refused:
            make_pass(other)
        assert refused.value.code is RefusalCode.NOT_NOW
        turned_away.append("not now")

    owner = {"sign": service.signer, "submit": service.node, "intent": service.chain}[what]
    monkeypatch.setattr(owner, what, slow(service, getattr(owner, what), try_the_other))
    make_pass(service.lane)
    assert len(turned_away) == PAYMENTS
    assert {row.state for row in service.rows()} == {State.SENT}
    (lane,) = service.store.reader().rows(LaneRow)
    assert (lane.owner, lane.epoch) == (service.lane.owner, 1)
    monkeypatch.undo()
    service.run_until_final()
    service.check_settled()


def test_a_worker_that_stood_still_in_the_middle_of_a_pass_ends_it_there(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = deploy(pace=PACE)
    for at in range(3):
        service.withdraw(f"r{at}", 5_000_000 + at)
    other = service.new_lane()
    sign = service.signer.sign

    def stand_still(*arguments: Any) -> Any:
        monkeypatch.undo()
        service.clock.advance(PACE.lease_ms)
        make_pass(other)
        return sign(*arguments)

    monkeypatch.setattr(service.signer, "sign", stand_still)
    with pytest.raises(Refused) as refused:
        make_pass(service.lane)
    assert refused.value.code is RefusalCode.NOT_NOW
    assert {row.state for row in service.rows()} == {State.SENT}
    assert len(service.node.offered) == 3
    service.lane = other
    service.run_until_final()
    service.check_settled()


def test_a_lease_that_ended_unnoticed_ends_the_pass_and_the_next_one_goes_on(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = deploy(pace=PACE)
    for at in range(3):
        service.withdraw(f"r{at}", 5_000_000 + at)
    sign = service.signer.sign

    def stand_still(*arguments: Any) -> Any:
        monkeypatch.undo()
        service.clock.advance(PACE.lease_ms)
        return sign(*arguments)

    monkeypatch.setattr(service.signer, "sign", stand_still)
    with pytest.raises(Refused) as refused:
        make_pass(service.lane)
    assert refused.value.detail == {"lease": "lost"}
    make_pass(service.lane)
    assert {row.state for row in service.rows()} == {State.SENT}
    service.run_until_final()
    service.check_settled()
