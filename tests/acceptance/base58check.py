"""Base58Check, written from its definition, and new addresses in it that are nobody's."""

from __future__ import annotations

import hashlib
import secrets

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58check(payload: bytes) -> str:
    """payload: the version byte and what it is about."""
    whole = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(whole), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(whole) - len(whole.lstrip(b"\0"))) + text


def new_tron_address() -> str:
    return base58check(b"\x41" + secrets.token_bytes(20))


def new_bitcoin_address() -> str:
    """Of the oldest kind, which pays to the hash of a key."""
    return base58check(b"\0" + secrets.token_bytes(20))
