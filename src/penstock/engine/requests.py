"""What every customer's command goes through: is it a repeat, may the account, is the quota left, who pays."""

from __future__ import annotations

import msgspec

from penstock.core.amounts import format_units
from penstock.core.commands import AnswerChallenge, Exchange, Transfer, Withdraw
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import DAY_MS, UnixMs
from penstock.core.views import Accepted
from penstock.engine.ledger import hold
from penstock.engine.moves import opened
from penstock.engine.row import Row
from penstock.engine.rows import (
    AccountRow,
    ApiKeyRow,
    BalanceRow,
    CounterRow,
    QuotaRow,
    RequestRow,
    WithdrawalRow,
)
from penstock.engine.rules import Decision, Moment, Rules
from penstock.engine.snapshot import Needs, Snapshot

Asking = Withdraw | Transfer | Exchange

EXCLUSIVE = "/exclusive"
"""Follows the venue's name in the memory of marks that no two withdrawals may share."""


def need_request(command: Asking, debit_asset: str, needs: Needs, now_ms: UnixMs) -> None:
    """Everything that the functions below look at; one round."""
    account_id = command.account_id
    needs.row(RequestRow, account_id, command.venue, command.request_id)
    needs.row(AccountRow, account_id)
    needs.row(ApiKeyRow, command.key_id)
    needs.row(QuotaRow, account_id, now_ms // DAY_MS)
    for wallet in command.wallets:
        needs.row(BalanceRow, account_id, debit_asset, wallet)
    if command.numbered:
        needs.row(CounterRow, account_id)


def repeated(snapshot: Snapshot, command: Asking) -> Decision | None:
    """The first answer to this very request, which writes nothing; None when it is new.

    Raises Refused: REQUEST_ID_TAKEN where the venue answers once only, REQUEST_ID_CONFLICT when the id was used for
    something else (detail `field`: the first difference).
    """
    seen = snapshot.get(RequestRow, command.account_id, command.venue, command.request_id)
    if seen is None:
        return None
    if not command.repeatable:
        raise Refused(RefusalCode.REQUEST_ID_TAKEN, request_id=command.request_id)
    if seen.business != command.business:
        field = differing_field(seen.business, command.business)
        raise Refused(RefusalCode.REQUEST_ID_CONFLICT, request_id=command.request_id, field=field)
    return Decision([], Accepted(seen.withdrawal_id, seen.at_ms, repeated=True))


def differing_field(before: str, after: str) -> str:
    """The first field, by name, in which two canonical JSON objects of business fields differ."""
    first = msgspec.json.decode(before or "{}", type=dict[str, str | int | None])
    second = msgspec.json.decode(after or "{}", type=dict[str, str | int | None])
    return next((name for name in sorted(first | second) if first.get(name) != second.get(name)), "")


def check_account(snapshot: Snapshot, command: Asking | AnswerChallenge) -> None:
    """Raises Refused unless account and key may withdraw now; read in the transaction that decides."""
    account = snapshot.get(AccountRow, command.account_id)
    key = snapshot.get(ApiKeyRow, command.key_id)
    if account is None:
        raise Refused(RefusalCode.ACCOUNT_UNKNOWN)
    if key is None or key.frozen or key.account_id != account.account_id:
        raise Refused(RefusalCode.KEY_FROZEN)
    if account.frozen:
        raise Refused(RefusalCode.ACCOUNT_FROZEN)
    if account.master_account_id is not None:
        raise Refused(RefusalCode.ACCOUNT_IS_SUB_ACCOUNT)
    if not account.may_withdraw:
        raise Refused(RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW)


def use_quota(
    snapshot: Snapshot, account_id: AccountId, asset: str, amount: int, moment: Moment, rules: Rules
) -> QuotaRow | None:
    """The day's quota after using `amount` of it; None where there is no quota. Raises Refused(QUOTA_EXCEEDED)."""
    allowed = rules.policy.daily_quota_sat
    if allowed is None:
        return None
    day = moment.now_ms // DAY_MS
    row = snapshot.get(QuotaRow, account_id, day)
    used = (row.used_sat if row else 0) + rules.catalogue.btc_value(asset, amount)
    if used > allowed:
        raise Refused(RefusalCode.QUOTA_EXCEEDED)
    return QuotaRow(account_id, day, used)


def paying_balance(
    snapshot: Snapshot,
    command: Asking | AnswerChallenge,
    asset: str,
    amount: int,
    rules: Rules,
) -> BalanceRow:
    """The first of the wallets that can pay the whole amount.

    Raises Refused(BALANCE_TOO_LOW); detail available: the most that one of them has, as text.
    """
    most = 0
    for wallet in command.wallets:
        balance = snapshot.get(BalanceRow, command.account_id, asset, wallet)
        if balance is None:
            continue
        if balance.available >= amount:
            return balance
        most = max(most, balance.available)
    available = format_units(most, rules.catalogue.scale(asset))
    raise Refused(RefusalCode.BALANCE_TOO_LOW, asset=asset, available=available)


def next_number(snapshot: Snapshot, account_id: AccountId) -> CounterRow:
    """The account's counter after taking one; `used` is the number taken."""
    row = snapshot.get(CounterRow, account_id)
    return CounterRow(account_id, (row.used if row else 0) + 1)


def remembered(command: Asking, withdrawal_id: WithdrawalId, moment: Moment) -> list[Row]:
    """The memory of an accepted request, for ever, and of its exclusive mark."""
    asked = (command.account_id, command.venue, command.request_id, command.business)
    rows: list[Row] = [RequestRow(*asked, withdrawal_id, moment.now_ms)]
    if isinstance(command, Withdraw) and command.exclusive:
        venue = command.venue + EXCLUSIVE
        rows.append(
            RequestRow(command.account_id, venue, command.exclusive, "", withdrawal_id, moment.now_ms)
        )
    return rows


def taken(moment: Moment, balance: BalanceRow, withdrawal: WithdrawalRow) -> list[Row]:
    """A new withdrawal in `held`, with its hold."""
    rows = hold(moment, balance, withdrawal.amount, "hold", withdrawal.withdrawal_id)
    return [*rows, *opened(withdrawal)]


def accepted(withdrawal: WithdrawalRow, *, is_repeat: bool = False) -> Accepted:
    return Accepted(
        withdrawal.withdrawal_id,
        withdrawal.created_ms,
        is_repeat,
        withdrawal.number,
        withdrawal.state,
        withdrawal.amount,
        withdrawal.fee,
        withdrawal.net,
    )
