"""The sandbox brought up: the same service with seed data, simulated chains and play money."""

from __future__ import annotations

from pathlib import Path

import msgspec

from penstock.chains.evm.addresses import checksummed
from penstock.config import DatabaseSettings, Settings
from penstock.core.catalogue import Catalogue
from penstock.sandbox.accounts import sandbox_accounts
from penstock.sandbox.money import fund_wallets
from penstock.sandbox.seed import sandbox_secrets, seed_sandbox, write_private
from penstock.sandbox.setup import dev_contracts, sandbox_settings, signer_limits, with_evm_node
from penstock.service.running import Service
from penstock.service.signer_keeper import SignerKeeper, short_socket_path
from penstock.signer.config import SignerConfig, read_config
from penstock.signer.launch import set_up


class _Keystore(msgspec.Struct, frozen=True):
    """address: 40 hex digits. What else a keystore holds is the signer's business."""

    address: str


def open_sandbox(
    state_dir: Path,
    port: int,
    evm_rpc: str | None,
    chain_pace_ms: int | None,
    evm_confirmations: int,
    *,
    limit_by_ip: bool = True,
    database: str = "",
) -> Service:
    """Everything but the listening socket; safe to call again on the same directory after any end."""
    drawn = sandbox_secrets(state_dir)
    write_private(state_dir / "admin-token", drawn.admin_token.encode())
    settings = sandbox_settings(state_dir, port, chain_pace_ms)
    settings = msgspec.structs.replace(
        settings, limit_by_ip=limit_by_ip, database=DatabaseSettings(url=database)
    )
    config = _signer(state_dir, settings)
    if evm_rpc is not None:
        contracts = dev_contracts(settings, evm_rpc, _evm_address(config), state_dir)
        settings = with_evm_node(settings, evm_rpc, evm_confirmations, contracts)
    catalogue = settings.catalogue()
    _limit_signer(config, catalogue, settings, state_dir)
    service = Service(settings, catalogue, SignerKeeper(config))
    fund_wallets(service.nodes, service.senders, catalogue)
    seed_sandbox(service.store, catalogue, sandbox_accounts(drawn, catalogue))
    return service


def _signer(state_dir: Path, settings: Settings) -> Path:
    """The signer's configuration; key, password and log are made at the first start."""
    config = state_dir / "signer" / "signer.json"
    if not config.exists():
        set_up(
            state_dir / "signer",
            signer_limits(settings.catalogue(), settings),
            socket_path=short_socket_path(state_dir),
        )
    return config


def _evm_address(config: Path) -> str:
    """Where the hot wallet is on an EVM chain, as its keystore says without being opened."""
    (key,) = read_config(config).keys.values()
    keystore = msgspec.json.decode(Path(key.keystore).read_bytes(), type=_Keystore)
    return checksummed("0x" + keystore.address.removeprefix("0x"))


def _limit_signer(config: Path, catalogue: Catalogue, settings: Settings, state_dir: Path) -> None:
    """Write the signer's limits anew: they follow what this start lists, and the socket where the directory
    is now.

    Whole or not at all, and with its paths relative as they stand there: a copied directory must never sign
    with the log of the one it was copied from.
    """
    known = msgspec.json.decode(config.read_bytes(), type=SignerConfig)
    limits = signer_limits(catalogue, settings)
    renewed = msgspec.structs.replace(known, socket=str(short_socket_path(state_dir)), networks=limits)
    write_private(config, msgspec.json.format(msgspec.json.encode(renewed), indent=2) + b"\n")
