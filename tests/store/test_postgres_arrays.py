"""What is written as arrays is read back as it was, whatever text and however large the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors

from penstock.core.ids import AccountId
from penstock.core.time import ManualClock, UnixMs
from penstock.engine.rows import AccountRow, EntryRow
from penstock.engine.sending_rows import AttemptRow
from penstock.store.postgres.arrays import BIGINT, BOOLEAN, BYTEA, NUMERIC, TEXT, literal
from penstock.store.postgres.connection import open_session
from penstock.store.postgres.session import Session
from penstock.store.postgres.statements import table
from penstock.store.postgres.store import PostgresStore
from tests.postgres import database
from tests.store.samples import RULES, PausingIds

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    TEXT: TEXTS
    | st.sampled_from(["", "NULL", "null", "{}", ",", '"', "\\", "\\n", "\n\t\r", "a b", "'", "é😀\x7f"]),
    BIGINT: st.integers(-(2**63), 2**63 - 1),
    NUMERIC: st.integers(-(10**78) + 1, 10**78 - 1),
    BOOLEAN: st.booleans(),
    BYTEA: st.binary(),
}


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with database() as url:
        made = open_session(url)
        yield made
        made.close()


@pytest.mark.parametrize("kind", VALUES)
def test_columns_of_any_values_come_back_as_they_were(session: Session, kind: str) -> None:
    nullable = VALUES[kind] if kind == BOOLEAN else st.none() | VALUES[kind]

    @given(st.lists(nullable, max_size=30))
    def check(values: list[Any]) -> None:
        sql = f"SELECT * FROM unnest($1::{kind}[]) WITH ORDINALITY ORDER BY 2"
        (answer,) = session.ask([(sql, (literal(kind, values),))])
        assert [row[0] for row in answer.rows] == values

    check()


def test_text_that_is_none_is_refused_before_anything_is_sent(session: Session) -> None:
    with pytest.raises(UnicodeEncodeError):
        literal(TEXT, ["fine", "\ud800"])
    with pytest.raises(errors.DataError, match="NUL"):
        session.ask([("SELECT $1::text[]", (literal(TEXT, ["a\0b"]),))])
    assert session.ask([("SELECT 1", ())])[0].rows == [(1,)]


ACCOUNTS = st.builds(
    AccountRow,
    account_id=st.integers(1, 2**62),
    account_number=TEXTS,
    email=st.none() | TEXTS,
    phone=st.none(),
    master_account_id=st.none(),
    may_withdraw=st.booleans(),
    frozen=st.booleans(),
    created_ms=st.integers(0, 2**62),
)
ATTEMPTS = st.builds(
    AttemptRow,
    attempt_id=st.integers(1, 2**62),
    withdrawal_id=st.none() | st.integers(1, 2**62),
    network=TEXTS,
    sender=TEXTS,
    nonce=st.integers(0, 2**62),
    intent=TEXTS,
    replaces=st.none() | st.integers(1, 2**62),
    state=st.just("signed"),
    raw=st.none() | st.binary(),
    tx_hash=TEXTS,
    created_ms=st.integers(0, 2**62),
    signed_ms=st.none() | st.integers(0, 2**62),
    sent_ms=st.none() | st.integers(0, 2**62),
)
ENTRIES = st.builds(
    EntryRow,
    posting_id=st.integers(1, 2**62),
    line=st.integers(0, 9),
    ledger_account=TEXTS,
    asset=TEXTS,
    units=VALUES[NUMERIC],
)


@pytest.mark.parametrize("rows", [ACCOUNTS, ATTEMPTS, ENTRIES])
def test_rows_come_back_by_their_keys(migrated: Session, rows: st.SearchStrategy[Any]) -> None:
    @given(st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: row.key))
    def check(written: list[Any]) -> None:
        known = table(type(written[0]))
        if isinstance(written[0], AccountRow):
            written = list({row.account_number: row for row in written}.values())
            written = list({row.key if row.email is None else row.email: row for row in written}.values())
        migrated.roll_back()
        migrated.ask([("BEGIN", ())])
        added, read = migrated.ask([known.insert(written), known.by_keys([row.key for row in written])])
        assert added.count == len(written)
        assert {row.key: row for row in map(known.decode, read.rows)} == {row.key: row for row in written}

    check()
    migrated.roll_back()


@pytest.fixture(scope="module")
def migrated() -> Iterator[Session]:
    with database() as url:
        PostgresStore(url, RULES, ManualClock(0), PausingIds()).close()
        made = open_session(url)
        yield made
        made.close()


def _account(at: int, number: str = "", *, frozen: bool = False) -> AccountRow:
    return AccountRow(AccountId(at), number or str(at), None, None, None, True, frozen, UnixMs(0))


def test_an_update_changes_the_rows_that_it_names(migrated: Session) -> None:
    known = table(AccountRow)
    migrated.ask([("BEGIN", ())])
    answers = migrated.ask(
        [
            known.insert([_account(1), _account(2), _account(3)]),
            known.update([_account(3, frozen=True), _account(2, frozen=True)]),
            known.by_keys([(1,), (2,), (3,)], lock=True),
        ]
    )
    assert [known.decode(row) for row in answers[2].rows] == [
        _account(1),
        _account(2, frozen=True),
        _account(3, frozen=True),
    ]
    migrated.roll_back()


@pytest.mark.parametrize("missing", [[3], [3, 4], [2, 2]])
def test_an_update_that_does_not_find_every_row_keeps_its_transaction_from_being_committed(
    migrated: Session, missing: list[int]
) -> None:
    known = table(AccountRow)
    migrated.ask([("BEGIN", ())])
    changed = [_account(at, frozen=True) for at in (1, *missing)]
    with pytest.raises(errors.InvalidTextRepresentation, match="not all are there, but only"):
        migrated.commit([known.insert([_account(1), _account(2)]), known.update(changed)])
    migrated.roll_back()
    assert migrated.ask([known.by_keys([(1,), (2,), (3,)])])[0].rows == []


def test_a_row_that_cannot_be_written_spoils_its_transaction_and_not_the_connection(
    migrated: Session,
) -> None:
    known = table(AccountRow)

    for spoilt, refusal in (("a\0b", errors.DataError), ("\ud800", UnicodeEncodeError)):
        migrated.ask([("BEGIN", ())])
        with pytest.raises(refusal):
            migrated.ask([known.insert([_account(1, "one")]), known.insert([_account(2, spoilt)])])
        migrated.roll_back()
        assert migrated.ask([known.by_keys([(1,), (2,)])])[0].rows == []


def test_more_than_the_sockets_hold_goes_out_and_comes_in(session: Session) -> None:
    texts = [f"{at:04}" * 250 for at in range(4_000)]
    statement = ("SELECT * FROM unnest($1::text[])", (literal(TEXT, texts),))
    for answer in session.ask([statement] * 5):
        assert [text for (text,) in answer.rows] == texts
