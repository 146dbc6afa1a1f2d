"""What the chain decided: mined, taken back by a reorganisation, final."""

from __future__ import annotations

import msgspec

from penstock.core.amounts import Units
from penstock.core.commands import RecordMined, RecordReorged, Settle
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import FINAL_STATES, AttemptState, State
from penstock.engine.lanes import leased_lane
from penstock.engine.ledger import (
    EXCHANGED,
    FEES,
    Leg,
    changed,
    custody,
    gas_wallet,
    held_of,
    post,
    release,
    settle_gas,
)
from penstock.engine.moves import moved
from penstock.engine.row import Row
from penstock.engine.rows import BalanceRow, WithdrawalRow
from penstock.engine.rules import HOUSE_ACCOUNT, Decision, Moment, Rules
from penstock.engine.sending_rows import AttemptRow, NonceRow
from penstock.engine.snapshot import Snapshot

WATCHED = (State.SIGNED, State.SENT, State.MINED, State.IN_DOUBT)


def _watched(snapshot: Snapshot, attempt_id: int) -> tuple[AttemptRow, WithdrawalRow | None]:
    attempt = snapshot.get(AttemptRow, attempt_id)
    if attempt is None or attempt.raw is None:
        raise Refused(RefusalCode.NOT_NOW, attempt=attempt_id)
    if attempt.withdrawal_id is None:
        return attempt, None
    return attempt, snapshot.get(WithdrawalRow, attempt.withdrawal_id)


def decide_mined(snapshot: Snapshot, command: RecordMined, moment: Moment) -> Decision:
    """Show that the transaction stands in a block. Moves no money: a reorganisation may take it back."""
    leased_lane(snapshot, command.lane, moment.now_ms)
    attempt, withdrawal = _watched(snapshot, command.attempt_id)
    if withdrawal is None or withdrawal.state in FINAL_STATES:
        return Decision([], None)
    facts = {
        "attempt_id": attempt.attempt_id,
        "tx_hash": attempt.tx_hash,
        "confirmations": command.confirmations,
    }
    if withdrawal.state is State.MINED:
        # More confirmations of the same block are progress, not a change of state.
        return Decision([msgspec.structs.replace(withdrawal, updated_ms=moment.now_ms, **facts)], None)
    detail = f"block {command.block_height} {command.block_hash}"
    return Decision(moved(moment, withdrawal, State.MINED, detail, **facts)[1], None)


def decide_reorged(snapshot: Snapshot, command: RecordReorged, moment: Moment) -> Decision:
    """The block is gone: mined goes back to sent, nothing else changes."""
    leased_lane(snapshot, command.lane, moment.now_ms)
    _, withdrawal = _watched(snapshot, command.attempt_id)
    if withdrawal is None or withdrawal.state is not State.MINED:
        return Decision([], None)
    return Decision(moved(moment, withdrawal, State.SENT, "block reorganised away", confirmations=0)[1], None)


def decide_settle(snapshot: Snapshot, command: Settle, moment: Moment, rules: Rules) -> Decision:
    """Post the hold at finality: to receiver and fees where the chain shows the exact payment, else back.

    Also books the network fee and closes every attempt at the nonce. Repeating it writes nothing.
    """
    leased_lane(snapshot, command.lane, moment.now_ms)
    attempt, withdrawal = _watched(snapshot, command.attempt_id)
    nonce = snapshot.get(NonceRow, attempt.network, attempt.sender, attempt.nonce)
    assert nonce is not None
    if nonce.final:
        return Decision([], None)
    writes = _close_nonce(snapshot, command, attempt, nonce, moment, rules)
    if withdrawal is not None:
        if withdrawal.state not in (*WATCHED, State.QUARANTINED):
            raise Refused(RefusalCode.NOT_NOW, state=withdrawal.state.value)
        writes += _resolve(snapshot, command, attempt, withdrawal, moment)
    return Decision(writes, None)


def _close_nonce(
    snapshot: Snapshot, command: Settle, attempt: AttemptRow, nonce: NonceRow, moment: Moment, rules: Rules
) -> list[Row]:
    network = attempt.network
    native = rules.catalogue.networks[network].native
    gas = snapshot.get(BalanceRow, HOUSE_ACCOUNT, native, gas_wallet(network))
    assert gas is not None
    writes = settle_gas(moment, gas, network, nonce.fee_held, command.network_fee, nonce.withdrawal_id)
    writes.append(msgspec.structs.replace(nonce, final=True, fee_held=Units(0)))
    for other in snapshot.attempts_at(network, attempt.sender, attempt.nonce):
        if other.attempt_id == attempt.attempt_id:
            writes.append(msgspec.structs.replace(other, state=AttemptState.FINAL))
        elif other.state != AttemptState.DROPPED:
            writes.append(msgspec.structs.replace(other, state=AttemptState.REPLACED))
    return writes


def _resolve(
    snapshot: Snapshot, command: Settle, attempt: AttemptRow, withdrawal: WithdrawalRow, moment: Moment
) -> list[Row]:
    balance = snapshot.get(BalanceRow, withdrawal.account_id, withdrawal.debit_asset, withdrawal.wallet)
    assert balance is not None
    facts = {
        "attempt_id": attempt.attempt_id,
        "tx_hash": attempt.tx_hash,
        "confirmations": command.confirmations,
    }
    if not command.paid and not command.unmoved:
        # A token that moved another amount, or told nobody: giving the money back could pay twice.
        if withdrawal.state is State.QUARANTINED:
            return []
        return moved(moment, withdrawal, State.QUARANTINED, command.reason, reason=command.reason, **facts)[1]
    if not command.paid:
        _, rows = moved(moment, withdrawal, State.FAILED, command.reason, reason=command.reason, **facts)
        return [*release(moment, balance, withdrawal.amount, "release", withdrawal.withdrawal_id), *rows]
    posting = post(moment, "settle", _paid_legs(balance, withdrawal), withdrawal.withdrawal_id)
    detail = f"block {command.block_height} {command.block_hash}"
    _, rows = moved(moment, withdrawal, State.CONFIRMED, detail, **facts)
    return [changed(balance, held=-withdrawal.amount), *posting, *rows]


def _paid_legs(balance: BalanceRow, withdrawal: WithdrawalRow) -> list[Leg]:
    """The hold spent: to the chain and to our fees, through the exchange where another asset was debited."""
    legs: list[Leg] = [
        (held_of(balance), withdrawal.debit_asset, -withdrawal.amount),
        (custody(withdrawal.network), withdrawal.asset, withdrawal.net),
        (FEES, withdrawal.debit_asset, withdrawal.fee),
    ]
    if withdrawal.debit_asset != withdrawal.asset:
        legs += [
            (EXCHANGED, withdrawal.debit_asset, withdrawal.amount - withdrawal.fee),
            (EXCHANGED, withdrawal.asset, -withdrawal.net),
        ]
    return [leg for leg in legs if leg[2]]
