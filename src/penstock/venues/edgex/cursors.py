"""Where a page of withdrawals goes on: an opaque token that only we can have made, for this very list."""

from __future__ import annotations

import base64
import binascii
import hmac

_ID_BYTES = 8
_MAC_BYTES = 16
_TOKEN_CHARACTERS = 32


class Cursors:
    """Makes and reads tokens. key: a secret that every process serving the same clients shares."""

    def __init__(self, key: bytes) -> None:
        assert key, "an empty key authenticates nothing"
        self._key = key

    def write(self, last_id: int, listed: str) -> str:
        """The token for what follows `last_id`. listed: whose list it is, and every filter of it."""
        position = last_id.to_bytes(_ID_BYTES, "big")
        return base64.urlsafe_b64encode(position + self._mac(position, listed)).decode()

    def read(self, token: str, listed: str) -> int | None:
        """The id that a token stands for; None unless it was written for the same list."""
        if len(token) != _TOKEN_CHARACTERS or not token.isascii():
            return None
        try:
            read = base64.b64decode(token, altchars=b"-_", validate=True)
        except binascii.Error:
            return None
        position, mac = read[:_ID_BYTES], read[_ID_BYTES:]
        if not hmac.compare_digest(mac, self._mac(position, listed)):
            return None
        return int.from_bytes(position, "big")

    def _mac(self, position: bytes, listed: str) -> bytes:
        return hmac.digest(self._key, b"edgex cursor\0" + position + listed.encode(), "sha256")[:_MAC_BYTES]
