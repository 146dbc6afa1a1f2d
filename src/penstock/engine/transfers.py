"""Ledger moves that need no chain: to another account, and from one asset into another."""

from __future__ import annotations

from penstock.core.amounts import Units
from penstock.core.commands import Exchange, Transfer
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.engine.book import find_recipient
from penstock.engine.intake import new_withdrawal
from penstock.engine.ledger import EXCHANGED, Leg, available_of, changed, empty_balance, held_of, post
from penstock.engine.moves import moved
from penstock.engine.requests import (
    accepted,
    check_account,
    need_request,
    next_number,
    paying_balance,
    remembered,
    repeated,
    taken,
    use_quota,
)
from penstock.engine.row import Row
from penstock.engine.rows import AccountRow, BalanceRow, DepositRow, WithdrawalRow
from penstock.engine.rules import TRANSFER_REFERENCE, Decision, Moment, Rules
from penstock.engine.snapshot import Needs, Snapshot
from penstock.engine.worth import Worth, both_sides, check_rate


def need_transfer(command: Transfer, snapshot: Snapshot, needs: Needs, rules: Rules, now_ms: UnixMs) -> None:
    """Two rounds: the recipient's balance can only be asked for once the recipient is known."""
    need_request(command, command.asset, needs, now_ms)
    if command.in_book:
        needs.book.add((command.account_id, command.recipient))
    needs.recipients.add((command.recipient_kind, command.recipient))
    recipient_id = snapshot.known_recipient(command.recipient_kind, command.recipient)
    if recipient_id is not None:
        needs.row(AccountRow, recipient_id)
        needs.row(BalanceRow, recipient_id, command.asset, _arrives_in(command, rules))


def need_exchange(command: Exchange, needs: Needs, now_ms: UnixMs) -> None:
    need_request(command, command.conversion.rate.source, needs, now_ms)
    for wallet in command.wallets:
        needs.row(BalanceRow, command.account_id, command.conversion.rate.target, wallet)


def decide_transfer(snapshot: Snapshot, command: Transfer, moment: Moment, rules: Rules) -> Decision:
    """Move money to another account: held and settled in one commit, free of charge.

    Answers and raises as `decide_withdraw` does.
    """
    before = repeated(snapshot, command)
    if before is not None:
        return before
    check_account(snapshot, command)
    if command.asset not in rules.catalogue.assets:
        raise Refused(RefusalCode.CURRENCY_UNKNOWN, currency=command.asset)
    if command.amount <= 0:
        raise Refused(RefusalCode.AMOUNT_NOT_POSITIVE)
    if command.in_book:
        entries = snapshot.book(command.account_id, command.recipient)
        find_recipient(entries, command.recipient_kind, moment.now_ms)
    recipient = _recipient(snapshot, command)
    quota = use_quota(snapshot, command.account_id, command.asset, command.amount, moment, rules)
    balance = paying_balance(snapshot, command, command.asset, command.amount, rules)
    number = next_number(snapshot, command.account_id) if command.numbered else None
    withdrawal = new_withdrawal(
        moment,
        account_id=command.account_id,
        venue=command.venue,
        asset=command.asset,
        network=command.network,
        wallet=balance.wallet,
        worth=Worth(command.asset, command.amount, Units(0), command.amount),
        recipient=command.recipient,
        recipient_id=recipient.account_id,
        remark=command.remark,
        number=number.used if number else 0,
        request_id=command.request_id if command.business else "",
        extra=command.extra,
        notify=command.notify,
    )
    writes = taken(moment, balance, withdrawal)
    writes += remembered(command, withdrawal.withdrawal_id, moment)
    writes += [row for row in (quota, number) if row is not None]
    held = changed(balance, available=-command.amount, held=command.amount)
    arrives = _arrives_in(command, rules)
    credited = snapshot.get(BalanceRow, recipient.account_id, command.asset, arrives)
    target = credited or empty_balance(recipient.account_id, command.asset, arrives)
    legs = [(available_of(target), command.asset, int(command.amount))]
    settled, rows = _settled(moment, held, withdrawal, target, command.amount, legs, "moved between accounts")
    deposit = _deposit(moment, settled, target)
    return Decision([*writes, *rows, deposit], accepted(settled))


def decide_exchange(snapshot: Snapshot, command: Exchange, moment: Moment, rules: Rules) -> Decision:
    """Turn one asset into another within a wallet: held and settled in one commit.

    Answers `Accepted` (amount: debited, net: received). Raises Refused as `decide_withdraw`, AMOUNT_TOO_SMALL also
    where nothing would be received.
    """
    before = repeated(snapshot, command)
    if before is not None:
        return before
    check_account(snapshot, command)
    rate = command.conversion.rate
    check_rate(rate, moment, rules)
    if command.amount <= 0:
        raise Refused(RefusalCode.AMOUNT_NOT_POSITIVE)
    scales = rules.catalogue.scale(rate.source), rules.catalogue.scale(rate.target)
    debit, received = both_sides(command.amount, command.conversion, *scales)
    if received <= 0:
        raise Refused(RefusalCode.AMOUNT_TOO_SMALL)
    balance = paying_balance(snapshot, command, rate.source, debit, rules)
    number = next_number(snapshot, command.account_id) if command.numbered else None
    withdrawal = new_withdrawal(
        moment,
        account_id=command.account_id,
        venue=command.venue,
        asset=rate.target,
        network="",
        wallet=balance.wallet,
        worth=Worth(rate.source, debit, Units(0), received, rate.encoded()),
        recipient_id=command.account_id,
        number=number.used if number else 0,
        request_id=command.request_id if command.business else "",
        extra=command.extra,
        notify=command.notify,
    )
    writes = taken(moment, balance, withdrawal)
    writes += remembered(command, withdrawal.withdrawal_id, moment)
    if number is not None:
        writes.append(number)
    held = changed(balance, available=-debit, held=debit)
    known = snapshot.get(BalanceRow, command.account_id, rate.target, balance.wallet)
    target = known or empty_balance(command.account_id, rate.target, balance.wallet)
    legs = [
        (EXCHANGED, rate.source, int(debit)),
        (EXCHANGED, rate.target, -received),
        (available_of(target), rate.target, int(received)),
    ]
    settled, rows = _settled(moment, held, withdrawal, target, received, legs, "exchanged")
    return Decision([*writes, *rows], accepted(settled))


def _settled(
    moment: Moment,
    held: BalanceRow,
    withdrawal: WithdrawalRow,
    target: BalanceRow,
    received: int,
    legs: list[Leg],
    detail: str,
) -> tuple[WithdrawalRow, list[Row]]:
    """Spend the hold, credit `target` with `received`, and confirm. legs: what stands against the hold."""
    out = (held_of(held), withdrawal.debit_asset, -withdrawal.amount)
    posting = post(moment, "settle", [out, *legs], withdrawal.withdrawal_id)
    settled, rows = moved(moment, withdrawal, State.CONFIRMED, detail)
    balances = [changed(held, held=-withdrawal.amount), changed(target, available=received)]
    return settled, [*balances, *posting, *rows]


def _arrives_in(command: Transfer, rules: Rules) -> str:
    return command.recipient_wallet or rules.policy.deposit_wallet


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


def _deposit(moment: Moment, withdrawal: WithdrawalRow, target: BalanceRow) -> DepositRow:
    return DepositRow(
        reference=f"{TRANSFER_REFERENCE}{withdrawal.withdrawal_id}",
        deposit_id=moment.new_id(),
        account_id=target.account_id,
        asset=withdrawal.asset,
        network=withdrawal.network,
        wallet=target.wallet,
        amount=withdrawal.net,
        address="",
        tx_id="",
        created_ms=moment.now_ms,
    )
