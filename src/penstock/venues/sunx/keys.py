"""What a SunX key has to be for its owner's requests ever to be let in."""

from __future__ import annotations

import re

from penstock.venues.sunx.auth import PUBLIC_KEY_MARK
from penstock.venues.venue import KeyFault

_MARK = PUBLIC_KEY_MARK.decode()
_PUBLIC_KEY = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


def check_key(_key_id: str, secret: str, _passphrase: str) -> KeyFault | None:
    """A venue.CheckKey. Any 32 bytes may be an Ed25519 key; any text without the mark is the secret of an HMAC."""
    marked = secret[: len(_MARK)].lower() == _MARK
    if not marked or (secret.startswith(_MARK) and _PUBLIC_KEY.fullmatch(secret[len(_MARK) :])):
        return None
    return KeyFault(
        "secret", f"An Ed25519 key of SunX is written {_MARK} and 64 hex digits, its public half."
    )
