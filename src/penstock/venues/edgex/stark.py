"""Keys, signatures and hashes on the Stark curve: the one place that calls the library, behind guards.

`fast-stark-crypto` where it is installed, else `stark_fallback`. The library must not see a number out of range: it
reduces modulo the field's prime, so that (r + P, s) would pass for (r, s), and it panics with a BaseException where r,
s or a key are impossible. Nothing here does IO or keeps a secret.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from penstock.core.secret import Secret
from penstock.venues.edgex.stark_fallback import BOUND, B, N, P, public_point, y_of

try:
    from fast_stark_crypto import pedersen_hash as _pedersen_hash
    from fast_stark_crypto import sign as _sign
    from fast_stark_crypto import verify as _verify
except ImportError:  # no wheel for this machine
    from penstock.venues.edgex.stark_fallback import pedersen_hash as _pedersen_hash
    from penstock.venues.edgex.stark_fallback import sign as _sign
    from penstock.venues.edgex.stark_fallback import verify as _verify

KEYS_KEPT = 4_096
HEX_DIGITS = 64

_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,64})", re.ASCII)
_WORDS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})([0-9a-fA-F]{64})([0-9a-fA-F]{64})?", re.ASCII)


class PublicKey(msgspec.Struct, frozen=True):
    """A point on the curve. x alone says who signs; y is None where nobody told which of the two it is."""

    x: int
    y: int | None


class Signature(msgspec.Struct, frozen=True):
    """r and s as they were sent, not looked at yet."""

    r: int
    s: int

    @property
    def text(self) -> str:
        """128 lower-case hex digits."""
        return f"{self.r:064x}{self.s:064x}"


@lru_cache(maxsize=KEYS_KEPT)
def read_public_key(text: bytes) -> PublicKey | None:
    """A registered key: hex of x, ":", hex of y or nothing. None where that is no point on the curve."""
    first, _, second = text.decode("latin-1").partition(":")
    x = _read_hex(first)
    if x is None or x >= P:
        return None
    if not second:
        return None if y_of(x) is None else PublicKey(x, None)
    y = _read_hex(second)
    if y is None or y >= P or (y * y - x * x * x - x - B) % P:
        return None
    return PublicKey(x, y)


def _read_hex(text: str) -> int | None:
    found = _HEX.fullmatch(text)
    return int(found[1], 16) if found else None


def read_signature(text: str, *, with_y: bool = False) -> Signature | None:
    """The two numbers, each 64 hex digits in either case, with or without 0x before them; None for anything else.

    with_y: a third word may follow, the signer's y coordinate (edgeX docs, "Authentication", Java sample); it says
    nothing that the key does not say, and is not looked at.
    """
    found = _WORDS.fullmatch(text)
    if found is None or (found[3] and not with_y):
        return None
    return Signature(int(found[1], 16), int(found[2], 16))


def verifies(key: PublicKey, message: int, signature: Signature) -> bool:
    """Whether the holder of `key` signed `message`; False for every number out of its range.

    message: a hash, already reduced modulo N. Ranges: StarkWare docs, "Signature construction". (r, N - s) verifies
    where (r, s) does, so a signature is never an identity.
    """
    r, s = signature.r, signature.s
    if not (1 <= r < BOUND and 1 <= s < N and 0 <= message < BOUND and 0 <= key.x < P):
        return False
    try:
        return _verify(key.x, message, r, s)
    except BaseException as panic:
        # The library's panic is no Exception; by the ranges above it should not come. Anything else is not ours.
        if isinstance(panic, ValueError) or type(panic).__name__ == "PanicException":
            return False
        raise


def pedersen_hash(first: int, second: int) -> int:
    """StarkWare's Pedersen hash of two field elements."""
    assert 0 <= first < P, "no field element"
    assert 0 <= second < P, "no field element"
    return _pedersen_hash(first, second)


# --- for whoever holds a private key: the client, the sandbox, the load generator --------------------------------


def read_private_key(secret: Secret) -> int | None:
    """The key behind at most 64 hex digits, 1 to N - 1; None where there is none. It is a secret: do not keep it.

    A larger number is reduced modulo N, as edgeX's own Python SDK does it (0.3.0).
    """
    found = _HEX.fullmatch(secret.reveal().decode("latin-1"))
    number = int(found[1], 16) % N if found else 0
    return number or None


def public_key_text(private_key: Secret) -> str:
    """The key's public half as `read_public_key` wants it. Raises ValueError for what is no private key."""
    number = read_private_key(private_key)
    if number is None:
        raise ValueError("a Stark private key is at most 64 hexadecimal digits, and not zero")
    x, y = public_point(number)
    return f"{x:064x}:{y:064x}"


def sign(private_key: Secret, message: int) -> Signature:
    """Sign a hash that is already reduced modulo N; the same arguments give the same signature (RFC 6979).

    Raises ValueError for what is no private key.
    """
    assert 0 <= message < BOUND, "a hash that cannot be signed"
    number = read_private_key(private_key)
    if number is None:
        raise ValueError("a Stark private key is at most 64 hexadecimal digits, and not zero")
    return Signature(*_sign(number, message))
