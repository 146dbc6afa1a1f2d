"""Taking withdrawals and transfers in: the decisions behind a venue's create call."""

from __future__ import annotations

import msgspec

from penstock.core.amounts import Units
from penstock.core.commands import Transfer, Withdraw
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.limits import check_amount
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.time import DAY_MS, UnixMs
from penstock.core.views import Accepted
from penstock.engine.book import find_entry
from penstock.engine.ledger import available_of, changed, empty_balance, held_of, hold, post
from penstock.engine.moves import moved, opened
from penstock.engine.rows import (
    AccountRow,
    ApiKeyRow,
    BalanceRow,
    DepositRow,
    QuotaRow,
    RequestRow,
    Row,
    WithdrawalRow,
)
from penstock.engine.rules import TRANSFER_REFERENCE, Decision, Moment, Rules
from penstock.engine.snapshot import Needs, Snapshot


def need_withdraw(command: Withdraw, needs: Needs, now_ms: UnixMs) -> None:
    """One round of look-ups is enough for a withdrawal."""
    _need_request(command, needs, now_ms)
    needs.book.add((command.account_id, command.address))


def need_transfer(command: Transfer, snapshot: Snapshot, needs: Needs, rules: Rules, now_ms: UnixMs) -> None:
    """Two rounds: the recipient's balance can only be asked for once the recipient is known."""
    _need_request(command, needs, now_ms)
    needs.recipients.add((command.recipient_kind, command.recipient))
    recipient_id = snapshot.known_recipient(command.recipient_kind, command.recipient)
    if recipient_id is not None:
        needs.row(AccountRow, recipient_id)
        needs.row(BalanceRow, recipient_id, command.asset, rules.policy.deposit_wallet)


def _need_request(command: Withdraw | Transfer, needs: Needs, now_ms: UnixMs) -> None:
    account_id = command.account_id
    needs.row(RequestRow, account_id, command.venue, command.request_id)
    needs.row(AccountRow, account_id)
    needs.row(ApiKeyRow, command.key_id)
    needs.row(QuotaRow, account_id, now_ms // DAY_MS)
    for wallet in command.wallets:
        needs.row(BalanceRow, account_id, command.asset, wallet)


def decide_withdraw(snapshot: Snapshot, command: Withdraw, moment: Moment, rules: Rules) -> Decision:
    """Reserve the money for a payment on a chain.

    Answers `Accepted`; a request accepted before gets its first answer and writes nothing. Raises Refused;
    then nothing is written and the same request id stays free.
    """
    repeated = _repeated(snapshot, command)
    if repeated is not None:
        return repeated
    _check_account(snapshot, command)
    network = rules.catalogue.networks.get(command.network)
    listing = rules.catalogue.listing(command.asset, command.network)
    assert network is not None
    if not listing.withdraw_enabled or snapshot.stopped(f"network/{network.code}"):
        raise Refused(RefusalCode.WITHDRAWALS_CLOSED, currency=command.asset)
    check_amount(listing, rules.catalogue.scale(command.asset), command.amount)
    entries = snapshot.book(command.account_id, command.address)
    entry = find_entry(entries, command.asset, network, command.memo, moment.now_ms)
    quota = _use_quota(snapshot, command, moment, rules)
    balance = _paying_balance(snapshot, command)
    withdrawal = _new_withdrawal(
        command,
        moment,
        balance.wallet,
        fee=listing.fee,
        address=command.address,
        memo=command.memo,
        book_entry_id=entry.entry_id,
    )
    return _taken(command, moment, balance, withdrawal, quota)


def decide_transfer(snapshot: Snapshot, command: Transfer, moment: Moment, rules: Rules) -> Decision:
    """Move money to another account: held and settled in one commit, free of charge.

    Answers and raises as `decide_withdraw` does.
    """
    repeated = _repeated(snapshot, command)
    if repeated is not None:
        return repeated
    _check_account(snapshot, command)
    asset = rules.catalogue.assets.get(command.asset)
    if asset is None:
        raise Refused(RefusalCode.CURRENCY_UNKNOWN, currency=command.asset)
    if command.amount <= 0:
        raise Refused(RefusalCode.AMOUNT_NOT_POSITIVE)
    recipient = _recipient(snapshot, command)
    quota = _use_quota(snapshot, command, moment, rules)
    balance = _paying_balance(snapshot, command)
    withdrawal = _new_withdrawal(
        command,
        moment,
        balance.wallet,
        fee=Units(0),
        recipient=command.recipient,
        recipient_id=recipient.account_id,
    )
    taken = _taken(command, moment, balance, withdrawal, quota)
    held = changed(balance, available=-command.amount, held=command.amount)
    credited = snapshot.get(BalanceRow, recipient.account_id, command.asset, rules.policy.deposit_wallet)
    taken.writes += _credit_recipient(moment, rules, held, withdrawal, recipient.account_id, credited)
    return taken


def _repeated(snapshot: Snapshot, command: Withdraw | Transfer) -> Decision | None:
    seen = snapshot.get(RequestRow, command.account_id, command.venue, command.request_id)
    if seen is None:
        return None
    if seen.business != command.business:
        field = differing_field(seen.business, command.business)
        raise Refused(RefusalCode.REQUEST_ID_CONFLICT, request_id=command.request_id, field=field)
    return Decision([], Accepted(seen.withdrawal_id, seen.at_ms, repeated=True))


def differing_field(before: str, after: str) -> str:
    """The first field, by name, in which two canonical JSON objects of business fields differ."""
    first = msgspec.json.decode(before or "{}", type=dict[str, str | int | None])
    second = msgspec.json.decode(after or "{}", type=dict[str, str | int | None])
    return next((name for name in sorted(first | second) if first.get(name) != second.get(name)), "")


def _check_account(snapshot: Snapshot, command: Withdraw | Transfer) -> None:
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


def _use_quota(
    snapshot: Snapshot, command: Withdraw | Transfer, moment: Moment, rules: Rules
) -> QuotaRow | None:
    allowed = rules.policy.daily_quota_sat
    if allowed is None:
        return None
    day = moment.now_ms // DAY_MS
    row = snapshot.get(QuotaRow, command.account_id, day)
    used = (row.used_sat if row else 0) + rules.catalogue.btc_value(command.asset, command.amount)
    if used > allowed:
        raise Refused(RefusalCode.QUOTA_EXCEEDED)
    return QuotaRow(command.account_id, day, used)


def _paying_balance(snapshot: Snapshot, command: Withdraw | Transfer) -> BalanceRow:
    for wallet in command.wallets:
        balance = snapshot.get(BalanceRow, command.account_id, command.asset, wallet)
        if balance is not None and balance.available >= command.amount:
            return balance
    raise Refused(RefusalCode.BALANCE_TOO_LOW, asset=command.asset)


def _recipient(snapshot: Snapshot, command: Transfer) -> AccountRow:
    recipient_id = snapshot.recipient(command.recipient_kind, command.recipient)
    recipient = None if recipient_id is None else snapshot.get(AccountRow, recipient_id)
    if recipient is None:
        raise Refused(RefusalCode.RECIPIENT_UNKNOWN)
    if recipient.account_id == command.account_id:
        raise Refused(RefusalCode.RECIPIENT_IS_SENDER)
    if recipient.frozen:
        raise Refused(RefusalCode.RECIPIENT_BLOCKED)
    return recipient


def _new_withdrawal(
    command: Withdraw | Transfer,
    moment: Moment,
    wallet: str,
    *,
    fee: Units,
    address: str = "",
    memo: str = "",
    recipient: str = "",
    recipient_id: AccountId | None = None,
    book_entry_id: int | None = None,
) -> WithdrawalRow:
    return WithdrawalRow(
        withdrawal_id=WithdrawalId(moment.new_id()),
        account_id=command.account_id,
        venue=command.venue,
        asset=command.asset,
        network=command.network,
        wallet=wallet,
        amount=command.amount,
        fee=fee,
        net=Units(command.amount - fee),
        address=address,
        memo=memo,
        recipient=recipient,
        recipient_id=recipient_id,
        book_entry_id=book_entry_id,
        remark=command.remark,
        state=State.HELD,
        reason="",
        steps=1,
        attempt_id=None,
        tx_hash="",
        confirmations=0,
        created_ms=moment.now_ms,
        updated_ms=moment.now_ms,
    )


def _taken(
    command: Withdraw | Transfer,
    moment: Moment,
    balance: BalanceRow,
    withdrawal: WithdrawalRow,
    quota: QuotaRow | None,
) -> Decision:
    """The withdrawal in `held` with its hold, and the request remembered for ever."""
    withdrawal_id = withdrawal.withdrawal_id
    writes = hold(moment, balance, command.amount, "hold", withdrawal_id)
    writes += opened(withdrawal)
    writes.append(
        RequestRow(
            command.account_id,
            command.venue,
            command.request_id,
            command.business,
            withdrawal_id,
            moment.now_ms,
        )
    )
    if quota is not None:
        writes.append(quota)
    return Decision(writes, Accepted(withdrawal_id, moment.now_ms, repeated=False))


def _credit_recipient(
    moment: Moment,
    rules: Rules,
    held: BalanceRow,
    withdrawal: WithdrawalRow,
    recipient_id: AccountId,
    credited: BalanceRow | None,
) -> list[Row]:
    units, asset = withdrawal.amount, withdrawal.asset
    target = credited or empty_balance(recipient_id, asset, rules.policy.deposit_wallet)
    legs = [(held_of(held), asset, -units), (available_of(target), asset, units)]
    _, rows = moved(moment, withdrawal, State.CONFIRMED, "moved between accounts")
    deposit = DepositRow(
        reference=f"{TRANSFER_REFERENCE}{withdrawal.withdrawal_id}",
        deposit_id=moment.new_id(),
        account_id=recipient_id,
        asset=asset,
        network=withdrawal.network,
        wallet=target.wallet,
        amount=units,
        address="",
        tx_id="",
        created_ms=moment.now_ms,
    )
    settled = [changed(held, held=-units), changed(target, available=units)]
    return [*settled, *post(moment, "settle", legs, withdrawal.withdrawal_id), *rows, deposit]
