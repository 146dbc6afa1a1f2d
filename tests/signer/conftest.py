"""A signer's folder, ready to start, and the signer inside this process for what needs no socket."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.core.secret import Secret
from penstock.core.time import ManualClock
from penstock.signer.config import KeyConfig, SecretPlace, SignerConfig
from penstock.signer.guard import Guard, Payer
from penstock.signer.keystore import create_keystore, create_password
from penstock.signer.launch import KEY, SignerChild, set_up
from penstock.signer.log import create_log, open_log
from penstock.signer.process import Signer
from tests.signer.samples import NETWORKS, SECRET, SENDER, SIGNING_KEY, SIM_SENDER, START_MS


@pytest.fixture
def guard() -> Guard:
    return Guard(
        {"ethereum": Payer(NETWORKS["ethereum"], SENDER), "tron": Payer(NETWORKS["tron"], SIM_SENDER)}
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_MS)


@pytest.fixture
def inside(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[[], Signer]]:
    """Opens a signer in this process, as often as asked: each time anew from the same log."""
    keystore = tmp_path / "key.json"
    password = create_password(tmp_path / "password")
    create_keystore(keystore, password, secret=bytes(SECRET), scrypt_n=2)
    create_log(tmp_path / "signer.log", START_MS)
    config = SignerConfig(
        socket=str(tmp_path / "s"),
        log=str(tmp_path / "signer.log"),
        keys={KEY: KeyConfig(str(keystore), SecretPlace(file=str(tmp_path / "password")))},
        networks=NETWORKS,
    )
    opened = []

    def reopen() -> Signer:
        for log in opened:
            log.close()
        opened.append(open_log(Path(config.log)))
        return Signer(config, {KEY: SIGNING_KEY}, opened[-1], clock)

    yield reopen
    for log in opened:
        log.close()


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a signer that was set up and is never started; tests work on copies."""
    return set_up(tmp_path_factory.mktemp("s"), NETWORKS, secret=Secret(bytes(SECRET)), scrypt_n=2).parent


@pytest.fixture
def config(pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a signer that was set up and never started."""
    folder = tmp_path_factory.mktemp("s")
    shutil.copytree(pattern, folder, dirs_exist_ok=True)
    return folder / "signer.json"


@pytest.fixture
def child(config: Path) -> Iterator[SignerChild]:
    """A real signer process."""
    with SignerChild(config) as running:
        yield running
