from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import stat
import traceback
from pathlib import Path

import msgspec
import pytest
from eth_account import Account

from penstock.core.refusals import Unavailable
from penstock.core.secret import Secret
from penstock.core.time import SystemClock
from penstock.signer.__main__ import main
from penstock.signer.config import ConfigRefused, SecretPlace, SignerConfig, read_config
from penstock.signer.keystore import (
    KeystoreRefused,
    create_keystore,
    create_password,
    load_keystore,
    read_password,
)
from penstock.signer.launch import SetUpFailed, SignerChild, set_up
from penstock.signer.log import LogRefused, mark_path, open_log, read_mark
from penstock.signer.messages import SignerRefused
from penstock.signer.process import initialise, open_signer
from penstock.signer.signatures import SigningKey
from tests.signer.samples import BASE, EVM_REFUSALS, NETWORKS, SECRET, SENDER, SIGNING_KEY, SIM_BASE, START_MS

KEY_BYTES = bytes(SECRET)
PASSWORD = "canary-of-a-password-4711"


def spellings(secret: bytes) -> list[bytes]:
    """In which forms a secret might show."""
    hexed = secret.hex().encode()
    number = str(int.from_bytes(secret)).encode()
    return [secret, hexed, hexed.upper(), number, repr(secret).encode()[2:-1], base64.b64encode(secret)]


def assert_clean(*outputs: bytes | str, secrets: tuple[bytes, ...] = (KEY_BYTES, PASSWORD.encode())) -> None:
    for output in outputs:
        text = output.encode() if isinstance(output, str) else output
        for secret in secrets:
            assert not [form for form in spellings(secret) if form in text]


def test_no_secret_shows_in_anything_a_signer_writes(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("s")
    config = set_up(folder, NETWORKS, secret=Secret(KEY_BYTES), scrypt_n=2)
    password = (folder / "password").read_bytes().strip()
    errors = []
    with (folder / "stderr").open("wb") as stderr:
        with SignerChild(config, stderr=stderr) as child, child.client() as client:
            client.sign(BASE)
            client.sign(SIM_BASE)
            for case in EVM_REFUSALS.values():
                with pytest.raises(SignerRefused) as refused:
                    client.sign(msgspec.structs.replace(BASE, **{"nonce": 5, **case.changed}))
                errors.append(repr(refused.value) + str(refused.value))
        (folder / "signer.log").unlink()
        with pytest.raises(Unavailable):
            SignerChild(config, stderr=stderr)
    written = [file.read_bytes() for file in folder.iterdir() if file.is_file() and file.name != "password"]
    assert b"signed: entry 1" in (folder / "stderr").read_bytes()
    assert_clean(*written, *errors, secrets=(KEY_BYTES, password))


def test_no_secret_shows_in_a_signing_key() -> None:
    assert_clean(repr(SIGNING_KEY), str(SIGNING_KEY), repr(vars(SigningKey)))
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as refused:
            copied(SIGNING_KEY)
        assert_clean(repr(refused.value))


@pytest.mark.parametrize("secret", [b"", b"\x00" * 32, b"\xff" * 32, KEY_BYTES + b"\x01"])
def test_what_is_no_key_is_refused_without_showing_it(secret: bytes) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text belongs to the library
        SigningKey(secret)
    assert_clean("".join(traceback.format_exception(refused.value)))


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "key.json"
    create_keystore(path, Secret.of(PASSWORD), secret=KEY_BYTES, scrypt_n=2)
    return path


def test_a_keystore_opens_with_its_password_and_with_other_programs(keystore: Path) -> None:
    assert load_keystore(keystore, Secret.of(PASSWORD)).evm_address == SENDER
    assert Account.decrypt(json.loads(keystore.read_text()), PASSWORD) == SECRET
    assert stat.S_IMODE(keystore.stat().st_mode) == 0o600
    assert stat.S_IMODE(keystore.parent.stat().st_mode) == 0o700
    assert json.loads(keystore.read_text())["crypto"]["kdf"] == "scrypt"
    assert_clean(keystore.read_bytes())


def test_a_keystore_made_elsewhere_opens(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text(json.dumps(Account.encrypt(SECRET, PASSWORD, kdf="scrypt", iterations=2)))
    path.chmod(0o600)
    assert load_keystore(path, Secret.of(PASSWORD)).evm_address == SENDER


def test_a_drawn_key_is_a_new_one_each_time(tmp_path: Path) -> None:
    drawn = {create_keystore(tmp_path / str(n), Secret.of(PASSWORD), scrypt_n=2) for n in range(3)}
    assert len(drawn) == 3


def broken(content: str) -> list[str]:
    keystore = json.loads(content)
    without_mac = {**keystore, "crypto": {**keystore["crypto"], "mac": "00" * 32}}
    return ["", "{", "[]", "{}", '{"version":9}', json.dumps(without_mac), PASSWORD, KEY_BYTES.hex()]


def test_a_keystore_that_does_not_open_says_so_and_nothing_else(keystore: Path) -> None:
    original = keystore.read_text()
    cases = [(text, PASSWORD) for text in broken(original)] + [
        (original, "another"),
        (original, PASSWORD + " "),
    ]
    for text, password in cases:
        keystore.write_text(text)
        with pytest.raises(KeystoreRefused) as refused:
            load_keystore(keystore, Secret.of(password))
        shown = "".join(traceback.format_exception(refused.value))
        assert str(keystore) in shown
        assert_clean(shown)


def test_files_that_others_may_read_are_refused(keystore: Path, tmp_path: Path) -> None:
    keystore.chmod(0o640)
    with pytest.raises(KeystoreRefused, match="chmod 600"):
        load_keystore(keystore, Secret.of(PASSWORD))
    create_password(tmp_path / "p")
    (tmp_path / "p").chmod(0o644)
    with pytest.raises(KeystoreRefused, match="chmod 600"):
        read_password(SecretPlace(file=str(tmp_path / "p")), {})


def test_nothing_is_written_over_a_keystore_or_beside_an_old_mark(keystore: Path) -> None:
    with pytest.raises(KeystoreRefused):
        create_keystore(keystore, Secret.of(PASSWORD), scrypt_n=2)
    keystore.unlink()
    mark_path(keystore).write_text("x")
    with pytest.raises(KeystoreRefused):
        create_keystore(keystore, Secret.of(PASSWORD), scrypt_n=2)


def test_a_password_comes_from_a_file_without_its_newline_or_from_a_variable(tmp_path: Path) -> None:
    password = create_password(tmp_path / "p")
    assert read_password(SecretPlace(file=str(tmp_path / "p")), {}).matches(password.reveal())
    assert read_password(SecretPlace(env="P"), {"P": PASSWORD}).matches(PASSWORD.encode())
    for place in (SecretPlace(env="NOT_SET"), SecretPlace(file=str(tmp_path / "none"))):
        with pytest.raises(KeystoreRefused):
            read_password(place, {})


def test_a_password_from_the_environment_starts_a_signer(
    keystore: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("s")
    config = folder / "signer.toml"
    limits = NETWORKS["tron"]
    config.write_text(
        f"""
        socket = "s"
        log = "log"
        keys.hot = {{ keystore = "{keystore}", password = {{ env = "SIGNER_PASSWORD" }} }}
        [networks.tron]
        kind = "simulated"
        key = "hot"
        fee = {{ total_max = "{limits.fee.total_max}" }}
        replacement_fee = {{ total_max = "5000" }}
        assets.USDT = {{ payment_max = "1000000000" }}
        """
    )
    assert main(["--config", str(config), "--init"]) == 0
    environment = {**os.environ, "SIGNER_PASSWORD": PASSWORD}
    with SignerChild(config, environment=environment) as child, child.client() as client:
        assert client.sign(SIM_BASE).raw == SIGNING_KEY.sign(SIM_BASE)
    with pytest.raises(Unavailable):
        SignerChild(config)


def test_a_key_is_marked_with_its_log_from_the_first(config: Path) -> None:
    told = read_config(config)
    mark = read_mark(Path(told.keys["hot"].keystore))
    log = open_log(Path(told.log))
    assert mark is not None
    assert (mark.log_id, mark.seq, mark.head) == (log.log_id, 0, log.head)
    log.close()
    with pytest.raises(LogRefused):
        initialise(told, START_MS)
    assert main(["--config", str(config), "--init"]) == 1
    with pytest.raises(SetUpFailed):
        set_up(config.parent, NETWORKS)


def test_a_set_up_that_was_killed_is_done_again(config: Path) -> None:
    (keystore,) = (Path(key.keystore) for key in read_config(config).keys.values())
    mark_path(keystore).unlink()
    config.unlink()
    set_up(config.parent, NETWORKS)
    with SignerChild(config) as child, child.client() as client:
        assert client.address("ethereum") == SENDER


def test_a_key_never_used_without_a_log_is_not_started_with(config: Path) -> None:
    told = read_config(config)
    mark_path(Path(told.keys["hot"].keystore)).unlink()
    Path(told.log).unlink()
    with pytest.raises(Unavailable):
        SignerChild(config)


def test_one_key_has_one_signer_even_with_two_logs(config: Path, tmp_path: Path) -> None:
    told = read_config(config)
    second = msgspec.structs.replace(told, socket=str(tmp_path / "s2"), log=str(tmp_path / "log2"))
    with pytest.raises(LogRefused, match="has a log already"):
        initialise(second, START_MS)
    # With its mark taken away, the keystore itself is still held while the first signer lives.
    with SignerChild(config):
        mark_path(Path(told.keys["hot"].keystore)).unlink()
        initialise(second, START_MS)
        with pytest.raises(LogRefused, match="another signer"):
            open_signer(second, {}, SystemClock())


def test_a_configuration_that_does_not_hold_together_is_refused(config: Path) -> None:
    told = msgspec.json.decode(config.read_bytes())
    changes = [
        {"socket": "x" * 120},
        {"surplus": 1},
        {"networks": {"a": {**told["networks"]["ethereum"], "key": "cold"}}},
        {"networks": {"a": told["networks"]["ethereum"], "b": told["networks"]["ethereum"]}},
        {
            "networks": {
                "a": {**told["networks"]["ethereum"], "contracts": {"0x" + "c0" * 20: {"payment_max": "1"}}}
            }
        },
        {"networks": {"a": {**told["networks"]["tron"], "fee": {"total_max": "-1"}}}},
        {"networks": {"a": {**told["networks"]["tron"], "fee": {"total_max": 1}}}},
        {"keys": {"hot": {"keystore": "k", "password": {}}}},
        {"keys": {"hot": {"keystore": "k", "password": {"env": "A", "file": "b"}}}},
        {"keys": {"hot": {"keystore": "k", "password": "plain"}}},
    ]
    for change in changes:
        config.write_bytes(msgspec.json.encode({**told, **change}))
        with pytest.raises(ConfigRefused):
            read_config(config)
    config.write_bytes(msgspec.json.encode(told))
    assert isinstance(read_config(config), SignerConfig)
    with pytest.raises(ConfigRefused):
        read_config(config.with_name("none.toml"))
