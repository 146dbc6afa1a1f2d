"""AlphaPo requests and callbacks, built and checked from the venue's pages alone: nothing of Penstock is imported.

Source: AlphaPo docs, "Authentication" and "Get callbacks".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

BASE = "/api/v2"
WITHDRAWAL = "/withdrawal/crypto"
INFO = "/transactions/info"
ACCOUNTS = "/accounts/list"
CURRENCIES = "/currencies/list"
PAIRS = "/currencies/pairs"
RATES = "/currencies/rates"
TAKE = "/addresses/take"
CALCULATE = "/exchange/calculate"
FIXED = "/exchange/fixed"
NOW = "/exchange/now"

Headers = tuple[tuple[bytes, bytes], ...]


def signature(secret: str, body: bytes) -> str:
    """Over the body as it is on the wire, whatever way it was written in."""
    return hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()


@dataclass(frozen=True)
class KeyPair:
    """What a merchant signs with."""

    processing_key: str
    secret: str

    def headers(self, body: bytes) -> dict[bytes, bytes]:
        """Of a sound request, by name; a test changes what it wants."""
        return {
            b"Host": b"127.0.0.1",
            b"Content-Type": b"application/json",
            b"X-Processing-Key": self.processing_key.encode(),
            b"X-Processing-Signature": signature(self.secret, body).encode(),
            b"Content-Length": b"%d" % len(body),
        }

    def request(
        self,
        path: str,
        body: bytes = b"",
        method: str = "POST",
        changes: Mapping[bytes, bytes | None] | None = None,
    ) -> bytes:
        """A whole request to a path below the base. changes: to its headers, where None leaves one out."""
        headers = {**self.headers(body), **(changes or {})}
        return written(
            path, body, tuple((name, value) for name, value in headers.items() if value is not None), method
        )

    def wrote(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether a callback is this merchant's: its key, and the signature over the body as it arrived.

        headers: names in lower case.
        """
        told = headers.get("x-processing-signature", "")
        return headers.get("x-processing-key") == self.processing_key and hmac.compare_digest(
            told.encode(), signature(self.secret, body).encode()
        )


def written(path: str, body: bytes, headers: Headers, method: str = "POST") -> bytes:
    lines = [f"{method} {BASE}{path} HTTP/1.1".encode(), *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
