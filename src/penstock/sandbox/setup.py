"""The sandbox's settings: the packaged catalogue, simulated networks, and ethereum on a real node where asked for."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec

from penstock.config import (
    EvmNetwork,
    NetworkSettings,
    SecretPlace,
    Settings,
    SettingsInvalid,
    SimulatedNetwork,
)
from penstock.core.catalogue import Catalogue
from penstock.sandbox.evm_setup import DEV_CHAIN_ID, prepare_dev_chain
from penstock.sandbox.seed import write_private
from penstock.signer.launch import KEY
from penstock.signer.limits import AssetLimits, EvmLimits, FeeLimits, NetworkLimits, SimulatedLimits

EVM_NETWORK = "ethereum"
TOKEN_SUPPLY = 10**9
"""Whole tokens that the hot wallet gets on a development chain."""

_PAYMENT_MAX = str(10**27)
_GAS_PRICE_MAX = 500 * 10**9
_GAS_MAX = 300_000


def sandbox_settings(state_dir: Path, port: int, chain_pace_ms: int | None) -> Settings:
    """Settings with every network simulated; paths absolute, the admin token in the state directory."""
    text = (resources.files("penstock.sandbox") / "catalogue.toml").read_bytes()
    settings = msgspec.toml.decode(text, type=Settings)
    settings = msgspec.structs.replace(
        settings,
        state_dir=str(state_dir),
        port=port,
        admin_token=SecretPlace(file=str(state_dir / "admin-token")),
    )
    return settings if chain_pace_ms is None else _paced(settings, chain_pace_ms)


def _paced(settings: Settings, block_ms: int) -> Settings:
    def paced(network: NetworkSettings) -> NetworkSettings:
        assert isinstance(network.chain, SimulatedNetwork)
        return msgspec.structs.replace(
            network, chain=msgspec.structs.replace(network.chain, block_ms=block_ms)
        )

    workers = msgspec.structs.replace(
        settings.workers, interval_ms=min(settings.workers.interval_ms, block_ms)
    )
    networks = [paced(network) for network in settings.networks]
    return msgspec.structs.replace(settings, networks=networks, workers=workers)


def with_evm_node(
    settings: Settings, rpc_url: str, confirmations: int, contracts: dict[str, str]
) -> Settings:
    """The same settings with ethereum on a development node and its tokens at these contracts."""
    chain = EvmNetwork(rpc_url=rpc_url, chain_id=DEV_CHAIN_ID, finality="depth")
    networks = [
        msgspec.structs.replace(network, chain=chain, confirmations=confirmations)
        if network.code == EVM_NETWORK
        else network
        for network in settings.networks
    ]
    listings = [
        msgspec.structs.replace(listing, contract=contracts[listing.asset])
        if listing.network == EVM_NETWORK and listing.contract is not None
        else listing
        for listing in settings.listings
    ]
    return msgspec.structs.replace(settings, networks=networks, listings=listings)


def dev_contracts(settings: Settings, rpc_url: str, hot_wallet: str, state_dir: Path) -> dict[str, str]:
    """Deploy the listed tokens on a development node, or find those of an earlier start.

    Raises SettingsInvalid when the state directory belongs to a chain that is no longer there, Unavailable when the
    node does not answer.
    """
    path = state_dir / "contracts.json"
    known = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}
    scales = {asset.code: asset for asset in settings.assets}
    wishes = [
        (listing.asset, scales[listing.asset].name, listing.decimals, TOKEN_SUPPLY * 10**listing.decimals)
        for listing in settings.listings
        if listing.network == EVM_NETWORK and listing.contract is not None
    ]
    contracts = prepare_dev_chain(rpc_url, hot_wallet, wishes, known)
    if known and contracts != known:
        raise SettingsInvalid(
            f"{state_dir} was made with another chain than the one at {rpc_url}: start the sandbox on a new directory"
        )
    write_private(path, msgspec.json.encode(contracts))
    return contracts


def signer_limits(catalogue: Catalogue, settings: Settings) -> dict[str, NetworkLimits]:
    """Generous limits for play money: listed assets only, on the configured chains only."""
    payment = AssetLimits(payment_max=_PAYMENT_MAX)
    limits: dict[str, NetworkLimits] = {}
    for network in settings.networks:
        listed = [listing for (_, code), listing in catalogue.listings.items() if code == network.code]
        match network.chain:
            case SimulatedNetwork():
                fee = FeeLimits(total_max=str(10**9))
                assets = {listing.asset: payment for listing in listed}
                limits[network.code] = SimulatedLimits(
                    KEY, fee, fee, assets={**assets, network.native: payment}
                )
            case EvmNetwork():
                fee = FeeLimits(total_max=str(_GAS_MAX * _GAS_PRICE_MAX), per_gas_max=str(_GAS_PRICE_MAX))
                contracts = {listing.contract: payment for listing in listed if listing.contract is not None}
                limits[network.code] = EvmLimits(
                    KEY, network.chain.chain_id, _GAS_MAX, fee, fee, contracts=contracts, native=payment
                )
    return limits
