"""Recompute every invariant from the journal. Reads only; trusts no balance, state or counter it can
derive.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from penstock.core.states import FINAL_STATES, State
from penstock.engine.ledger import gas_wallet
from penstock.engine.requests import EXCLUSIVE
from penstock.engine.rows import (
    BalanceRow,
    ChallengeRow,
    CounterRow,
    EntryRow,
    HistoryRow,
    OutboxRow,
    PostingRow,
    RequestRow,
    WithdrawalRow,
)
from penstock.engine.rules import HOUSE_ACCOUNT
from penstock.engine.sending_rows import AttemptRow, NonceRow
from penstock.engine.transitions import TRANSITIONS
from penstock.store.reader import Reader

VIOLATIONS_SHOWN_MAX = 50
_RESOLVING = ("settle", "release")


@dataclass(slots=True)
class Report:
    """What was counted and every violation found (the first VIOLATIONS_SHOWN_MAX in words)."""

    counts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    violations_count: int = 0

    @property
    def ok(self) -> bool:
        return self.violations_count == 0

    def violated(self, text: str) -> None:
        self.violations_count += 1
        if len(self.violations) < VIOLATIONS_SHOWN_MAX:
            self.violations.append(text)

    def lines(self) -> list[str]:
        """One line per violation, and last `verify: ok` or `verify: FAILED`, with the counts."""
        counted = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        verdict = "ok" if self.ok else f"FAILED with {self.violations_count} violations"
        return [*(f"violation: {text}" for text in self.violations), f"verify: {verdict} ({counted})"]


def verify(reader: Reader) -> Report:
    """Check conservation, balances, holds, states, history, events, nonces and requests.

    All of it sees one state of the database, so a service may be at work meanwhile.
    """
    report = Report()
    with reader.snapshot():
        try:
            _check_everything(reader, report)
        except (ValueError, TypeError) as error:
            report.violated(f"a row cannot be read, the checks after it were not made: {error}")
    return report


def _check_everything(reader: Reader, report: Report) -> None:
    kinds = _check_journal(reader, report)
    rows = _check_withdrawals(reader, report, kinds)
    _check_holds(reader, report, rows)
    _check_traces(reader, report, rows)
    _check_nonces(reader, report, rows)
    _check_attempts(reader, report, rows)
    _check_requests(reader, report, rows)
    _check_challenges(reader, report, rows, kinds)
    _check_numbers(reader, report, rows)


def _check_journal(reader: Reader, report: Report) -> dict[int, list[str]]:
    """Every posting balances, the sums give the balances, none is below zero. Returns posting kinds by
    withdrawal.
    """
    kinds: dict[int, list[str]] = defaultdict(list)
    postings = 0
    for posting in reader.rows(PostingRow):
        postings += 1
        if posting.withdrawal_id is not None:
            kinds[posting.withdrawal_id].append(posting.kind)
    report.counts["postings"] = postings
    sums: dict[tuple[str, str], int] = defaultdict(int)
    entries, current, legs = 0, -1, defaultdict[str, int](int)
    balanced_postings = 0
    for entry in reader.rows(EntryRow):
        if entry.posting_id != current:
            _check_balanced(report, current, legs)
            current, legs = entry.posting_id, defaultdict[str, int](int)
            balanced_postings += 1
        entries += 1
        legs[entry.asset] += entry.units
        sums[(entry.ledger_account, entry.asset)] += entry.units
    _check_balanced(report, current, legs)
    report.counts["entries"] = entries
    if balanced_postings != postings:
        report.violated(f"{postings} postings, but entries of {balanced_postings}")
    _check_balances(reader, report, sums)
    return kinds


def _check_balanced(report: Report, posting_id: int, legs: dict[str, int]) -> None:
    for asset, units in legs.items():
        if units:
            report.violated(f"posting {posting_id} is out of balance by {units} {asset}")


def _check_balances(reader: Reader, report: Report, sums: dict[tuple[str, str], int]) -> None:
    stored: dict[tuple[str, str], int] = {}
    for row in reader.rows(BalanceRow):
        name = f"account/{row.account_id}/{row.wallet}"
        stored[(f"{name}/available", row.asset)] = row.available
        stored[(f"{name}/held", row.asset)] = row.held
    report.counts["balances"] = len(stored) // 2
    for key in stored.keys() | {key for key in sums if key[0].startswith("account/")}:
        derived, kept = sums.get(key, 0), stored.get(key, 0)
        if derived != kept:
            report.violated(f"{key[0]} {key[1]}: balance {kept}, journal says {derived}")
        if derived < 0:
            report.violated(f"{key[0]} {key[1]} is below zero: {derived}")
    totals: dict[str, int] = defaultdict(int)
    for (_, asset), units in sums.items():
        totals[asset] += units
    for asset, units in totals.items():
        if units:
            report.violated(f"the ledger does not sum to zero for {asset}: {units}")


def _check_withdrawals(
    reader: Reader, report: Report, kinds: dict[int, list[str]]
) -> dict[int, WithdrawalRow]:
    """One hold each; resolved exactly once when final, never before."""
    rows: dict[int, WithdrawalRow] = {}
    for row in reader.rows(WithdrawalRow):
        rows[row.withdrawal_id] = row
        name = f"withdrawal {row.withdrawal_id} ({row.state})"
        posted = kinds.get(row.withdrawal_id, [])
        holds, resolved = posted.count("hold"), [kind for kind in posted if kind in _RESOLVING]
        if row.state is State.CHALLENGED or (row.state is State.EXPIRED and not holds):
            # Quoted only: nothing was ever held.
            if posted:
                report.violated(f"{name} has postings without a hold")
            continue
        if holds != 1:
            report.violated(f"{name} has {holds} holds")
        expected = (
            ["settle"] if row.state is State.CONFIRMED else ["release"] if row.state in FINAL_STATES else []
        )
        if resolved != expected:
            report.violated(f"{name} resolved its hold by {resolved}, expected {expected}")
        # With a conversion the two sides are different assets; the journal says whether each balances.
        one_asset = row.debit_asset == row.asset
        if (one_asset and row.amount != row.fee + row.net) or row.net <= 0 or not 0 <= row.fee < row.amount:
            report.violated(f"{name}: amount {row.amount} is not fee {row.fee} plus net {row.net}")
        if one_asset == bool(row.rate):
            report.violated(f"{name}: debits {row.debit_asset}, pays {row.asset}, at the rate {row.rate!r}")
    for withdrawal_id in kinds.keys() - rows.keys():
        report.violated(f"postings name withdrawal {withdrawal_id}, which does not exist")
    report.counts["withdrawals"] = len(rows)
    return rows


def _check_holds(reader: Reader, report: Report, rows: dict[int, WithdrawalRow]) -> None:
    """What is held of each balance is what open withdrawals and unsettled network fees hold, no more."""
    due: dict[tuple[int, str, str], int] = defaultdict(int)
    for row in rows.values():
        if row.state not in FINAL_STATES and row.state is not State.CHALLENGED:
            due[(row.account_id, row.debit_asset, row.wallet)] += row.amount
    fees: dict[str, int] = defaultdict(int)
    for nonce in reader.rows(NonceRow):
        fees[gas_wallet(nonce.network)] += nonce.fee_held
    for balance in reader.rows(BalanceRow):
        ours = balance.account_id == HOUSE_ACCOUNT
        expected = fees.pop(balance.wallet, 0) if ours else due.pop(balance.key, 0)
        if balance.held != expected:
            report.violated(f"balance {balance.key} holds {balance.held}, for open payments of {expected}")
    for key, units in [*due.items(), *fees.items()]:
        if units:
            report.violated(f"{units} are held for open payments, but there is no balance {key}")


def _check_traces(reader: Reader, report: Report, rows: dict[int, WithdrawalRow]) -> None:
    """History is gapless, legal, ends in the present state, and has one event per step."""
    last: dict[int, tuple[int, str]] = {}
    for step in reader.rows(HistoryRow):
        sequence, state = last.get(step.withdrawal_id, (0, ""))
        legal = step.state_after in {after.value for after in TRANSITIONS[State(state)]} if state else True
        if step.sequence != sequence + 1 or step.state_before != state or not legal:
            report.violated(
                f"withdrawal {step.withdrawal_id}: step {step.sequence} goes {step.state_before} -> "
                f"{step.state_after} after step {sequence} in {state or 'nothing'}"
            )
        last[step.withdrawal_id] = (step.sequence, step.state_after)
    events: dict[int, int] = defaultdict(int)
    for event in reader.rows(OutboxRow):
        events[event.withdrawal_id] += 1
    for withdrawal_id, row in rows.items():
        if last.get(withdrawal_id) != (row.steps, row.state.value):
            report.violated(
                f"withdrawal {withdrawal_id} is {row.state} after {row.steps} steps, history differs"
            )
        if events[withdrawal_id] != row.steps:
            report.violated(
                f"withdrawal {withdrawal_id} has {events[withdrawal_id]} events for {row.steps} steps"
            )
    report.counts["events"] = sum(events.values())


def _check_nonces(reader: Reader, report: Report, rows: dict[int, WithdrawalRow]) -> None:
    """A nonce is free or taken; a withdrawal has one nonce at the most."""
    live: dict[int, int] = defaultdict(int)
    for nonce in reader.rows(NonceRow):
        if nonce.withdrawal_id is not None:
            live[nonce.withdrawal_id] += 1
        if nonce.free and (nonce.withdrawal_id is not None or nonce.fee_held):
            report.violated(f"nonce {nonce.network}/{nonce.nonce} is free and taken at once")
    for withdrawal_id, count in live.items():
        if withdrawal_id not in rows:
            report.violated(f"a nonce is for withdrawal {withdrawal_id}, which does not exist")
        if count > 1:
            report.violated(f"withdrawal {withdrawal_id} has {count} nonces: it could be paid {count} times")


def _check_attempts(reader: Reader, report: Report, rows: dict[int, WithdrawalRow]) -> None:
    """Only signed attempts have bytes; those at one nonce are for one withdrawal."""
    attempts = 0
    users: dict[tuple[str, str, int], set[int | None]] = defaultdict(set)
    for attempt in reader.rows(AttemptRow):
        attempts += 1
        if attempt.raw is not None:
            users[(attempt.network, attempt.sender, attempt.nonce)].add(attempt.withdrawal_id)
        if (attempt.raw is None) != (attempt.tx_hash == ""):
            report.violated(f"attempt {attempt.attempt_id} has bytes without hash, or a hash without bytes")
        if attempt.withdrawal_id is not None and attempt.withdrawal_id not in rows:
            report.violated(f"attempt {attempt.attempt_id} is for a withdrawal that does not exist")
    for key, withdrawals in users.items():
        if len(withdrawals) > 1:
            report.violated(f"nonce {key} was signed for {len(withdrawals)} withdrawals")
    report.counts["attempts"] = attempts


def _check_requests(reader: Reader, report: Report, rows: dict[int, WithdrawalRow]) -> None:
    """Every withdrawal was asked for by exactly one request, and has one exclusive mark at the most."""
    asked: dict[int, int] = defaultdict(int)
    marks: dict[int, int] = defaultdict(int)
    for request in reader.rows(RequestRow):
        kind = marks if request.venue.endswith(EXCLUSIVE) else asked
        kind[request.withdrawal_id] += 1
    for withdrawal_id, count in marks.items():
        if count > 1 or withdrawal_id not in asked:
            report.violated(f"withdrawal {withdrawal_id} has {count} exclusive marks")
    for withdrawal_id in rows:
        if asked[withdrawal_id] != 1:
            report.violated(f"withdrawal {withdrawal_id} belongs to {asked[withdrawal_id]} requests")
    for withdrawal_id in asked.keys() - rows.keys():
        report.violated(f"a request names withdrawal {withdrawal_id}, which does not exist")
    report.counts["requests"] = sum(asked.values())


def _check_challenges(
    reader: Reader, report: Report, rows: dict[int, WithdrawalRow], kinds: dict[int, list[str]]
) -> None:
    """A challenge has its answer exactly when its money was held; what waits for an answer has an open challenge."""
    challenged: set[int] = set()
    for challenge in reader.rows(ChallengeRow):
        challenged.add(challenge.withdrawal_id)
        held = "hold" in kinds.get(challenge.withdrawal_id, [])
        if challenge.withdrawal_id not in rows or held != bool(challenge.answer):
            report.violated(
                f"the challenge of withdrawal {challenge.withdrawal_id} has the answer {challenge.answer!r}, "
                f"its money was {'held' if held else 'never held'}"
            )
        elif challenge.closed == (rows[challenge.withdrawal_id].state is State.CHALLENGED):
            report.violated(
                f"the challenge of withdrawal {challenge.withdrawal_id} is open or closed as its state is not"
            )
    for withdrawal_id, row in rows.items():
        if row.state is State.CHALLENGED and withdrawal_id not in challenged:
            report.violated(f"withdrawal {withdrawal_id} waits for the answer to no challenge")


def _check_numbers(reader: Reader, report: Report, rows: dict[int, WithdrawalRow]) -> None:
    """An account's numbers are 1, 2, 3 and so on, each given once."""
    given: dict[int, list[int]] = defaultdict(list)
    for row in rows.values():
        if row.number:
            given[row.account_id].append(row.number)
    used: dict[int, int] = {counter.account_id: counter.used for counter in reader.rows(CounterRow)}
    for account_id in given.keys() | used.keys():
        count = used.get(account_id, 0)
        if sorted(given[account_id]) != list(range(1, count + 1)):
            report.violated(f"account {account_id} gave out {count} numbers; its withdrawals bear others")
