"""A wallet key in the customer's own hands, for the client: it signs contents and does nothing else.

No part of the service imports this but the sandbox, whose customer it is: the service only verifies.
"""

from __future__ import annotations

import re

from coincurve import PrivateKey

from penstock.core.secret import Secret
from penstock.venues.sunx import wallet

_HEX = re.compile(rb"(?:0x)?[0-9a-fA-F]{64}")


class WalletKey:
    """The key of a TRON account. address: its Base58Check form."""

    __slots__ = ("_private", "address")

    def __init__(self, secret: Secret) -> None:
        """secret: 64 hexadecimal digits, 0x or not. Raises ValueError, which never shows it."""
        self._private = _private_key(secret)
        self.address = wallet.address_of(self._private.public_key.format(compressed=False))

    def __repr__(self) -> str:
        # A traceback may show one that was never finished.
        return f"WalletKey({getattr(self, 'address', 'unusable')}, ***)"

    def sign(self, content: str) -> str:
        """The signature as TronWeb writes it: 0x and 130 lower-case digits. The same content, the same signature."""
        octets = self._private.sign_recoverable(wallet.digest(content), hasher=None)  # pyright: ignore[reportUnknownMemberType] - an argument we do not use
        return "0x" + wallet.Signature(octets).canonical


def _private_key(secret: Secret) -> PrivateKey:
    # Nothing here is held under a name: a traceback that shows local variables must not show the key.
    if _HEX.fullmatch(secret.reveal()) is None:
        raise ValueError("a wallet key is 64 hexadecimal digits")
    try:
        return PrivateKey(bytes.fromhex(secret.reveal().decode().removeprefix("0x")))
    except ValueError:
        raise ValueError("the wallet key is no number of the curve") from None
