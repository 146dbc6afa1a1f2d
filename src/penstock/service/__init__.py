"""The composition root: where implementations are chosen and joined, and the processes that commands run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from penstock.config import Settings, SettingsInvalid, SimulatedNetwork, read_settings
from penstock.core.refusals import Unavailable
from penstock.process import LockedState, announce, announce_worker, prepare_process
from penstock.rates.table import TableRates
from penstock.sandbox.accounts import sandbox_accounts
from penstock.sandbox.document import write_sandbox_json
from penstock.sandbox.seed import sandbox_secrets
from penstock.server.admin import TOKEN_BYTES_MIN
from penstock.service.running import Service
from penstock.service.sandbox import open_sandbox
from penstock.service.signer_keeper import SignerElsewhere, SignerKeeper
from penstock.signer.config import ConfigRefused
from penstock.signer.launch import SetUpFailed
from penstock.signer.messages import SignerRefused
from penstock.store.ledger import open_ledger
from penstock.store.sqlite.connection import StoreUnusable
from penstock.store.verify import verify as verify_reader

__all__ = ["Service", "VerifyReport", "open_sandbox", "run_sandbox", "run_serve", "run_worker", "verify"]


STARTING_FAILED = (SettingsInvalid, StoreUnusable, SetUpFailed, ConfigRefused, SignerRefused, Unavailable)
"""What the operator can mend; anything else is a bug and shows its traceback."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """lines: violations, and last "verify: ok ..." or "verify: FAILED ..."."""

    ok: bool
    lines: list[str]
    counts: dict[str, int]


def run_serve(config: Path, *, processes: int = 1, pay: bool = True) -> int:
    """`penstock serve`: the service with the operator's settings, in the foreground. Returns the exit code.

    processes: how many answer requests. pay: whether to work the chains as well.
    """
    return _run(config, lambda service: service.serve(announce, processes=processes, pay=pay))


def run_worker(config: Path) -> int:
    """`penstock worker`: the chains' workers with the operator's settings, in the foreground. Returns the exit code."""
    return _run(config, lambda service: service.work(announce_worker), beside_others=True)


def _run(config: Path, act: Callable[[Service], None], *, beside_others: bool = False) -> int:
    """beside_others: whether the process makes sense only where other ones serve the same database."""
    try:
        settings = read_settings(config)
        if beside_others:
            _check_shared(settings)
        signer_config = _checked(settings)
        with LockedState(Path(settings.state_dir)):
            prepare_process()
            signer = _signer(settings, signer_config)
            service = Service(settings, settings.catalogue(), signer)
            try:
                act(service)
            finally:
                service.close()
                signer.stop()
    except STARTING_FAILED as error:
        who = "the signer: " if isinstance(error, SignerRefused) else ""
        sys.stderr.write(f"penstock: {who}{error}\n")
        return 1
    return 0


def _check_shared(settings: Settings) -> None:
    """Refuse what no other process could see: it would work on a database, or a chain, of its own. Raises
    SettingsInvalid.
    """
    if not settings.place().is_postgresql:
        raise SettingsInvalid(
            "database.url: a worker of its own needs PostgreSQL; on SQLite `penstock serve` pays by itself"
        )
    for network in settings.networks:
        if isinstance(network.chain, SimulatedNetwork):
            raise SettingsInvalid(
                f"networks: {network.code} is simulated, and such a chain exists in one process only"
            )


def _checked(settings: Settings) -> Path:
    """Find what the operator forgot before any process is started. Returns the signer's configuration.

    Raises SettingsInvalid.
    """
    settings.catalogue()
    settings.policy.policy()
    settings.place()
    try:
        TableRates(settings.catalogue(), settings.rates.table)
    except ValueError as error:
        raise SettingsInvalid(f"rates.table: {error}") from error
    if len(settings.admin_token.read().reveal()) < TOKEN_BYTES_MIN:
        raise SettingsInvalid(f"admin_token: it must have at least {TOKEN_BYTES_MIN} bytes")
    signer_config = Path(settings.state_dir) / settings.signer_config
    if settings.signer_socket is not None:
        return signer_config
    if not signer_config.is_file():
        raise SettingsInvalid(
            f"signer_config: {signer_config} is not there; write it, then make its keys and log: "
            f"python -m penstock.signer --config {signer_config} --init --create-keys"
        )
    return signer_config


def _signer(settings: Settings, signer_config: Path) -> SignerKeeper | SignerElsewhere:
    if settings.signer_socket is not None:
        return SignerElsewhere(Path(settings.signer_socket))
    return SignerKeeper(signer_config)


def run_sandbox(
    port: int,
    state_dir: Path,
    evm_rpc: str | None = None,
    chain_pace_ms: int | None = None,
    evm_confirmations: int = 1,
    *,
    limit_by_ip: bool = True,
    database: str = "",
) -> int:
    """`penstock sandbox`: the same service with seed data and simulated chains. Returns the exit code."""
    try:
        with LockedState(state_dir):
            prepare_process()
            service = open_sandbox(
                state_dir.absolute(),
                port,
                evm_rpc,
                chain_pace_ms,
                evm_confirmations,
                limit_by_ip=limit_by_ip,
                database=database,
            )
            try:
                service.serve(lambda url: _sandbox_ready(service, url))
            finally:
                service.close()
                service.signer.stop()
    except STARTING_FAILED as error:
        sys.stderr.write(f"penstock: {error}\n")
        return 1
    return 0


def _sandbox_ready(service: Service, url: str) -> None:
    accounts = sandbox_accounts(sandbox_secrets(service.state), service.catalogue)
    write_sandbox_json(service.state, service.catalogue, service.senders, accounts, url)
    announce(url)


def verify(target: Path | str) -> VerifyReport:
    """Recompute every invariant of a state directory's ledger, or of a database named by URL.

    target: a directory, or "sqlite:PATH". Raises StoreUnusable when there is no database.
    """
    with open_ledger(target) as reader:
        report = verify_reader(reader)
    return VerifyReport(report.ok, report.lines(), report.counts)
