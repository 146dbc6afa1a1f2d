"""From a held withdrawal to stored signed bytes: plan, take back, sign, send.

The nonce and the intent are taken in one commit; the bytes are stored before any of them is sent.
"""

from __future__ import annotations

import msgspec

from penstock.core.amounts import Units
from penstock.core.commands import LaneStep, Plan, PlanFiller, RecordSent, RecordSigned, Reject, Unplan
from penstock.core.ids import AttemptId, WithdrawalId
from penstock.core.intents import decode_intent
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import AttemptState, State
from penstock.engine.book import covers
from penstock.engine.lanes import leased_lane, need_lane, sending_lane
from penstock.engine.ledger import gas_wallet, hold, release
from penstock.engine.moves import moved
from penstock.engine.row import Row
from penstock.engine.rows import AccountRow, BalanceRow, BookRow, WithdrawalRow
from penstock.engine.rules import HOUSE_ACCOUNT, Decision, Moment, Rules
from penstock.engine.sending_rows import AttemptRow, LaneRow, NonceRow
from penstock.engine.snapshot import Needs, Snapshot


def need_plan(command: Plan | PlanFiller, snapshot: Snapshot, needs: Needs, rules: Rules) -> None:
    lane = command.lane
    need_lane(lane, needs)
    needs.row(NonceRow, lane.network, lane.sender, command.nonce)
    native = rules.catalogue.networks[lane.network].native
    needs.row(BalanceRow, HOUSE_ACCOUNT, native, gas_wallet(lane.network))
    if command.replaces is not None:
        needs.row(AttemptRow, command.replaces)
    if isinstance(command, Plan):
        need_withdrawal(command.withdrawal_id, snapshot, needs)


def need_withdrawal(withdrawal_id: WithdrawalId, snapshot: Snapshot, needs: Needs) -> None:
    """The withdrawal, then its account, book entry and balance: two rounds."""
    needs.row(WithdrawalRow, withdrawal_id)
    withdrawal = snapshot.known(WithdrawalRow, withdrawal_id)
    if withdrawal is not None:
        needs.row(AccountRow, withdrawal.account_id)
        needs.row(BalanceRow, withdrawal.account_id, withdrawal.debit_asset, withdrawal.wallet)
        if withdrawal.book_entry_id is not None:
            needs.row(BookRow, withdrawal.book_entry_id)


def need_attempt(
    lane: LaneStep, attempt_id: AttemptId, snapshot: Snapshot, needs: Needs, rules: Rules
) -> None:
    """An attempt, everything at its nonce, and its withdrawal: three rounds."""
    need_lane(lane, needs)
    needs.row(AttemptRow, attempt_id)
    attempt = snapshot.known(AttemptRow, attempt_id)
    if attempt is not None:
        needs.row(NonceRow, attempt.network, attempt.sender, attempt.nonce)
        needs.attempts_at.add((attempt.network, attempt.sender, attempt.nonce))
        native = rules.catalogue.networks[attempt.network].native
        needs.row(BalanceRow, HOUSE_ACCOUNT, native, gas_wallet(attempt.network))
        if attempt.withdrawal_id is not None:
            need_withdrawal(attempt.withdrawal_id, snapshot, needs)


def payable(snapshot: Snapshot, withdrawal: WithdrawalRow, rules: Rules, moment: Moment) -> None:
    """Check once more, at signing time, that the withdrawal may be paid.

    Raises Refused with the reason: the account was frozen or the book entry removed, unverified or made to
    cool down since the withdrawal was taken.
    """
    account = snapshot.get(AccountRow, withdrawal.account_id)
    if account is None or account.frozen:
        raise Refused(RefusalCode.ACCOUNT_FROZEN)
    if withdrawal.book_entry_id is None:
        return  # taken by a venue that pays to any address
    entry = snapshot.get(BookRow, withdrawal.book_entry_id)
    network = rules.catalogue.networks[withdrawal.network]
    if entry is None or not covers(entry, withdrawal.asset, network):
        raise Refused(RefusalCode.ADDRESS_NOT_IN_BOOK)
    if not entry.verified:
        raise Refused(RefusalCode.ADDRESS_NOT_VERIFIED)
    if entry.usable_from_ms > moment.now_ms:
        raise Refused(RefusalCode.ADDRESS_COOLING_DOWN)
    if (entry.address, entry.memo) != (withdrawal.address, withdrawal.memo):
        raise Refused(RefusalCode.ADDRESS_NOT_IN_BOOK)


def decide_plan(snapshot: Snapshot, command: Plan, moment: Moment, rules: Rules) -> Decision:
    """Take the nonce and store the intent for a withdrawal, or a dearer intent for the nonce it already has.

    Answers the AttemptRow. Raises Refused: NOT_NOW when lane, nonce or withdrawal are no longer where the
    worker saw them, BALANCE_TOO_LOW when the gas float is short, or what `payable` says; nothing is then
    written.
    """
    lane = sending_lane(snapshot, command.lane, moment.now_ms)
    withdrawal = snapshot.get(WithdrawalRow, command.withdrawal_id)
    if withdrawal is None or withdrawal.network != lane.network:
        raise Refused(RefusalCode.WITHDRAWAL_UNKNOWN)
    if command.replaces is not None:
        return _decide_replacement(snapshot, command, moment)
    if withdrawal.state not in (State.HELD, State.APPROVED):
        raise Refused(RefusalCode.NOT_NOW, state=withdrawal.state.value)
    payable(snapshot, withdrawal, rules, moment)
    writes, attempt = _take_nonce(snapshot, command, lane, withdrawal.withdrawal_id, moment, rules)
    if withdrawal.state is State.HELD:
        withdrawal, rows = moved(moment, withdrawal, State.APPROVED, "address, account and policy checked")
        writes += rows
    _, rows = moved(
        moment, withdrawal, State.PLANNED, f"nonce {command.nonce}", attempt_id=attempt.attempt_id, tx_hash=""
    )
    return Decision(writes + rows, attempt)


def decide_filler(snapshot: Snapshot, command: PlanFiller, moment: Moment, rules: Rules) -> Decision:
    """Use a freed nonce up with an empty payment to ourselves. Answers and raises as `decide_plan`."""
    lane = sending_lane(snapshot, command.lane, moment.now_ms)
    if command.replaces is not None:
        return _decide_replacement(snapshot, command, moment)
    row = snapshot.get(NonceRow, lane.network, lane.sender, command.nonce)
    if row is None or not row.free:
        raise Refused(RefusalCode.NOT_NOW, nonce=command.nonce)
    writes, attempt = _take_nonce(snapshot, command, lane, None, moment, rules)
    return Decision(writes, attempt)


def _take_nonce(
    snapshot: Snapshot,
    command: Plan | PlanFiller,
    lane: LaneRow,
    withdrawal_id: WithdrawalId | None,
    moment: Moment,
    rules: Rules,
) -> tuple[list[Row], AttemptRow]:
    nonce = command.nonce
    row = snapshot.get(NonceRow, lane.network, lane.sender, nonce)
    writes: list[Row] = []
    if row is None and nonce == lane.next_nonce:
        writes.append(msgspec.structs.replace(lane, next_nonce=nonce + 1))
    elif row is None or not row.free:
        raise Refused(RefusalCode.NOT_NOW, nonce=nonce)
    _check_intent(command)
    native = rules.catalogue.networks[lane.network].native
    gas = snapshot.get(BalanceRow, HOUSE_ACCOUNT, native, gas_wallet(lane.network))
    if gas is None:
        raise Refused(RefusalCode.BALANCE_TOO_LOW, asset=native, gas=lane.network)
    writes += hold(moment, gas, command.fee_ceiling, "gas_hold", withdrawal_id)
    fee_held = Units(command.fee_ceiling)
    writes.append(NonceRow(lane.network, lane.sender, nonce, withdrawal_id, False, False, fee_held))  # noqa: FBT003
    attempt = _new_attempt(command, withdrawal_id, moment)
    return [*writes, attempt], attempt


def _check_intent(command: Plan | PlanFiller) -> None:
    intent = decode_intent(command.intent)
    where = (intent.network, intent.sender, intent.nonce)
    assert where == (command.lane.network, command.lane.sender, command.nonce), where
    if command.replaces is None and intent.fee_ceiling() > command.fee_ceiling:
        raise Refused(RefusalCode.NOT_NOW, fee="above its ceiling")


def _new_attempt(
    command: Plan | PlanFiller, withdrawal_id: WithdrawalId | None, moment: Moment
) -> AttemptRow:
    return AttemptRow(
        attempt_id=AttemptId(moment.new_id()),
        withdrawal_id=withdrawal_id,
        network=command.lane.network,
        sender=command.lane.sender,
        nonce=command.nonce,
        intent=command.intent,
        replaces=command.replaces,
        state=AttemptState.PLANNED,
        raw=None,
        tx_hash="",
        created_ms=moment.now_ms,
        signed_ms=None,
        sent_ms=None,
    )


def _decide_replacement(snapshot: Snapshot, command: Plan | PlanFiller, moment: Moment) -> Decision:
    """A dearer transaction for the same nonce and payment, under the ceiling held at planning."""
    _check_intent(command)
    assert command.replaces is not None
    replaced = snapshot.get(AttemptRow, command.replaces)
    lane = command.lane
    row = snapshot.get(NonceRow, lane.network, lane.sender, command.nonce)
    wanted = command.withdrawal_id if isinstance(command, Plan) else None
    if (
        replaced is None
        or row is None
        or row.final
        or replaced.nonce != command.nonce
        or row.withdrawal_id != wanted
    ):
        raise Refused(RefusalCode.NOT_NOW, replaces=command.replaces)
    if replaced.state not in (AttemptState.SENT, AttemptState.SIGNED):
        raise Refused(RefusalCode.NOT_NOW, attempt=replaced.state)
    intent = decode_intent(command.intent)
    assert intent.same_payment(decode_intent(replaced.intent)), "a replacement may change fees only"
    if intent.fee_ceiling() > row.fee_held:
        raise Refused(RefusalCode.NOT_NOW, fee="above its ceiling")
    attempt = _new_attempt(command, wanted, moment)
    return Decision([attempt], attempt)


def decide_unplan(snapshot: Snapshot, command: Unplan, moment: Moment, rules: Rules) -> Decision:
    """Take a never signed attempt back: free nonce and gas, reject the withdrawal, give the money back.

    Of a replacement only the attempt itself is dropped: the one it would have replaced goes on.
    Raises Refused(NOT_NOW) for an attempt that was signed, and for one whose withdrawal is quarantined.
    """
    leased_lane(snapshot, command.lane, moment.now_ms)
    attempt = snapshot.get(AttemptRow, command.attempt_id)
    if attempt is None or attempt.state != AttemptState.PLANNED:
        raise Refused(RefusalCode.NOT_NOW, attempt=command.attempt_id)
    if attempt.replaces is not None:
        return Decision([msgspec.structs.replace(attempt, state=AttemptState.DROPPED)], None)
    withdrawal = _withdrawal_of(snapshot, attempt)
    if withdrawal is not None and withdrawal.state is not State.PLANNED:
        raise Refused(RefusalCode.NOT_NOW, state=withdrawal.state.value)
    row = snapshot.get(NonceRow, attempt.network, attempt.sender, attempt.nonce)
    assert row is not None
    native = rules.catalogue.networks[attempt.network].native
    gas = snapshot.get(BalanceRow, HOUSE_ACCOUNT, native, gas_wallet(attempt.network))
    assert gas is not None
    writes: list[Row] = [
        msgspec.structs.replace(attempt, state=AttemptState.DROPPED),
        NonceRow(attempt.network, attempt.sender, attempt.nonce, None, True, False, Units(0)),  # noqa: FBT003
    ]
    writes += release(moment, gas, row.fee_held, "gas_release", attempt.withdrawal_id)
    if attempt.withdrawal_id is not None:
        writes += _rejected(snapshot, attempt.withdrawal_id, command.reason, moment)
    return Decision(writes, None)


def _rejected(snapshot: Snapshot, withdrawal_id: WithdrawalId, reason: str, moment: Moment) -> list[Row]:
    withdrawal = snapshot.get(WithdrawalRow, withdrawal_id)
    assert withdrawal is not None
    balance = snapshot.get(BalanceRow, withdrawal.account_id, withdrawal.debit_asset, withdrawal.wallet)
    assert balance is not None
    _, rows = moved(moment, withdrawal, State.REJECTED, reason, reason=reason)
    return [*release(moment, balance, withdrawal.amount, "release", withdrawal_id), *rows]


def decide_reject(snapshot: Snapshot, command: Reject, moment: Moment) -> Decision:
    """Give the money back for a withdrawal that was never planned. Raises Refused(NOT_NOW) if it was."""
    withdrawal = snapshot.get(WithdrawalRow, command.withdrawal_id)
    if withdrawal is None or withdrawal.state not in (State.HELD, State.APPROVED):
        raise Refused(RefusalCode.NOT_NOW)
    return Decision(_rejected(snapshot, command.withdrawal_id, command.reason, moment), None)


def decide_signed(snapshot: Snapshot, command: RecordSigned, moment: Moment) -> Decision:
    """Store the signed bytes. Repeating it with the same bytes writes nothing; with others it is a bug."""
    leased_lane(snapshot, command.lane, moment.now_ms)
    attempt = snapshot.get(AttemptRow, command.attempt_id)
    if attempt is None:
        raise Refused(RefusalCode.NOT_NOW, attempt=command.attempt_id)
    if attempt.raw is not None:
        assert (attempt.raw, attempt.tx_hash) == (command.raw, command.tx_hash), "signed twice, differently"
        return Decision([], None)
    if attempt.state != AttemptState.PLANNED:
        # Dropped, or another transaction with its nonce is final: these bytes must never be sent.
        raise Refused(RefusalCode.NOT_NOW, attempt=command.attempt_id)
    signed = msgspec.structs.replace(
        attempt, state=AttemptState.SIGNED, raw=command.raw, tx_hash=command.tx_hash, signed_ms=moment.now_ms
    )
    writes: list[Row] = [signed]
    withdrawal = _withdrawal_of(snapshot, attempt)
    if withdrawal is not None and withdrawal.state is State.PLANNED:
        writes += moved(moment, withdrawal, State.SIGNED, command.tx_hash, tx_hash=command.tx_hash)[1]
    return Decision(writes, None)


def decide_sent(snapshot: Snapshot, command: RecordSent, moment: Moment) -> Decision:
    """Note that the stored bytes were offered to a node. Sending again later writes nothing."""
    leased_lane(snapshot, command.lane, moment.now_ms)
    attempt = snapshot.get(AttemptRow, command.attempt_id)
    if attempt is None or attempt.raw is None:
        raise Refused(RefusalCode.NOT_NOW, attempt=command.attempt_id)
    if attempt.state != AttemptState.SIGNED:
        return Decision([], None)
    writes: list[Row] = [msgspec.structs.replace(attempt, state=AttemptState.SENT, sent_ms=moment.now_ms)]
    withdrawal = _withdrawal_of(snapshot, attempt)
    if withdrawal is None:
        return Decision(writes, None)
    if withdrawal.state is State.SIGNED:
        changes = {"attempt_id": attempt.attempt_id, "tx_hash": attempt.tx_hash}
        writes += moved(moment, withdrawal, State.SENT, attempt.tx_hash, **changes)[1]
    elif withdrawal.state is State.SENT:
        # A replacement: the newest hash is the one to look for first.
        writes.append(
            msgspec.structs.replace(withdrawal, attempt_id=attempt.attempt_id, tx_hash=attempt.tx_hash)
        )
    return Decision(writes, None)


def _withdrawal_of(snapshot: Snapshot, attempt: AttemptRow) -> WithdrawalRow | None:
    return None if attempt.withdrawal_id is None else snapshot.get(WithdrawalRow, attempt.withdrawal_id)
