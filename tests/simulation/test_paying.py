"""Single withdrawals through the whole service, one fault at a time."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.deployment import Deployment

Deploy = Callable[..., Deployment]


def test_a_withdrawal_is_paid_once_and_settled(deploy: Deploy) -> None:
    service = deploy()
    withdrawal_id = service.withdraw("r1")
    service.run_until_final()
    assert service.states(withdrawal_id) == ["held", "approved", "planned", "signed", "sent", "mined", "confirmed"]
    service.check_settled()
