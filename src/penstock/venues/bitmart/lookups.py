"""The endpoints that only look: each reads its query into a core query and writes the answer."""

from __future__ import annotations

import re
from functools import partial

from penstock.core.amounts import format_units, format_units_fixed
from penstock.core.catalogue import PRICE_SCALE, Catalogue, Listing
from penstock.core.queries import (
    HISTORY_LIMIT_MAX,
    QUOTA_SCALE,
    Balances,
    BookEntries,
    DepositAddress,
    DepositHistory,
    DepositOrWithdrawalById,
    RemainingQuota,
    RemainingQuotaView,
    WithdrawalHistory,
)
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import DAY_MS, UnixMs
from penstock.core.views import (
    BalanceView,
    BookEntryView,
    DepositAddressView,
    DepositView,
    KeyView,
    WithdrawalView,
)
from penstock.venues.bitmart import replies
from penstock.venues.bitmart.currencies import CurrencyNames, write_network
from penstock.venues.bitmart.errors import DEFAULT_RANGE, INVALID_REQUEST, RANGE_TOO_LONG, Rejected
from penstock.venues.bitmart.messages import Parameters
from penstock.venues.venue import Ask, Reply, Request

CURRENCIES_MAX = 20
RANGE_MS = 90 * DAY_MS
LONG_MAX = 2**63 - 1
USD_DECIMALS = 2

_ID = re.compile(r"[1-9][0-9]{0,18}")
_OPERATIONS = ("deposit", "withdraw")


class LookUps:
    """Endpoints by method. Public ones take (request, parameters), the others a verified key as well."""

    def __init__(self, catalogue: Catalogue, names: CurrencyNames, envelopes: replies.Envelopes) -> None:
        self._catalogue = catalogue
        self._names = names
        self._envelopes = envelopes
        self._records = replies.RecordWriter(catalogue, names)
        self._currencies = {pair: self._currency(listing) for pair, listing in catalogue.listings.items()}

    # --- public --------------------------------------------------------------------------------------------

    def server_time(self, request: Request, _parameters: Parameters) -> Reply:
        return self._envelopes.ok(replies.ServerTime(request.now_ms))

    def services(self, _request: Request, _parameters: Parameters) -> Reply:
        return self._envelopes.ok(replies.Services())

    def symbols(self, _request: Request, _parameters: Parameters) -> Reply:
        return self._envelopes.ok(replies.Symbols())

    def currencies(self, _request: Request, parameters: Parameters) -> Reply:
        """All of them, or up to CURRENCIES_MAX named ones; unknown names are missing from the answer."""
        asked = parameters.optional("currencies")
        if asked is None:
            return self._envelopes.ok(replies.Currencies(list(self._currencies.values())))
        names = asked.split(",")
        if len(names) > CURRENCIES_MAX:
            raise Rejected(INVALID_REQUEST)
        pairs = dict.fromkeys(pair for name in names if (pair := self._names.known(name)) is not None)
        return self._envelopes.ok(replies.Currencies([self._currencies[pair] for pair in pairs]))

    def _currency(self, listing: Listing) -> replies.Currency:
        asset = self._catalogue.assets[listing.asset]
        return replies.Currency(
            currency=self._names.write(listing.asset, listing.network),
            name=asset.name,
            contract_address=listing.contract,
            network=write_network(listing.network),
            withdraw_enabled=listing.withdraw_enabled,
            deposit_enabled=listing.deposit_enabled,
            withdraw_minsize=format_units(listing.minimum, asset.scale),
            withdraw_minfee=None,
            withdraw_fee=format_units(listing.fee, asset.scale),
            withdraw_fee_estimate=self._usd(listing.asset, listing.fee),
        )

    def _usd(self, asset: str, units: int) -> str | None:
        value = self._catalogue.usd_value(asset, units)
        if value is None:
            return None
        return format_units_fixed(value // 10 ** (PRICE_SCALE - USD_DECIMALS), USD_DECIMALS)

    # --- for the holder of a key ---------------------------------------------------------------------------

    def charge(self, _request: Request, parameters: Parameters, key: KeyView) -> Ask:
        asset, network = self._names.resolve(parameters.required("currency"))
        listing = self._catalogue.listing(asset, network)
        return Ask(RemainingQuota(key.account_id), partial(self._write_charge, listing))

    def _write_charge(self, listing: Listing, quota: RemainingQuotaView) -> Reply:
        scale = self._catalogue.scale(listing.asset)
        whole, rest = divmod(listing.multiple or 0, 10**scale)
        charge = replies.Charge(
            today_available_withdraw_BTC=format_units(quota.bitcoin, QUOTA_SCALE),
            min_withdraw=format_units(listing.minimum, scale),
            withdraw_precision=listing.precision,
            withdraw_fee=format_units(listing.fee, scale),
            # A long at the venue: a multiple below one coin cannot be shown; it holds all the same.
            withdraw_Precision_GeTen=whole if whole and not rest else None,
        )
        return self._envelopes.ok(charge)

    def account_wallet(self, _request: Request, parameters: Parameters, key: KeyView) -> Ask:
        name = parameters.optional("currency")
        asset = None if name is None else self._names.resolve_asset(name)[0]
        valued = parameters.optional("needUsdValuation") or "false"
        if valued not in {"true", "false"}:
            raise Rejected(INVALID_REQUEST)
        return Ask(Balances(key.account_id), partial(self._write_account_wallet, asset, valued == "true"))

    def _write_account_wallet(self, asset: str | None, valued: bool, rows: list[BalanceView]) -> Reply:  # noqa: FBT001 - bound by partial
        wallet = [
            self._records.account_balance(row, self._usd(row.asset, row.available) if valued else None)
            for row in _with_money(rows, "fund")
            if asset is None or row.asset == asset
        ]
        return self._envelopes.ok(replies.AccountWallet(wallet))

    def spot_wallet(self, _request: Request, _parameters: Parameters, key: KeyView) -> Ask:
        return Ask(Balances(key.account_id), self._write_spot_wallet)

    def _write_spot_wallet(self, rows: list[BalanceView]) -> Reply:
        wallet = [self._records.spot_balance(row) for row in _with_money(rows, "spot")]
        return self._envelopes.ok(replies.SpotWallet(wallet))

    def deposit_address(self, _request: Request, parameters: Parameters, key: KeyView) -> Ask:
        asset, network = self._names.resolve(parameters.required("currency"))
        if not self._catalogue.listing(asset, network).deposit_enabled:
            raise Refused(RefusalCode.DEPOSITS_CLOSED)
        return Ask(DepositAddress(key.account_id, asset, network), self._write_deposit_address)

    def _write_deposit_address(self, view: DepositAddressView | None) -> Reply:
        if view is None:
            raise Refused(RefusalCode.CURRENCY_UNSUPPORTED)
        name = self._names.write(view.asset, view.network)
        return self._envelopes.ok(replies.DepositAddressData(name, name, view.address, view.memo))

    def history(self, request: Request, parameters: Parameters, key: KeyView) -> Ask:
        operation = parameters.required("operation_type")
        limit = parameters.integer("N", 1, HISTORY_LIMIT_MAX)
        if operation not in _OPERATIONS or limit is None:
            raise Rejected(INVALID_REQUEST)
        name = parameters.optional("currency")
        asset, network = (None, "") if name is None else self._names.resolve_asset(name)
        from_ms, to_ms = _range(parameters, request.now_ms)
        query = DepositHistory if operation == "deposit" else WithdrawalHistory
        return Ask(query(key.account_id, asset, network or None, from_ms, to_ms, limit), self._write_history)

    def _write_history(self, views: list[WithdrawalView] | list[DepositView]) -> Reply:
        return self._envelopes.ok(replies.Records([self._record(view) for view in views]))

    def detail(self, _request: Request, parameters: Parameters, key: KeyView) -> Ask:
        text = parameters.required("id")
        if _ID.fullmatch(text) is None or int(text) > LONG_MAX:
            raise Refused(RefusalCode.WITHDRAWAL_UNKNOWN)
        return Ask(DepositOrWithdrawalById(key.account_id, int(text)), self._write_detail)

    def _write_detail(self, view: WithdrawalView | DepositView | None) -> Reply:
        if view is None:
            raise Refused(RefusalCode.WITHDRAWAL_UNKNOWN)
        return self._envelopes.ok(replies.OneRecord(self._record(view)))

    def _record(self, view: WithdrawalView | DepositView) -> replies.Record:
        if isinstance(view, WithdrawalView):
            return self._records.withdrawal(view)
        return self._records.deposit(view)

    def address_list(self, _request: Request, _parameters: Parameters, key: KeyView) -> Ask:
        return Ask(BookEntries(key.account_id), self._write_address_list)

    def _write_address_list(self, entries: list[BookEntryView]) -> Reply:
        addresses = [entry for entry in entries if entry.kind in replies.ADDRESS_TYPES]
        rows = [self._records.book_address(entry) for entry in addresses]
        return self._envelopes.ok(replies.BookAddresses(rows))


def _with_money(rows: list[BalanceView], wallet: str) -> list[BalanceView]:
    return [row for row in rows if row.wallet == wallet and row.available + row.held > 0]


def _range(parameters: Parameters, now_ms: UnixMs) -> tuple[UnixMs, UnixMs]:
    """(startTime, endTime), by default the 90 days up to now. Raises Rejected.

    Both given: any two times less than 90 days apart, however old. One given: the other's default must not
    make the range negative or longer than 90 days.
    """
    start = parameters.integer("startTime", 0, LONG_MAX)
    end = parameters.integer("endTime", 0, LONG_MAX)
    if start is not None and end is not None:
        if end < start:
            raise Rejected(INVALID_REQUEST)
        if end - start >= RANGE_MS:
            raise Rejected(RANGE_TOO_LONG)
        return UnixMs(start), UnixMs(end)
    from_ms = max(now_ms - RANGE_MS, 0) if start is None else start
    to_ms = now_ms if end is None else end
    if not 0 <= to_ms - from_ms <= RANGE_MS:
        raise Rejected(DEFAULT_RANGE)
    return UnixMs(from_ms), UnixMs(to_ms)
