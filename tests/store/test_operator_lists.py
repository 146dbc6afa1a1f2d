"""The operator's lists of withdrawals and acts, read page by page, on every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from penstock.core.ids import AccountId
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import WithdrawalView
from penstock.engine.rows import WithdrawalRow
from penstock.engine.sending_rows import AuditRow
from penstock.store.reader import Reader
from tests.store.conftest import DATABASES
from tests.store.finding_world import MINE, all_rows, postgres_with, sqlite_with

PAGE = 7
STATE = State.HELD
ACTS = [AuditRow(at, "ada", "SetControl", "control/sending", "{}", UnixMs(0)) for at in range(1, 40, 2)]

Ask = Callable[[Reader, int, int | None], list[WithdrawalView]]
LISTS: dict[str, tuple[Ask, Callable[[WithdrawalRow], bool]]] = {
    "all": (lambda reader, limit, before: reader.withdrawals(None, limit, before), lambda row: True),
    "of one account": (
        lambda reader, limit, before: reader.withdrawals(AccountId(MINE), limit, before),
        lambda row: row.account_id == MINE,
    ),
    "in one state": (
        lambda reader, limit, before: reader.withdrawals_in(STATE, limit, before),
        lambda row: row.state == STATE,
    ),
}


@pytest.fixture(scope="module", params=DATABASES)
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Reader, list[WithdrawalRow]]]:
    withdrawals, _, others = all_rows()
    rows = [*withdrawals, *others, *ACTS]
    path = tmp_path_factory.mktemp("lists") / "penstock.db"
    with sqlite_with(path, rows) if request.param == "sqlite" else postgres_with(rows) as reader:
        yield reader, withdrawals


@pytest.mark.parametrize("name", LISTS)
def test_pages_joined_are_the_list_newest_first(
    stored: tuple[Reader, list[WithdrawalRow]], name: str
) -> None:
    reader, rows = stored
    ask, belongs = LISTS[name]
    wanted = sorted((row.withdrawal_id for row in rows if belongs(row)), reverse=True)
    assert len(wanted) > PAGE
    found: list[int] = []
    while page := ask(reader, PAGE, found[-1] if found else None):
        assert len(page) == min(PAGE, len(wanted) - len(found))
        found += [view.withdrawal_id for view in page]
    assert found == wanted


def test_pages_of_the_audit_joined_are_the_audit_newest_first(
    stored: tuple[Reader, list[WithdrawalRow]],
) -> None:
    reader, _ = stored
    found: list[AuditRow] = []
    while page := reader.audit(PAGE, found[-1].audit_id if found else None):
        found += page
        assert len(found) <= len(ACTS)
    assert found == ACTS[::-1]
