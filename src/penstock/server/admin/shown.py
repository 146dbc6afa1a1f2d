"""Rows and views as the admin API shows them: ids and amounts become text, secrets stay behind."""

from __future__ import annotations

from penstock.core.amounts import format_units
from penstock.core.views import AttemptView, BalanceView, BookEntryView, HistoryView, WithdrawalView
from penstock.engine.rows import AccountRow, ApiKeyRow, BookRow, CallbackRow, DepositRow, OutboxRow
from penstock.engine.sending_rows import AuditRow, ControlRow, LaneRow
from penstock.server.admin import replies
from penstock.server.admin.endpoints import Desk

RATE_DECIMALS = 30


def account(row: AccountRow) -> replies.Account:
    return replies.Account(
        account_id=str(row.account_id),
        account_number=row.account_number,
        email=row.email,
        phone=row.phone,
        master_account_id=None if row.master_account_id is None else str(row.master_account_id),
        may_withdraw=row.may_withdraw,
        frozen=row.frozen,
        created_ms=row.created_ms,
    )


def key(row: ApiKeyRow) -> replies.Key:
    return replies.Key(
        key_id=row.key_id,
        account_id=str(row.account_id),
        venue=row.venue,
        permissions=[part for part in row.permissions.split(",") if part],
        allowed_ips=[part for part in row.allowed_ips.split(",") if part],
        expires_ms=row.expires_ms,
        frozen=row.frozen,
        created_ms=row.created_ms,
    )


def book_entry(entry: BookRow | BookEntryView) -> replies.BookEntry:
    return replies.BookEntry(
        entry_id=str(entry.entry_id),
        kind=entry.kind,
        asset=entry.asset,
        network=entry.network,
        address=entry.address,
        memo=entry.memo,
        remark=entry.remark,
        verified=entry.verified,
        usable_from_ms=entry.usable_from_ms,
    )


def deposit(desk: Desk, row: DepositRow) -> replies.Deposit:
    return replies.Deposit(
        reference=row.reference,
        deposit_id=str(row.deposit_id),
        account_id=str(row.account_id),
        asset=row.asset,
        network=row.network,
        wallet=row.wallet,
        amount=desk.text(row.amount, row.asset),
        address=row.address,
        tx_id=row.tx_id,
        created_ms=row.created_ms,
    )


def callback(row: CallbackRow) -> replies.Callback:
    return replies.Callback(str(row.account_id), row.venue, row.url, row.key_id)


def balance(desk: Desk, view: BalanceView) -> replies.Balance:
    return replies.Balance(
        wallet=view.wallet,
        asset=view.asset,
        available=desk.text(view.available, view.asset),
        held=desk.text(view.held, view.asset),
    )


def control(row: ControlRow) -> replies.Control:
    return replies.Control(row.name, row.stopped, row.reason, row.at_ms)


def lane(row: LaneRow) -> replies.Lane:
    return replies.Lane(
        network=row.network,
        sender=row.sender,
        next_nonce=row.next_nonce,
        owner=row.owner,
        lease_until_ms=row.lease_until_ms,
        epoch=row.epoch,
        quarantine=row.quarantine,
    )


def withdrawal(desk: Desk, view: WithdrawalView) -> replies.Withdrawal:
    network = desk.catalogue.networks.get(view.network)
    on_chain = network is not None and not view.recipient
    rate = view.rate
    return replies.Withdrawal(
        withdrawal_id=str(view.withdrawal_id),
        account_id=str(view.account_id),
        venue=view.venue,
        number=view.number,
        request_id=view.request_id,
        asset=view.asset,
        debit_asset=view.debit_asset,
        network=view.network,
        wallet=view.wallet,
        amount=desk.text(view.amount, view.debit_asset),
        fee=desk.text(view.fee, view.debit_asset),
        net=desk.text(view.net, view.asset),
        rate="" if rate is None else format_units(rate.price(RATE_DECIMALS), RATE_DECIMALS),
        rate_origin="" if rate is None else rate.origin,
        rate_at_ms=None if rate is None else rate.at_ms,
        address=view.address,
        memo=view.memo,
        recipient=view.recipient,
        remark=view.remark,
        state=view.state.value,
        reason=view.reason,
        tx_hash=view.tx_hash,
        confirmations=view.confirmations,
        confirmations_needed=network.confirmations if network is not None and on_chain else 0,
        created_ms=view.created_ms,
        updated_ms=view.updated_ms,
    )


def change(view: HistoryView) -> replies.Change:
    return replies.Change(view.sequence, view.state_before, view.state_after, view.detail, view.at_ms)


def event(row: OutboxRow) -> replies.Event:
    return replies.Event(
        sequence=row.sequence,
        state=row.state.value,
        at_ms=row.at_ms,
        due_ms=row.due_ms,
        tries=row.tries,
        delivered_ms=row.delivered_ms,
    )


def attempt(view: AttemptView) -> replies.Attempt:
    return replies.Attempt(
        attempt_id=str(view.attempt_id),
        network=view.network,
        sender=view.sender,
        nonce=view.nonce,
        state=view.state,
        tx_hash=view.tx_hash,
        created_ms=view.created_ms,
    )


def act(row: AuditRow) -> replies.Act:
    return replies.Act(str(row.audit_id), row.actor, row.act, row.subject, row.detail, row.at_ms)
