"""The endpoints that only look and have no pages: coins, wallets, deposit addresses, the time."""

from __future__ import annotations

from functools import partial

from penstock.core.amounts import Units, format_units
from penstock.core.catalogue import Catalogue, Listing
from penstock.core.queries import Account, Balances, DepositAddress
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.views import AccountView, BalanceView, DepositAddressView, KeyView
from penstock.venues.venue import Ask, Reply, Request
from penstock.venues.zoomex import replies, routes
from penstock.venues.zoomex.chains import Chains, names_of
from penstock.venues.zoomex.errors import bad_parameter
from penstock.venues.zoomex.messages import Parameters

COINS_MAX = 20

_ASSET_WALLETS = {"SPOT": "spot", "FUND": "fund"}
"""`accountType` of query-asset-info to our wallet; its name is also the key in the reply."""
_TRADING_WALLETS = {"UNIFIED": "unified", "CONTRACT": "contract"}
"""`accountType` of wallet-balance. Nothing here trades: these are empty unless the operator keeps money there."""


class LookUps:
    """Endpoints by method; each takes (request, parameters, a verified key)."""

    def __init__(
        self,
        catalogue: Catalogue,
        chains: Chains,
        writer: replies.RecordWriter,
        envelopes: replies.Envelopes,
    ) -> None:
        self._catalogue = catalogue
        self._chains = chains
        self._writer = writer
        self._envelopes = envelopes
        self._coins = {code: self._coin(code) for code in catalogue.assets if chains.listings_of(code)}

    # --- public --------------------------------------------------------------------------------------------

    def market_time(self, request: Request) -> Reply:
        now_ms = request.now_ms
        result = replies.MarketTime(str(now_ms // 1000), str(now_ms * 1_000_000))
        return self._envelopes.ok(routes.MARKET_TIME.path, result)

    # --- for the holder of a key ---------------------------------------------------------------------------

    def coins(self, _request: Request, parameters: Parameters, _key: KeyView) -> Reply:
        """All of them, or the one named; no rows for an unknown one."""
        coin = parameters.text("coin")
        rows = list(self._coins.values()) if not coin else [self._coins[coin]] if coin in self._coins else []
        return self._envelopes.ok(routes.COINS.path, replies.Coins(rows))

    def _coin(self, code: str) -> replies.Coin:
        asset = self._catalogue.assets[code]
        listings = self._chains.listings_of(code)
        return replies.Coin(
            coin=code,
            coin_name=asset.name,
            accuracy=max(listing.precision for listing in listings),
            deposit_chains=[self._deposit_chain(listing) for listing in listings],
            withdraw_chains=[
                replies.WithdrawChain(
                    *names_of(listing.network),
                    int(listing.withdraw_enabled),
                    format_units(listing.minimum, asset.scale),
                    format_units(listing.fee, asset.scale),
                )
                for listing in listings
            ],
        )

    def _deposit_chain(self, listing: Listing) -> replies.DepositChain:
        """Deposits have no minimum here."""
        network = self._catalogue.networks[listing.network]
        names = names_of(listing.network)
        return replies.DepositChain(*names, int(listing.deposit_enabled), "0", network.confirmations)

    def assets(self, _request: Request, parameters: Parameters, key: KeyView) -> Ask:
        """One wallet, SPOT where none is named; coins with money, or the one named."""
        wallet = _ASSET_WALLETS.get(parameters.text("accountType") or "SPOT")
        if wallet is None:
            raise bad_parameter("accountType")
        coin = parameters.text("coin")

        def write(account: AccountView) -> Ask:
            return Ask(Balances(key.account_id), partial(self._write_assets, wallet, coin, account))

        return Ask(Account(key.account_id), write)

    def _write_assets(self, wallet: str, coin: str, account: AccountView, views: list[BalanceView]) -> Reply:
        shown = _shown(views, wallet, (coin,) if coin else ())
        status = replies.ACCOUNT_BANNED if account.frozen else replies.ACCOUNT_NORMAL
        result = replies.Wallet(status, [self._writer.asset(view) for view in shown])
        return self._envelopes.ok(routes.ASSETS.path, {wallet: result})

    def wallet_balance(self, _request: Request, parameters: Parameters, key: KeyView) -> Ask:
        """One trading account; coins with money, or up to COINS_MAX named ones even without."""
        account_type = parameters.required("accountType")
        wallet = _TRADING_WALLETS.get(account_type)
        if wallet is None:
            raise bad_parameter("accountType")
        text = parameters.text("coin")
        coins = tuple(text.split(",")) if text else ()
        if len(coins) > COINS_MAX:
            raise bad_parameter("coin")
        write = partial(self._write_wallet_balance, account_type, wallet, coins)
        return Ask(Balances(key.account_id), write)

    def _write_wallet_balance(
        self, account_type: str, wallet: str, coins: tuple[str, ...], views: list[BalanceView]
    ) -> Reply:
        has = {view.asset for view in views if view.wallet == wallet}
        known = [coin for coin in coins if coin in self._catalogue.assets]
        nothing = [BalanceView(wallet, coin, Units(0), Units(0)) for coin in known if coin not in has]
        shown = _shown([*views, *nothing], wallet, coins)
        lines = [self._writer.coin_balance(account_type, view) for view in shown]
        everything = [view for view in views if view.wallet == wallet]
        result = self._writer.account_balance(account_type, everything, lines)
        return self._envelopes.ok(routes.WALLET_BALANCE.path, replies.AccountBalances([result]))

    def deposit_addresses(self, _request: Request, parameters: Parameters, key: KeyView) -> Ask | Reply:
        """Every chain of the coin, or the one named. Where deposits are closed, or none was set up, there is none.

        Raises Refused(CURRENCY_UNKNOWN).
        """
        coin, chain = parameters.required("coin"), parameters.text("chain")
        listings = [self._chains.listing(coin, chain)] if chain else self._chains.listings_of(coin)
        if not listings:
            raise Refused(RefusalCode.CURRENCY_UNKNOWN, currency=coin)
        networks = tuple(listing.network for listing in listings if listing.deposit_enabled)
        return self._next_address(key, coin, networks, ())

    def _next_address(
        self, key: KeyView, coin: str, networks: tuple[str, ...], found: tuple[replies.DepositTarget, ...]
    ) -> Ask | Reply:
        """Ask for one network after the other: a query tells of one. At most as many as the coin has."""
        if not networks:
            result = replies.DepositTargets(list(found))
            return self._envelopes.ok(routes.DEPOSIT_ADDRESSES.path, result)

        def write(view: DepositAddressView | None) -> Ask | Reply:
            more = () if view is None else (self._deposit_target(view),)
            return self._next_address(key, coin, networks[1:], found + more)

        return Ask(DepositAddress(key.account_id, coin, networks[0]), write)

    def _deposit_target(self, view: DepositAddressView) -> replies.DepositTarget:
        contract = self._catalogue.listing(view.asset, view.network).contract or ""
        return replies.DepositTarget(view.asset, names_of(view.network)[0], view.address, view.memo, contract)


def _shown(views: list[BalanceView], wallet: str, coins: tuple[str, ...]) -> list[BalanceView]:
    """The wallet's rows: those of `coins`, or where none is named those with money."""
    return [
        view
        for view in views
        if view.wallet == wallet and (view.asset in coins if coins else view.available + view.held > 0)
    ]
