"""The encrypted file a key lives in: Web3 secret storage, version 3, with scrypt, by eth_keyfile."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from coincurve import PrivateKey

from penstock.core.secret import Secret
from penstock.signer.config import SecretPlace
from penstock.signer.log import mark_path, sync_folder
from penstock.signer.signatures import SigningKey

SCRYPT_N = 2**18
"""Work factor of a new keystore: about a second. A sandbox, whose money is play money, may take less."""
KEYSTORE_BYTES_MAX = 16_384
PASSWORD_BYTES_MAX = 1_024


class KeystoreRefused(Exception):
    """A keystore or password cannot be used. The text names the file and the trouble, never its content."""


def create_keystore(
    path: Path, password: Secret, *, secret: bytes | None = None, scrypt_n: int = SCRYPT_N
) -> str:
    """Make a keystore (0600, in a folder of 0700) with a new key and return its EVM address.

    secret: 32 bytes, to bring a known key in; None draws one. scrypt_n: a power of two.
    Raises KeystoreRefused when the file, or the mark of an earlier one, is there already: nothing is ever
    overwritten.
    """
    from eth_keyfile.keyfile import create_keyfile_json  # noqa: PLC0415 - 0.8 s, only when needed

    if path.exists() or mark_path(path).exists():
        raise KeystoreRefused(f"{path}: there is a keystore or its mark already")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    drawn = PrivateKey().secret if secret is None else secret
    key = SigningKey(drawn)
    content = create_keyfile_json(drawn, password.reveal(), kdf="scrypt", iterations=scrypt_n)
    write_private(path, json.dumps(content).encode())
    return key.evm_address


def load_keystore(path: Path, password: Secret) -> SigningKey:
    """Decrypt a keystore. Raises KeystoreRefused."""
    from eth_keyfile.keyfile import decode_keyfile_json  # noqa: PLC0415 - as above

    text = read_private(path, KEYSTORE_BYTES_MAX)
    try:
        content = cast("object", json.loads(text))
    except ValueError:
        raise KeystoreRefused(f"{path}: not JSON") from None
    if not isinstance(content, dict):
        raise KeystoreRefused(f"{path}: not a keystore")
    try:
        secret = decode_keyfile_json(cast("dict[object, object]", content), password.reveal())
        return SigningKey(secret)
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        # The text of what went wrong is left out on purpose: it may hold what was being decrypted.
        raise KeystoreRefused(
            f"{path}: cannot be decrypted ({type(error).__name__}): wrong password?"
        ) from None


def read_password(place: SecretPlace, environment: Mapping[str, str]) -> Secret:
    """Fetch a password. Raises KeystoreRefused."""
    if place.env:
        text = environment.get(place.env)
        if not text:
            raise KeystoreRefused(f"the variable {place.env} holds no password")
        return Secret.of(text)
    content = read_private(Path(place.file), PASSWORD_BYTES_MAX).removesuffix(b"\n")
    if not content:
        raise KeystoreRefused(f"{place.file}: empty")
    return Secret(content)


def write_private(path: Path, content: bytes) -> None:
    """Make a new file that only we may read, durable when this returns. Raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def read_private(path: Path, bytes_max: int) -> bytes:
    """Read a small file that nobody else may read. Raises KeystoreRefused."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise KeystoreRefused(f"{path}: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeystoreRefused(f"{path}: others may read or change it (mode {mode & 0o777:o}); use chmod 600")
    if len(content) > bytes_max:
        raise KeystoreRefused(f"{path}: longer than {bytes_max} bytes")
    return content


def create_password(path: Path) -> Secret:
    """Draw a password and write it to a new file of 0600. Raises FileExistsError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = secrets.token_urlsafe(32)
    write_private(path, password.encode() + b"\n")
    return Secret.of(password)
