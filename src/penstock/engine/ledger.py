"""The double-entry ledger: balanced postings, and balances that never go below zero.

Customer ledger accounts are what we owe, so their balances are positive; `custody` is what stands on chain
for us and is negative by the same amount. Per posting and asset all legs sum to zero, so the whole ledger
does.
"""

from __future__ import annotations

from penstock.core.amounts import Units
from penstock.core.ids import PostingId, WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.engine.row import Row
from penstock.engine.rows import BalanceRow, EntryRow, PostingRow
from penstock.engine.rules import HOUSE_ACCOUNT, Moment

Leg = tuple[str, str, int]
"""(ledger account, asset, signed units)"""

FEES = "system/fees"
NETWORK_FEES = "system/network_fees"
EXCHANGED = "system/exchanged"
"""What conversions took in of one asset and gave out of another: positive and negative, each asset by itself."""


BANK = "bank"
"""Stands for a network where money is kept that no chain carries."""


def custody(network: str) -> str:
    """What the hot wallet of a network holds, counted negative."""
    return f"system/custody/{network}"


def opening(network: str) -> str:
    """Where the operator's own money came from."""
    return f"system/opening/{network}"


def gas_budget(network: str) -> str:
    """Balances the gas float: how much of our own coin the wallet of a network may still spend on fees."""
    return f"system/gas_budget/{network}"


def gas_wallet(network: str) -> str:
    return f"gas/{network}"


def available_of(balance: BalanceRow) -> str:
    return f"account/{balance.account_id}/{balance.wallet}/available"


def held_of(balance: BalanceRow) -> str:
    return f"account/{balance.account_id}/{balance.wallet}/held"


def post(
    moment: Moment, kind: str, legs: list[Leg], withdrawal_id: WithdrawalId | None = None, reference: str = ""
) -> list[Row]:
    """The rows of one posting. Asserts that its legs balance per asset, so no other is ever written."""
    sums: dict[str, int] = {}
    for _, asset, units in legs:
        sums[asset] = sums.get(asset, 0) + units
    assert not any(sums.values()), (kind, sums)
    posting_id = PostingId(moment.new_id())
    rows: list[Row] = [PostingRow(posting_id, kind, withdrawal_id, reference, moment.now_ms)]
    rows += [
        EntryRow(posting_id, line, ledger_account, asset, Units(units))
        for line, (ledger_account, asset, units) in enumerate(legs)
    ]
    return rows


def changed(balance: BalanceRow, available: int = 0, held: int = 0) -> BalanceRow:
    """The balance after adding to either part. Raises Refused(BALANCE_TOO_LOW) below zero."""
    if balance.available + available < 0:
        raise Refused(RefusalCode.BALANCE_TOO_LOW, asset=balance.asset)
    assert balance.held + held >= 0, "a hold would resolve twice"
    return BalanceRow(
        balance.account_id,
        balance.asset,
        balance.wallet,
        Units(balance.available + available),
        Units(balance.held + held),
    )


def empty_balance(account_id: int, asset: str, wallet: str) -> BalanceRow:
    return BalanceRow(account_id, asset, wallet, Units(0), Units(0))  # type: ignore[arg-type]


def hold(
    moment: Moment, balance: BalanceRow, units: int, kind: str, withdrawal_id: WithdrawalId | None
) -> list[Row]:
    """Reserve `units`: available -> held. Raises Refused(BALANCE_TOO_LOW)."""
    after = changed(balance, available=-units, held=units)
    legs = [(available_of(balance), balance.asset, -units), (held_of(balance), balance.asset, units)]
    return [after, *post(moment, kind, legs, withdrawal_id)]


def release(
    moment: Moment, balance: BalanceRow, units: int, kind: str, withdrawal_id: WithdrawalId | None
) -> list[Row]:
    """Give a hold back: held -> available."""
    after = changed(balance, available=units, held=-units)
    legs = [(held_of(balance), balance.asset, -units), (available_of(balance), balance.asset, units)]
    return [after, *post(moment, kind, legs, withdrawal_id)]


def settle_gas(
    moment: Moment,
    gas: BalanceRow,
    network: str,
    fee_held: int,
    spent: int,
    withdrawal_id: WithdrawalId | None,
) -> list[Row]:
    """Spend `spent` of what the gas float held for a nonce, and free the rest of it.

    Books the spending twice over, each balanced: the float against its budget, and what left the chain
    against the network fees paid. A node that reports more than was held takes the difference from the float.
    """
    assert gas.account_id == HOUSE_ACCOUNT, gas
    rest = fee_held - spent
    after = changed(gas, available=rest, held=-fee_held)
    legs = [
        (held_of(gas), gas.asset, -fee_held),
        (available_of(gas), gas.asset, rest),
        (gas_budget(network), gas.asset, spent),
        (custody(network), gas.asset, spent),
        (NETWORK_FEES, gas.asset, -spent),
    ]
    return [after, *post(moment, "network_fee", [leg for leg in legs if leg[2]], withdrawal_id)]
