"""The proof finds what somebody changed behind the service's back: each kind of damage, one at a time."""

from __future__ import annotations

from pathlib import Path

import apsw
import msgspec
import pytest

from penstock.core.amounts import Units
from penstock.core.commands import (
    AnswerChallenge,
    Exchange,
    Expire,
    RecordMined,
    RecordSigned,
    Reject,
    Settle,
)
from penstock.core.rates import Conversion, Given, Rate
from penstock.core.time import ManualClock
from penstock.engine.sending_rows import AttemptRow
from penstock.store.sqlite.store import SqliteStore
from penstock.store.verify import Report, verify
from tests.store.samples import RULES, START_MS, PausingIds, Seeded, answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a paid, a rejected, a waiting and a planned withdrawal, a transfer, an exchange, and quotes that
    are open, answered and expired; closed.
    """
    where, clock, ids = tmp_path / "penstock.db", ManualClock(START_MS), PausingIds()
    store = SqliteStore(where, RULES, clock, ids)
    seeded = Seeded(store, clock, ids)
    paid = answer(store, seeded.plan(seeded.withdraw("paid"), 0), AttemptRow)
    lane = seeded.lane()
    seeded.run(RecordSigned(lane, paid.attempt_id, b"raw", "hash"))
    seeded.run(RecordMined(lane, paid.attempt_id, 7, "block", 1))
    seeded.run(Settle(lane, paid.attempt_id, 7, "block", 3, paid=True, network_fee=9))
    seeded.run(Reject(seeded.withdraw("rejected"), "no"))
    seeded.withdraw("waiting")
    seeded.run(seeded.plan(seeded.withdraw("planned"), 1))
    seeded.run(seeded.transfer("moved", Units(5)))
    conversion = Conversion(Rate("USDT", "TRX", 4, 1, "table", clock.now_ms()), Given.DEBITED)
    who = (seeded.account_id, "key-0", "bitmart")
    seeded.run(Exchange(*who, "exchanged", "", ("spot",), Units(10**18), conversion, numbered=True))
    for nonce, life_ms in (("expired", 5), ("open", 1_000), ("answered", 1_000)):
        marked = {"challenge_ms": life_ms, "exclusive": f"mark of {nonce}"}
        seeded.run(msgspec.structs.replace(seeded.order(nonce), **marked))
    clock.advance(6)
    seeded.run(Expire(seeded.account_id, "bitmart", "expired"))
    seeded.run(AnswerChallenge(*who, "answered", "yes", True, ("spot",)))
    store.close()
    return where


def _verify(path: Path) -> Report:
    store = SqliteStore(path, RULES, ManualClock(START_MS), PausingIds())
    report = verify(store.reader())
    store.close()
    return report


def _damage(path: Path, *changes: str) -> int:
    """Change the file as somebody with access to the disk would. Returns how many rows were changed."""
    connection = apsw.Connection(str(path))
    triggers = list(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    before = connection.total_changes()
    for change in changes:
        connection.execute(change)
    changed = connection.total_changes() - before
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()
    return changed


def test_a_sound_database_is_found_sound_and_counted(path: Path) -> None:
    report = _verify(path)
    assert report.ok, report.lines()
    assert report.counts["withdrawals"] == 9
    assert report.lines()[-1].startswith("verify: ok (")


_PAID = "withdrawal_id = (SELECT withdrawal_id FROM requests WHERE request_id = 'paid')"
_WAITING = "withdrawal_id = (SELECT withdrawal_id FROM requests WHERE request_id = 'waiting')"
_ID_OF_OPEN = "(SELECT withdrawal_id FROM requests WHERE request_id = 'open')"
_OPEN = f"withdrawal_id = {_ID_OF_OPEN}"
_ANSWERED = "withdrawal_id = (SELECT withdrawal_id FROM requests WHERE request_id = 'answered')"
_LAST_POSTING = "(SELECT max(posting_id) FROM postings)"

DAMAGE = {
    "a balance raised": "UPDATE balances SET available = available || '0' WHERE wallet = 'spot'",
    "a hold lowered": "UPDATE balances SET held = '1' WHERE wallet = 'spot' AND held <> '0'",
    "a gas hold lowered": "UPDATE balances SET held = '1' WHERE account_id = 0",
    "a balance deleted": "DELETE FROM balances WHERE account_id = 0",
    "an entry changed": f"UPDATE entries SET units = units || '1' WHERE posting_id = {_LAST_POSTING}",
    "an entry deleted": f"DELETE FROM entries WHERE line = 0 AND posting_id = {_LAST_POSTING}",
    "an entry moved": "UPDATE entries SET ledger_account = 'fees' WHERE ledger_account LIKE '%/available'",
    "a posting deleted": f"DELETE FROM postings WHERE posting_id = {_LAST_POSTING}",
    "a posting's entries deleted": f"DELETE FROM entries WHERE posting_id = {_LAST_POSTING}",
    "a hold forgotten": f"UPDATE postings SET kind = 'deposit' WHERE kind = 'hold' AND {_WAITING}",
    "a hold resolved twice": "UPDATE postings SET kind = 'release' WHERE kind = 'network_fee'",
    "a paid withdrawal opened again": f"UPDATE withdrawals SET state = 'sent' WHERE {_PAID}",
    "a waiting withdrawal called paid": f"UPDATE withdrawals SET state = 'confirmed' WHERE {_WAITING}",
    "an amount changed": f"UPDATE withdrawals SET amount = '7' WHERE {_WAITING}",
    "a fee kept": "UPDATE withdrawals SET fee = '50'",
    "a withdrawal deleted": f"DELETE FROM withdrawals WHERE {_WAITING}",
    "history deleted": f"DELETE FROM history WHERE {_PAID} AND sequence = 3",
    "the end of history deleted": f"DELETE FROM history WHERE {_PAID} AND state_after = 'confirmed'",
    "an illegal move": "UPDATE history SET state_after = 'mined' WHERE state_after = 'approved'",
    "an unknown state in history": "UPDATE history SET state_after = 'lost' WHERE state_after = 'approved'",
    "an unknown state": f"UPDATE withdrawals SET state = 'lost' WHERE {_WAITING}",
    "an event deleted": f"DELETE FROM outbox WHERE {_PAID} AND sequence = 2",
    "an event invented": "INSERT INTO outbox SELECT withdrawal_id, 99, 1, state, 0, NULL, 0, NULL FROM outbox LIMIT 1",
    "a nonce shared": "UPDATE nonces SET withdrawal_id = (SELECT withdrawal_id FROM nonces WHERE nonce = 0)",
    "a nonce for nobody": "UPDATE nonces SET withdrawal_id = 1 WHERE nonce = 1",
    "a taken nonce freed": "UPDATE nonces SET free = 1 WHERE nonce = 1",
    "a gas hold forgotten": "UPDATE nonces SET fee_held = '0' WHERE nonce = 1",
    "bytes deleted": "UPDATE attempts SET raw = NULL WHERE raw IS NOT NULL",
    "a nonce signed for two": "UPDATE attempts SET nonce = 0, raw = x'01', tx_hash = 'h' WHERE raw IS NULL",
    "an attempt for nobody": "UPDATE attempts SET withdrawal_id = 1 WHERE raw IS NULL",
    "a quote called held": f"UPDATE withdrawals SET state = 'held' WHERE {_OPEN}",
    "a quote's challenge deleted": f"DELETE FROM challenges WHERE {_OPEN}",
    "an answer invented": f"UPDATE challenges SET answer = 'yes' WHERE {_OPEN}",
    "an answer forgotten": f"UPDATE challenges SET answer = '' WHERE {_ANSWERED}",
    "an open challenge closed": f"UPDATE challenges SET closed = 1 WHERE {_OPEN}",
    "a challenge for nobody": f"UPDATE challenges SET withdrawal_id = 1 WHERE {_OPEN}",
    "an answered quote called expired": f"UPDATE withdrawals SET state = 'expired' WHERE {_ANSWERED}",
    "a number given twice": "UPDATE withdrawals SET number = 1 WHERE number = 2",
    "a number changed": "UPDATE withdrawals SET number = 7 WHERE number = 2",
    "a number forgotten": "UPDATE withdrawals SET number = 0 WHERE number = 2",
    "numbers counted wrongly": "UPDATE counters SET used = used + 1",
    "a counter deleted": "DELETE FROM counters",
    "a rate deleted": "UPDATE withdrawals SET rate = '' WHERE rate <> ''",
    "a rate invented": f"UPDATE withdrawals SET rate = '[]' WHERE {_WAITING}",
    "a debit in another asset": f"UPDATE withdrawals SET debit_asset = 'TRX' WHERE {_WAITING}",
    "an exchange's net changed": "UPDATE entries SET units = '1' WHERE ledger_account = 'system/exchanged'",
    "a second mark": f"UPDATE requests SET withdrawal_id = {_ID_OF_OPEN} WHERE request_id LIKE 'mark of %'",
    "a mark for nobody": "UPDATE requests SET withdrawal_id = 1 WHERE request_id = 'mark of open'",
    "a request deleted": "DELETE FROM requests WHERE request_id = 'paid'",
    "a request invented": "INSERT INTO requests SELECT 1, venue, '', '', withdrawal_id, 0 FROM requests LIMIT 1",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found(path: Path, kind: str) -> None:
    assert _damage(path, DAMAGE[kind]) > 0, "the test damaged nothing"
    report = _verify(path)
    assert not report.ok, kind
    assert report.lines()[-1].startswith("verify: FAILED with")


def test_money_made_from_nothing_is_found_even_when_balances_agree(path: Path) -> None:
    changed = _damage(
        path,
        "UPDATE entries SET units = units || '0' WHERE ledger_account LIKE '%/spot/available'",
        "UPDATE balances SET available = available || '0' WHERE wallet = 'spot'",
    )
    assert changed > 1
    report = _verify(path)
    assert any("out of balance" in line for line in report.lines())
    assert any("does not sum to zero" in line for line in report.lines())


def test_only_the_first_violations_are_told_but_all_are_counted(path: Path) -> None:
    many = ", ".join(f"({at}, 'hold', {at}, '', 0)" for at in range(1, 201))
    _damage(path, f"INSERT INTO postings VALUES {many}")
    report = _verify(path)
    assert report.violations_count > 200
    assert len(report.lines()) == 51
