"""getMetaData: what clients must know of the coins before they can sign, made once from the table and the catalogue.

Source: edgeX docs, "Get Meta Data". Trading, liquidity accounts and icons are not served: their members are empty.
"""

from __future__ import annotations

import msgspec

from penstock.core.amounts import format_units
from penstock.core.catalogue import Catalogue
from penstock.venues.edgex.coins import ServedCoin, ServedCoins

_NONE = "0"
_ON_CHAIN_TREE_HEIGHT = 64


class CoinData(msgspec.Struct, frozen=True, rename="camel"):
    """Asset id and resolution as 0x-hex."""

    coin_id: str
    coin_name: str
    step_size: str
    show_step_size: str
    icon_url: str
    stark_ex_asset_id: str
    stark_ex_resolution: str


class GlobalData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """stark_ex_chain_id: 0x-hex of the chain that withdrawals are paid on."""

    app_name: str = "edgeX"
    app_env: str = "penstock"
    app_only_sign_on: str = ""
    fee_account_id: str = _NONE
    fee_account_l2_key: str = ""
    pool_account_id: str = _NONE
    pool_account_l2_key: str = ""
    fast_withdraw_account_id: str = _NONE
    fast_withdraw_account_l2_key: str = ""
    fast_withdraw_max_amount: str = _NONE
    fast_withdraw_registry_address: str = ""
    stark_ex_chain_id: str
    stark_ex_contract_address: str = ""
    stark_ex_collateral_coin: CoinData | None
    stark_ex_max_funding_rate: int = 0
    stark_ex_orders_tree_height: int = _ON_CHAIN_TREE_HEIGHT
    stark_ex_positions_tree_height: int = _ON_CHAIN_TREE_HEIGHT
    stark_ex_funding_validity_period: int = 0
    stark_ex_price_validity_period: int = 0
    maintenance_reason: str = ""


class Token(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    token_address: str
    decimals: str
    icon_url: str = ""
    token: str
    pull_off: bool = False
    withdraw_enable: bool
    use_fixed_rate: bool = False
    fixed_rate: str = ""


class Chain(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    chain: str
    chain_id: str
    chain_icon_url: str = ""
    contract_address: str = ""
    deposit_gas_fee_less: bool = False
    fee_less: bool = False
    fee_rate: str = _NONE
    gas_less: bool = False
    gas_token: str
    min_fee: str = _NONE
    rpc_url: str = ""
    web_tx_url: str = ""
    withdraw_gas_fee_less: bool = False
    token_list: list[Token]
    tx_confirm: str
    block_time: str = _NONE
    allow_aa_deposit: bool = False
    allow_aa_withdraw: bool = False
    app_rpc_url: str = ""
    allow_deposit: bool = False
    allow_withdraw: bool = True


class MultiChain(msgspec.Struct, frozen=True, rename="camel"):
    """max_withdraw: "" where the listing has no maximum."""

    coin_id: str
    max_withdraw: str
    min_withdraw: str
    min_deposit: str
    chain_list: list[Chain]


class MetaData(msgspec.Struct, frozen=True, rename={"global_data": "global"}):
    """Everything under "data"."""

    global_data: GlobalData
    coinList: list[CoinData]  # noqa: N815 - the venue's name
    contractList: tuple[str, ...]  # noqa: N815 - the venue's name
    multiChain: MultiChain  # noqa: N815 - the venue's name


def metadata(catalogue: Catalogue, coins: ServedCoins) -> MetaData:
    """The first coin of the table is the collateral coin; without any, nothing can be withdrawn and all is empty."""
    served = coins.all()
    listed = [_coin(coin) for coin in served]
    first = served[0] if served else None
    chain_id = "" if first is None else hex(first.coin.chain_id)
    return MetaData(
        GlobalData(stark_ex_chain_id=chain_id, stark_ex_collateral_coin=listed[0] if listed else None),
        listed,
        (),
        _multi_chain(catalogue, served),
    )


def _coin(coin: ServedCoin) -> CoinData:
    step = format_units(1, coin.coin.decimals)
    return CoinData(
        coin.coin.coin_id,
        coin.coin.name,
        step,
        step,
        "",
        hex(coin.coin.stark_asset_id),
        hex(coin.coin.resolution),
    )


def _multi_chain(catalogue: Catalogue, served: tuple[ServedCoin, ...]) -> MultiChain:
    if not served:
        return MultiChain(_NONE, _NONE, _NONE, _NONE, [])
    by_network: dict[str, list[ServedCoin]] = {}
    for coin in served:
        by_network.setdefault(coin.coin.network, []).append(coin)
    first = served[0]
    most = first.listing.maximum
    return MultiChain(
        first.coin.coin_id,
        "" if most is None else format_units(most, first.scale),
        format_units(first.listing.minimum, first.scale),
        _NONE,
        [_chain(catalogue, network, there) for network, there in by_network.items()],
    )


def _chain(catalogue: Catalogue, network: str, coins: list[ServedCoin]) -> Chain:
    return Chain(
        chain=network,
        chain_id=str(coins[0].coin.chain_id),
        gas_token=catalogue.networks[network].native,
        tx_confirm=str(catalogue.networks[network].confirmations),
        token_list=[
            Token(
                token=coin.coin.name,
                token_address=coin.contract,
                decimals=str(coin.listing.decimals),
                withdraw_enable=coin.listing.withdraw_enabled,
            )
            for coin in coins
        ],
    )
