"""Quotes that the customer must answer: nothing is held before a valid answer, and each is answered once."""

from __future__ import annotations

import msgspec

from penstock.core.commands import AnswerChallenge, Expire
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.time import DAY_MS, UnixMs
from penstock.core.views import AnswerRejected
from penstock.engine.book import find_entry
from penstock.engine.intake import screened
from penstock.engine.ledger import hold
from penstock.engine.moves import moved
from penstock.engine.requests import accepted, check_account, next_number, paying_balance, use_quota
from penstock.engine.rows import (
    AccountRow,
    ApiKeyRow,
    BalanceRow,
    ChallengeRow,
    CounterRow,
    QuotaRow,
    WithdrawalRow,
)
from penstock.engine.rules import Decision, Moment, Rules
from penstock.engine.snapshot import Needs, Snapshot

FAILURES_MAX = 5


def need_answer(command: AnswerChallenge, snapshot: Snapshot, needs: Needs, now_ms: UnixMs) -> None:
    """Three rounds: the challenge, its withdrawal, and only then all that most batches know already."""
    withdrawal = _need_challenged(command, snapshot, needs)
    if withdrawal is None:
        return
    account_id = command.account_id
    needs.row(AccountRow, account_id)
    needs.row(ApiKeyRow, command.key_id)
    needs.row(QuotaRow, account_id, now_ms // DAY_MS)
    needs.row(CounterRow, account_id)
    needs.book.add((account_id, withdrawal.address))
    for wallet in command.wallets:
        needs.row(BalanceRow, account_id, withdrawal.debit_asset, wallet)


def need_expire(command: Expire, snapshot: Snapshot, needs: Needs) -> None:
    _need_challenged(command, snapshot, needs)


def _need_challenged(
    command: AnswerChallenge | Expire, snapshot: Snapshot, needs: Needs
) -> WithdrawalRow | None:
    key = (command.account_id, command.venue, command.nonce)
    challenge = snapshot.known(ChallengeRow, *key)
    if challenge is None:
        needs.row(ChallengeRow, *key)
        return None
    withdrawal = snapshot.known(WithdrawalRow, challenge.withdrawal_id)
    if withdrawal is None:
        needs.row(WithdrawalRow, challenge.withdrawal_id)
    return withdrawal


def decide_answer(snapshot: Snapshot, command: AnswerChallenge, moment: Moment, rules: Rules) -> Decision:
    """Hold the money of a challenged withdrawal if the answer is valid, else count the failure.

    Answers and raises as commands.AnswerChallenge says. Account, book, quota and balance are looked at again: the
    quote promised none of them.
    """
    challenge = snapshot.get(ChallengeRow, command.account_id, command.venue, command.nonce)
    if challenge is None:
        raise Refused(RefusalCode.CHALLENGE_UNKNOWN)
    withdrawal = snapshot.get(WithdrawalRow, challenge.withdrawal_id)
    assert withdrawal is not None, challenge
    if challenge.answer:
        if challenge.answer == command.answer and command.valid:
            return Decision([], accepted(withdrawal, is_repeat=True))
        raise Refused(RefusalCode.CHALLENGE_USED)
    # By its state too: a clock that stepped back must not open a closed challenge again.
    if moment.now_ms > challenge.expires_ms or withdrawal.state is not State.CHALLENGED:
        raise Refused(RefusalCode.CHALLENGE_EXPIRED)
    if challenge.failures >= FAILURES_MAX:
        raise Refused(RefusalCode.CHALLENGE_EXHAUSTED)
    if not command.valid:
        failed = msgspec.structs.replace(challenge, failures=challenge.failures + 1)
        return Decision([failed], AnswerRejected(FAILURES_MAX - failed.failures))
    return _hold(snapshot, command, challenge, withdrawal, moment, rules)


def _hold(
    snapshot: Snapshot,
    command: AnswerChallenge,
    challenge: ChallengeRow,
    withdrawal: WithdrawalRow,
    moment: Moment,
    rules: Rules,
) -> Decision:
    assert command.answer, "an empty answer would leave the challenge open"
    check_account(snapshot, command)
    network = rules.catalogue.networks[withdrawal.network]
    listing = rules.catalogue.listing(withdrawal.asset, withdrawal.network)
    if not listing.withdraw_enabled or snapshot.stopped(f"network/{network.code}"):
        raise Refused(RefusalCode.WITHDRAWALS_CLOSED, currency=withdrawal.asset)
    if withdrawal.book_entry_id is not None:
        entries = snapshot.book(command.account_id, withdrawal.address)
        find_entry(entries, withdrawal.asset, network, withdrawal.memo, moment.now_ms)
    asset, amount = withdrawal.debit_asset, withdrawal.amount
    quota = use_quota(snapshot, command.account_id, asset, amount, moment, rules)
    balance = paying_balance(snapshot, command, asset, amount, rules)
    number = next_number(snapshot, command.account_id)
    writes = hold(moment, balance, amount, "hold", withdrawal.withdrawal_id)
    withdrawal, rows = moved(
        moment, withdrawal, State.HELD, "challenge answered", number=number.used, wallet=balance.wallet
    )
    writes += rows
    writes += [msgspec.structs.replace(challenge, answer=command.answer, closed=True), number]
    if quota is not None:
        writes.append(quota)
    withdrawal, more = screened(withdrawal, moment, rules)
    return Decision(writes + more, accepted(withdrawal))


def decide_expire(snapshot: Snapshot, command: Expire, moment: Moment) -> Decision:
    """Close a challenge whose time is over. Writes nothing for one that was answered or still has time."""
    challenge = snapshot.get(ChallengeRow, command.account_id, command.venue, command.nonce)
    if challenge is None or moment.now_ms <= challenge.expires_ms:
        return Decision([], None)
    withdrawal = snapshot.get(WithdrawalRow, challenge.withdrawal_id)
    if withdrawal is None or withdrawal.state is not State.CHALLENGED:
        return Decision([], None)
    closed = msgspec.structs.replace(challenge, closed=True)
    return Decision([*moved(moment, withdrawal, State.EXPIRED, "not answered in time")[1], closed], None)
