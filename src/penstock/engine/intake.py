"""Taking payments on a chain in: the decision behind a venue's create call."""

from __future__ import annotations

from penstock.core.commands import Withdraw
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.engine.book import find_entry
from penstock.engine.moves import moved, opened
from penstock.engine.requests import (
    EXCLUSIVE,
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
from penstock.engine.rows import ChallengeRow, RequestRow, WithdrawalRow
from penstock.engine.rules import Decision, Moment, Rules
from penstock.engine.snapshot import Needs, Snapshot
from penstock.engine.worth import Worth, worth_of


def need_withdraw(command: Withdraw, needs: Needs, now_ms: UnixMs) -> None:
    """One round of look-ups is enough for a withdrawal."""
    conversion = command.conversion
    need_request(command, command.asset if conversion is None else conversion.rate.source, needs, now_ms)
    if not command.any_address:
        needs.book.add((command.account_id, command.address))
    if command.exclusive:
        needs.row(RequestRow, command.account_id, command.venue + EXCLUSIVE, command.exclusive)


def decide_withdraw(snapshot: Snapshot, command: Withdraw, moment: Moment, rules: Rules) -> Decision:
    """Reserve the money for a payment on a chain, or quote it where the customer has to answer a challenge first.

    Answers `Accepted`; a request accepted before gets its first answer and writes nothing. Raises Refused;
    then nothing is written and the same request id stays free.
    """
    before = repeated(snapshot, command)
    if before is not None:
        return before
    check_account(snapshot, command)
    _check_exclusive(snapshot, command)
    network = rules.catalogue.networks.get(command.network)
    listing = rules.catalogue.listing(command.asset, command.network)
    assert network is not None
    if not listing.withdraw_enabled or snapshot.stopped(f"network/{network.code}"):
        raise Refused(RefusalCode.WITHDRAWALS_CLOSED, currency=command.asset)
    worth = worth_of(command, listing, moment, rules)
    book_entry_id = None
    if not command.any_address:
        entries = snapshot.book(command.account_id, command.address)
        book_entry_id = find_entry(entries, command.asset, network, command.memo, moment.now_ms).entry_id
    if command.challenge_ms:
        return _challenge(snapshot, command, worth, book_entry_id, moment, rules)
    quota = use_quota(snapshot, command.account_id, worth.debit_asset, worth.amount, moment, rules)
    balance = paying_balance(snapshot, command, worth.debit_asset, worth.amount, rules)
    number = next_number(snapshot, command.account_id) if command.numbered else None
    withdrawal = _new_withdrawal(
        command, worth, moment, balance.wallet, book_entry_id, number.used if number else 0
    )
    writes = taken(moment, balance, withdrawal)
    writes += remembered(command, withdrawal.withdrawal_id, moment)
    writes += [row for row in (quota, number) if row is not None]
    withdrawal, more = screened(withdrawal, moment, rules)
    return Decision(writes + more, accepted(withdrawal))


def screened(withdrawal: WithdrawalRow, moment: Moment, rules: Rules) -> tuple[WithdrawalRow, list[Row]]:
    """Let a held withdrawal wait for approval where the operator's policy says so; else leave it held."""
    least = rules.policy.approval_from_usd
    if least is None:
        return withdrawal, []
    worth = rules.catalogue.usd_value(withdrawal.debit_asset, withdrawal.amount)
    if worth is not None and worth < least:
        return withdrawal, []
    return moved(moment, withdrawal, State.AWAITING_APPROVAL, "above the limit for payments without approval")


def _check_exclusive(snapshot: Snapshot, command: Withdraw) -> None:
    if not command.exclusive:
        return
    venue = command.venue + EXCLUSIVE
    if snapshot.get(RequestRow, command.account_id, venue, command.exclusive) is not None:
        raise Refused(RefusalCode.EXCLUSIVE_TAKEN, mark=command.exclusive)


def _challenge(
    snapshot: Snapshot,
    command: Withdraw,
    worth: Worth,
    book_entry_id: int | None,
    moment: Moment,
    rules: Rules,
) -> Decision:
    """Quote, hold nothing. The balance is looked at only to tell a hopeless customer at once."""
    balance = paying_balance(snapshot, command, worth.debit_asset, worth.amount, rules)
    withdrawal = _new_withdrawal(
        command, worth, moment, balance.wallet, book_entry_id, 0, state=State.CHALLENGED
    )
    challenge = ChallengeRow(
        account_id=command.account_id,
        venue=command.venue,
        nonce=command.request_id,
        withdrawal_id=withdrawal.withdrawal_id,
        expires_ms=UnixMs(moment.now_ms + command.challenge_ms),
        failures=0,
        answer="",
        closed=False,
    )
    writes = [*opened(withdrawal), challenge, *remembered(command, withdrawal.withdrawal_id, moment)]
    return Decision(writes, accepted(withdrawal))


def _new_withdrawal(
    command: Withdraw,
    worth: Worth,
    moment: Moment,
    wallet: str,
    book_entry_id: int | None,
    number: int,
    *,
    state: State = State.HELD,
) -> WithdrawalRow:
    return new_withdrawal(
        moment,
        account_id=command.account_id,
        venue=command.venue,
        asset=command.asset,
        network=command.network,
        wallet=wallet,
        worth=worth,
        address=command.address,
        memo=command.memo,
        book_entry_id=book_entry_id,
        remark=command.remark,
        number=number,
        request_id=command.request_id if command.business else "",
        extra=command.extra,
        notify=command.notify,
        state=state,
    )


def new_withdrawal(
    moment: Moment,
    *,
    account_id: AccountId,
    venue: str,
    asset: str,
    network: str,
    wallet: str,
    worth: Worth,
    number: int,
    request_id: str,
    extra: str,
    notify: bool,
    address: str = "",
    memo: str = "",
    recipient: str = "",
    recipient_id: AccountId | None = None,
    book_entry_id: int | None = None,
    remark: str = "",
    state: State = State.HELD,
) -> WithdrawalRow:
    """A withdrawal's row in its first state."""
    return WithdrawalRow(
        withdrawal_id=WithdrawalId(moment.new_id()),
        account_id=account_id,
        venue=venue,
        asset=asset,
        network=network,
        wallet=wallet,
        amount=worth.amount,
        fee=worth.fee,
        net=worth.net,
        address=address,
        memo=memo,
        recipient=recipient,
        recipient_id=recipient_id,
        book_entry_id=book_entry_id,
        remark=remark,
        state=state,
        reason="",
        steps=1,
        attempt_id=None,
        tx_hash="",
        confirmations=0,
        created_ms=moment.now_ms,
        updated_ms=moment.now_ms,
        debit_asset=worth.debit_asset,
        rate=worth.rate,
        number=number,
        request_id=request_id,
        extra=extra,
        notify=notify,
    )
