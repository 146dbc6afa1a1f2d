"""The signer's configuration: one TOML or JSON file, closed. It names where secrets lie and holds none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from penstock.chains.evm.addresses import is_checksummed
from penstock.signer.limits import EvmLimits, NetworkLimits

CONFIG_BYTES_MAX = 1_048_576
# sockaddr_un.sun_path holds 108 bytes with its end mark (Linux, unix(7)).
SOCKET_PATH_MAX = 107


class ConfigRefused(Exception):
    """The configuration cannot be used; the text says which field and why."""


class SecretPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret lies: exactly one of a variable and a file (0600; one newline at its end is no part)."""

    file: str = ""
    env: str = ""


class KeyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """keystore: the encrypted file."""

    keystore: str
    password: SecretPlace


class SignerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a signer is told. Relative paths are taken from the folder of the configuration file.

    keys and networks by name; a network names the key it pays from. client_uids: users that may ask, beside
    the signer's own (which is the rule); the socket then opens to the group too.
    """

    socket: str
    log: str
    keys: dict[str, KeyConfig]
    networks: dict[str, NetworkLimits]
    client_uids: tuple[int, ...] = ()


def read_config(path: Path) -> SignerConfig:
    """Read a configuration file: TOML when its name ends so, JSON otherwise. Paths come back absolute.

    Raises ConfigRefused.
    """
    try:
        content = path.read_bytes()
        decode = msgspec.toml.decode if path.suffix == ".toml" else msgspec.json.decode
        config = decode(content, type=SignerConfig)
    except OSError as error:
        raise ConfigRefused(f"{path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigRefused(f"{path}: {error}") from None
    if len(content) > CONFIG_BYTES_MAX:
        raise ConfigRefused(f"{path}: longer than {CONFIG_BYTES_MAX} bytes")
    _check(config, path)
    return _absolute(config, path.absolute().parent)


def write_config(path: Path, config: SignerConfig) -> None:
    """Write a configuration as JSON. Holds no secret."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n")


def _check(config: SignerConfig, path: Path) -> None:
    chain_ids: dict[int, str] = {}
    for name, limits in config.networks.items():
        if limits.key not in config.keys:
            raise ConfigRefused(f"{path}: networks.{name}.key: no key {limits.key!r}")
        if isinstance(limits, EvmLimits):
            if limits.chain_id <= 0 or chain_ids.setdefault(limits.chain_id, name) != name:
                raise ConfigRefused(
                    f"{path}: networks.{name}.chain_id: not positive, or used by another network too"
                )
            wrong = [contract for contract in limits.contracts if not is_checksummed(contract)]
            if wrong:
                raise ConfigRefused(
                    f"{path}: networks.{name}.contracts: {wrong[0]!r} is not in its EIP-55 spelling"
                )
    for name, key in config.keys.items():
        if bool(key.password.file) == bool(key.password.env):
            raise ConfigRefused(f"{path}: keys.{name}.password: name a file or a variable, and one of them")
    keystores = [key.keystore for key in config.keys.values()]
    if len(set(keystores)) != len(keystores):
        raise ConfigRefused(f"{path}: keys: two of them share a keystore")


def _absolute(config: SignerConfig, folder: Path) -> SignerConfig:
    socket = str(folder / config.socket)
    if len(os.fsencode(socket)) > SOCKET_PATH_MAX:
        raise ConfigRefused(
            f"socket: {socket} is longer than the {SOCKET_PATH_MAX} bytes that a unix socket may have"
        )
    return msgspec.structs.replace(
        config, socket=socket, log=str(folder / config.log), keys=_absolute_keys(config.keys, folder)
    )


def _absolute_keys(keys: Mapping[str, KeyConfig], folder: Path) -> dict[str, KeyConfig]:
    return {
        name: KeyConfig(
            keystore=str(folder / key.keystore),
            password=SecretPlace(
                file=str(folder / key.password.file) if key.password.file else "", env=key.password.env
            ),
        )
        for name, key in keys.items()
    }
