"""SunX requests and wallet signatures, built from the venue's pages alone: nothing of Penstock is imported.

Source: SunX docs, "Authentication", "Create a Withdraw Request", "Confirm a Withdraw Request"; TIP-191 for the wallet.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account as EthAccount
from eth_account.messages import SignableMessage, encode_defunct
from eth_utils.crypto import keccak

from tests.acceptance.base58check import base58check

PREFIX = "/sapi/v1"
APPLY = PREFIX + "/sunperp/dw/withdraw/apply"
CONFIRM = PREFIX + "/sunperp/dw/withdraw/confirm"
RECORDS = PREFIX + "/sunperp/dw/query/deposit-withdraw"
BALANCE = PREFIX + "/account/balance"

VENUE_HOST = "api.sunx.io"
TENANT = b"6X2K9L4V1C"


def stamp(shifted_s: int = 0) -> str:
    """Now, or some seconds away from it, as the venue writes a time."""
    return (datetime.now(UTC) + timedelta(seconds=shifted_s)).strftime("%Y-%m-%dT%H:%M:%S")


# ---- the API's signature ----


@dataclass(frozen=True)
class ApiKey:
    """An access key. secret: of the HMAC; or ed25519: the private half, whose owner signs by it alone."""

    access_key: str
    secret: str = ""
    ed25519: Ed25519PrivateKey | None = None

    @property
    def method(self) -> str:
        return "HmacSHA256" if self.ed25519 is None else "Ed25519"

    def signature(self, text: str) -> str:
        if self.ed25519 is None:
            octets = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest()
        else:
            octets = self.ed25519.sign(text.encode())
        return base64.b64encode(octets).decode()


def signed_path(path: str) -> str:
    """What stands for the path in the signed text: the wallet group drops its first two segments."""
    return path.removeprefix(PREFIX) if path.startswith(PREFIX + "/sunperp/dw/") else path


def canonical(parameters: dict[str, str]) -> str:
    pairs = sorted((name.encode(), value) for name, value in parameters.items() if name != "Signature")
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def prehash(method: str, host: str, path: str, query: str) -> str:
    return f"{method}\n{host.lower()}\n{path}\n{query}"


def claims(key: ApiKey, timestamp: str | None = None) -> dict[str, str]:
    """The parameters that every call carries beside its signature."""
    return {
        "AccessKeyId": key.access_key,
        "SignatureMethod": key.method,
        "SignatureVersion": "2",
        "Timestamp": stamp() if timestamp is None else timestamp,
    }


@dataclass(frozen=True)
class Call:
    """One call, still to be signed. What a test wants wrong it gives; the rest is as documented.

    host: of the Host header. signs_host, signs_path: what the signature covers in their place.
    """

    method: str
    path: str
    host: str
    query: dict[str, str]
    body: bytes = b""
    signs_host: str = ""
    signs_path: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ((b"CLOUD-EXCHANGE", TENANT),)

    def signature(self, key: ApiKey) -> str:
        path = self.signs_path or signed_path(self.path)
        return key.signature(prehash(self.method, self.signs_host or self.host, path, canonical(self.query)))

    def written(self, signature: str | None) -> bytes:
        """The bytes on the wire, with this signature or none."""
        query = canonical(self.query)
        if signature is not None:
            query += f"&Signature={quote(signature, safe='')}"
        return self.raw(f"{self.path}?{query}".encode())

    def raw(self, target: bytes) -> bytes:
        """The same request to another target."""
        lines = [
            self.method.encode() + b" " + target + b" HTTP/1.1",
            b"Host: " + self.host.encode(),
            *(name + b": " + value for name, value in self.headers),
        ]
        if self.method == "POST" or self.body:
            lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(self.body)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body

    def signed(self, key: ApiKey) -> bytes:
        return self.written(self.signature(key))


def post(path: str, key: ApiKey, host: str, members: object) -> Call:
    """members: of the body; bytes go out as they are."""
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    return Call("POST", path, host, claims(key), body)


def get(path: str, key: ApiKey, host: str, **parameters: str) -> Call:
    return Call("GET", path, host, claims(key) | parameters)


# ---- the wallet's signature ----


@dataclass(frozen=True)
class Wallet:
    """A TRON wallet by its private key, 64 hexadecimal digits."""

    private_key: str

    @property
    def address(self) -> str:
        """Base58Check of 0x41 and the last 20 bytes of the public key's hash."""
        public = PrivateKey(bytes.fromhex(self.private_key)).public_key.format(compressed=False)
        return base58check(b"\x41" + keccak(public[1:])[-20:])

    def by_hand(self, content: str) -> str:
        """TIP-191, as TronWeb's signMessageV2 makes it: the digest by hand, the curve by libsecp256k1."""
        return self._over(digest(content))

    def by_eth_account(self, content: str) -> str:
        """The same by eth-account, to which TIP-191 is EIP-191 with another header."""
        body = content.encode()
        message = SignableMessage(b"T", b"RON Signed Message:\n" + str(len(body)).encode(), body)
        return "0x" + EthAccount.sign_message(message, self.private_key).signature.hex()

    def as_ethereum_message(self, content: str) -> str:
        """EIP-191, which the venue does not take."""
        return "0x" + EthAccount.sign_message(encode_defunct(text=content), self.private_key).signature.hex()

    def by_the_old_way(self, content: str) -> str:
        """TronWeb's first `sign`, whose header always says 32 bytes, and which the venue does not take."""
        return self._over(keccak(b"\x19TRON Signed Message:\n32" + content.encode()))

    def _over(self, hashed: bytes) -> str:
        signature = PrivateKey(bytes.fromhex(self.private_key)).sign_recoverable(hashed, hasher=None)
        return "0x" + signature[:64].hex() + f"{signature[64] + 27:02x}"


def digest(content: str) -> bytes:
    body = content.encode()
    return keccak(b"\x19TRON Signed Message:\n" + str(len(body)).encode() + body)
