"""The two lists with pages: withdrawals and deposits. Times in their queries are seconds."""

from __future__ import annotations

from functools import partial

from penstock.core.queries import Account, FindDeposits, FindWithdrawals
from penstock.core.time import DAY_MS, UnixMs
from penstock.core.views import AccountView, DepositView, KeyView, WithdrawalView
from penstock.venues.venue import Ask, Reply, Request
from penstock.venues.zoomex import routes
from penstock.venues.zoomex.auth import VENUE
from penstock.venues.zoomex.chains import Chains
from penstock.venues.zoomex.cursors import read_cursor, write_cursor
from penstock.venues.zoomex.errors import bad_parameter
from penstock.venues.zoomex.messages import Parameters
from penstock.venues.zoomex.replies import SHOWS_TX_ID, Envelopes, Page, RecordWriter

PAGE_SIZE = 20
PAGE_SIZE_MAX = 50
RANGE_MS = 30 * DAY_MS
SECOND_MS = 1_000
ID_MAX = 2**63 - 1

Scope = tuple[str | int | None, ...]
"""Which list a cursor belongs to, and every filter in force."""


class Records:
    def __init__(self, chains: Chains, writer: RecordWriter, envelopes: Envelopes) -> None:
        self._chains = chains
        self._writer = writer
        self._envelopes = envelopes

    def withdrawals(self, request: Request, parameters: Parameters, key: KeyView) -> Ask:
        """On-chain ones by default. Without times the last 30 days, or all of them for a withdrawId or txid."""
        withdraw_id, tx_id = parameters.integer("withdrawId"), parameters.text("txid")
        withdraw_type, coin = parameters.integer("withdrawType") or 0, parameters.text("coin")
        by_id = withdraw_id is not None or tx_id != ""
        from_ms, before_ms, times = _range(parameters, request.now_ms, unbounded=by_id)
        size = _page_size(parameters)
        scope: Scope = ("withdrawals", withdraw_id, tx_id, withdraw_type, coin, *times)
        query = FindWithdrawals(
            account_id=key.account_id,
            limit=size + 1,
            venue=VENUE,
            # An id that no withdrawal can have finds none.
            ids=None if withdraw_id is None else (withdraw_id,) if withdraw_id <= ID_MAX else (),
            tx_hash=tx_id or None,
            # What has no tx_id to show yet must not be found by it.
            states=tuple(sorted(SHOWS_TX_ID)) if tx_id else None,
            assets=(coin,) if coin else None,
            on_chain=(True, False, None)[withdraw_type],
            from_ms=from_ms,
            before_ms=before_ms,
            before=_before(parameters, key, scope),
        )
        return Ask(Account(key.account_id), partial(self._find, query, key, scope))

    def _find(self, query: FindWithdrawals, key: KeyView, scope: Scope, account: AccountView) -> Ask:
        return Ask(query, partial(self._write_withdrawals, query.limit - 1, key, scope, account))

    def _write_withdrawals(
        self, size: int, key: KeyView, scope: Scope, account: AccountView, views: list[WithdrawalView]
    ) -> Reply:
        shown = views[:size]
        cursor = _next_page(key, scope, len(views) > size, [view.withdrawal_id for view in shown])
        rows = [self._writer.withdrawal(view, account.account_number) for view in shown]
        return self._envelopes.ok(routes.WITHDRAW_RECORDS.path, Page(rows, cursor))

    def deposits(self, request: Request, parameters: Parameters, key: KeyView) -> Ask:
        """As `withdrawals`; an unknown chain has no deposits."""
        kind, tx_id = parameters.integer("type") or 0, parameters.text("txId")
        coin, chain = parameters.text("coin"), parameters.text("chain")
        from_ms, before_ms, times = _range(parameters, request.now_ms, unbounded=tx_id != "")
        size = _page_size(parameters)
        scope: Scope = ("deposits", kind, tx_id, coin, chain, *times)
        query = FindDeposits(
            account_id=key.account_id,
            limit=size + 1,
            assets=(coin,) if coin else None,
            networks=self._networks(chain) if chain else None,
            tx_id=tx_id or None,
            internal=(False, True, None)[kind],
            from_ms=from_ms,
            before_ms=before_ms,
            before=_before(parameters, key, scope),
        )
        return Ask(query, partial(self._write_deposits, size, key, scope))

    def _networks(self, chain: str) -> tuple[str, ...]:
        network = self._chains.network(chain)
        return () if network is None else (network,)

    def _write_deposits(self, size: int, key: KeyView, scope: Scope, views: list[DepositView]) -> Reply:
        shown = views[:size]
        cursor = _next_page(key, scope, len(views) > size, [view.deposit_id for view in shown])
        rows = [self._writer.deposit(view) for view in shown]
        return self._envelopes.ok(routes.DEPOSIT_RECORDS.path, Page(rows, cursor))


def _page_size(parameters: Parameters) -> int:
    size = parameters.integer("pageSize") or PAGE_SIZE
    if size > PAGE_SIZE_MAX:
        raise bad_parameter("pageSize")
    return size


def _before(parameters: Parameters, key: KeyView, scope: Scope) -> int | None:
    cursor = parameters.text("cursor")
    return read_cursor(key, scope, cursor) if cursor else None


def _next_page(key: KeyView, scope: Scope, more: bool, ids: list[int]) -> str:  # noqa: FBT001 - one caller's fact
    return write_cursor(key, scope, ids) if more else ""


def _range(
    parameters: Parameters, now_ms: UnixMs, *, unbounded: bool
) -> tuple[UnixMs | None, UnixMs | None, tuple[int | None, int | None]]:
    """(first millisecond, first one behind it, the two parameters as sent), 30 days at the most.

    Neither given: the 30 days up to now, or no bounds at all where `unbounded`. One given: the 30 days that begin or
    end with it. Both ends' seconds are included.
    """
    start, end = parameters.integer("startTime"), parameters.integer("endTime")
    if start is None and end is None:
        return (None if unbounded else UnixMs(now_ms - RANGE_MS)), None, (None, None)
    if end is None:
        assert start is not None
        from_ms = start * SECOND_MS
        return UnixMs(from_ms), UnixMs(from_ms + RANGE_MS + SECOND_MS), (start, end)
    before_ms = (end + 1) * SECOND_MS
    from_ms = before_ms - SECOND_MS - RANGE_MS if start is None else start * SECOND_MS
    if not SECOND_MS <= before_ms - from_ms <= RANGE_MS + SECOND_MS:
        raise bad_parameter("startTime")
    return UnixMs(max(from_ms, 0)), UnixMs(before_ms), (start, end)
