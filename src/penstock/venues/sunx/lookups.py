"""The endpoints that only look: each reads its query into a core query and writes the answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from penstock.core.catalogue import Catalogue
from penstock.core.queries import Account, Balances, FindDeposits, FindWithdrawals
from penstock.core.time import UnixMs
from penstock.core.views import AccountView, BalanceView, DepositView, KeyView, WithdrawalView
from penstock.venues.sunx.auth import VENUE
from penstock.venues.sunx.currencies import CurrencyNames
from penstock.venues.sunx.errors import KEY_NOT_PERMITTED, Rejected
from penstock.venues.sunx.messages import Parameters
from penstock.venues.sunx.replies import Envelopes, RecordWriter
from penstock.venues.venue import Ask, Reply

SIZE_MAX = 500
SIZE_DEFAULT = 100
ID_MAX = 2**63 - 2
_TYPES = ("deposit", "withdraw")
_DIRECTIONS = ("prev", "next")


class LookUps:
    """Endpoints by method: (parameters, a verified key)."""

    def __init__(
        self,
        catalogue: Catalogue,
        names: CurrencyNames,
        envelopes: Envelopes,
        now_ms: Callable[[], UnixMs],
    ) -> None:
        self._names = names
        self._envelopes = envelopes
        self._now_ms = now_ms
        self._records = RecordWriter(catalogue)

    def records(self, parameters: Parameters, key: KeyView) -> Ask:
        """`from` is the first id of the page, in the direction of reading: "prev" goes up, "next" down.

        A withdrawal has its id, and stands here, from its confirmation on.
        """
        kind = parameters.choice("type", _TYPES)
        start = parameters.integer("from", 0, ID_MAX)
        size = parameters.integer("size", 1, SIZE_MAX) or SIZE_DEFAULT
        ascending = parameters.choice("direct", _DIRECTIONS, "prev") == "prev"
        if kind == "withdraw" and key.is_sub_account:
            raise Rejected(KEY_NOT_PERMITTED)
        name = parameters.optional("currency")
        assets = None if name is None else (self._names.resolve_asset(name),)
        after = start - 1 if start is not None and ascending else None
        before = start + 1 if start is not None and not ascending else None
        if kind == "deposit":
            query = FindDeposits(
                key.account_id, size, assets=assets, ascending=ascending, after=after, before=before
            )
            return Ask(query, self._write_deposits)
        query = FindWithdrawals(
            key.account_id,
            size,
            venue=VENUE,
            assets=assets,
            by_number=True,
            ascending=ascending,
            after=after,
            before=before,
        )
        return Ask(query, self._write_withdrawals)

    def _write_deposits(self, views: list[DepositView]) -> Reply:
        return self._envelopes.ok([self._records.deposit(view) for view in views])

    def _write_withdrawals(self, views: list[WithdrawalView]) -> Reply:
        return self._envelopes.ok([self._records.withdrawal(view) for view in views])

    def balance(self, _parameters: Parameters, key: KeyView) -> Ask:
        """Two questions: the account says since when it is there, its balances say what it holds."""

        def then_balances(account: AccountView) -> Ask:
            return Ask(Balances(key.account_id), partial(self._write_balance, account))

        return Ask(Account(key.account_id), then_balances)

    def _write_balance(self, account: AccountView, rows: list[BalanceView]) -> Reply:
        return self._envelopes.success(self._records.balance(account, rows, self._now_ms()))
