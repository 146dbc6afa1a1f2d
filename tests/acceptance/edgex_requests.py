"""edgeX requests and layer 2 signatures, built from the venue's pages alone: nothing of Penstock is imported.

Source: edgeX docs, "Authentication" and "Withdraw API"; StarkWare docs, "Signature construction" (StarkEx Perpetual,
WithdrawalToAddress). Curve arithmetic is fast-stark-crypto's; test_edgex_conformance.py compares it with that of the
venue's own Python SDK.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import fast_stark_crypto
from eth_utils.crypto import keccak

from tests.acceptance.calls import Call, next_source, now_ms
from tests.acceptance.customers import Customer, new_evm_address, open_account
from tests.acceptance.raw_http import Answer, ask
from tests.acceptance.sandbox_process import Sandbox

WITHDRAW = "/api/v1/private/withdraw/"
CREATE = WITHDRAW + "createWithdraw"
BY_ID = WITHDRAW + "getWithdrawById"
BY_CLIENT_ID = WITHDRAW + "getWithdrawByClientWithdrawId"
ACTIVE = WITHDRAW + "getActiveWithdraw"
AVAILABLE = WITHDRAW + "getWithdrawAvailableAmount"
NORMAL_CREATE = "/api/v1/private/assets/createNormalWithdraw"
NORMAL_BY_ID = "/api/v1/private/assets/getNormalWithdrawById"
TRANSFER_AVAILABLE = "/api/v1/private/transfer/getTransferOutAvailableAmount"
ACCOUNT_ASSET = "/api/v1/private/account/getAccountAsset"
ACCOUNT_BY_ID = "/api/v1/private/account/getAccountById"
SERVER_TIME = "/api/v1/public/meta/getServerTime"
META_DATA = "/api/v1/public/meta/getMetaData"
POSTS = (CREATE, NORMAL_CREATE)
LOOKS = (
    BY_ID,
    BY_CLIENT_ID,
    ACTIVE,
    AVAILABLE,
    NORMAL_BY_ID,
    TRANSFER_AVAILABLE,
    ACCOUNT_ASSET,
    ACCOUNT_BY_ID,
)

N = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
TESTNET_ASSET = 0x33BDA5C923BAE4E84825B74762D5482889B9512465FBFFC50D1AE4B82E345C3
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
TIMESTAMP, SIGNATURE = "X-edgeX-Api-Timestamp", "X-edgeX-Api-Signature"

Members = Mapping[str, Any]


# ---- the request's signature ----


def flat(value: Any) -> str:
    """A body as it is signed (edgeX docs, "Authentication", RequestBodyToString)."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict():
            return "&".join(f"{name}={flat(value[name])}" for name in sorted(value))
        case list():
            return "&".join(flat(item) for item in value)
        case _:
            return str(value)


def digest(content: str) -> int:
    """Keccak-256 as in Ethereum, modulo the curve's order."""
    return int.from_bytes(keccak(content.encode()), "big") % N


@dataclass(frozen=True)
class StarkKey:
    """A layer 2 key by its private half."""

    private: int

    @property
    def public(self) -> int:
        return fast_stark_crypto.get_public_key(self.private)

    def sign(self, number: int) -> str:
        """r and s, 64 hexadecimal digits each."""
        r, s = fast_stark_crypto.sign(self.private, number)
        return f"{r:064x}{s:064x}"


# ---- the withdrawal's signature ----


def nonce_of(client_id: str) -> int:
    return int.from_bytes(hashlib.sha256(client_id.encode()).digest()[:4], "big")


@dataclass(frozen=True)
class Message:
    """WithdrawalToAddress; amount in units of layer 2, hours since 1970."""

    position: int
    nonce: int
    amount: int
    hours: int
    address: int
    asset: int = TESTNET_ASSET
    kind: int = 7

    @property
    def words(self) -> tuple[int, int]:
        packed = (((self.kind * 2**64 + self.position) * 2**32 + self.nonce) * 2**64 + self.amount) * 2**32
        return fast_stark_crypto.pedersen_hash(self.asset, self.address), (packed + self.hours) * 2**49

    @property
    def hash(self) -> int:
        return fast_stark_crypto.pedersen_hash(*self.words)


def message_of(members: Members) -> Message:
    """What the members of a withdrawal say on layer 2."""
    whole, _, fraction = str(members["amount"]).partition(".")
    expires = members["l2ExpireTime"] if "l2ExpireTime" in members else members["expireTime"]
    return Message(
        position=int(members["accountId"]),
        nonce=nonce_of(members["clientWithdrawId"]),
        amount=int(whole + fraction.ljust(6, "0")[:6]),
        hours=int(expires) // HOUR_MS,
        address=int(members["ethAddress"], 16),
    )


# ---- calls ----


def headers(timestamp: str, signature: str) -> tuple[tuple[str, str], ...]:
    return ((TIMESTAMP, timestamp), (SIGNATURE, signature), ("Content-Type", "application/json"))


def get(
    path: str,
    key: StarkKey,
    parameters: Mapping[str, str],
    *,
    query: str | None = None,
    timestamp: str | None = None,
) -> Call:
    """A GET signed over its parameters as plain text. query: what goes out in place of them, form-encoded."""
    stamp = str(now_ms()) if timestamp is None else timestamp
    text = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    signature = key.sign(digest(f"{stamp}GET{path}{text}"))
    sent = urlencode(parameters) if query is None else query
    return Call("GET", path, sent, headers(stamp, signature))


def post(path: str, key: StarkKey, members: Members, *, timestamp: str | None = None) -> Call:
    stamp = str(now_ms()) if timestamp is None else timestamp
    signature = key.sign(digest(f"{stamp}POST{path}{flat(members)}"))
    return Call("POST", path, headers=headers(stamp, signature), body=json.dumps(members).encode())


# ---- answers ----


@dataclass(frozen=True)
class Told:
    """An answer whose envelope was whole."""

    status: int
    code: str
    data: Any
    message: str | None
    error_param: dict[str, str] | None
    envelope: dict[str, Any]
    headers: dict[str, str]
    seconds: float

    @property
    def verdict(self) -> tuple[int, str]:
        """(HTTP status, code)."""
        return self.status, self.code

    @property
    def withdraw_id(self) -> str:
        assert self.verdict == (200, "SUCCESS"), self
        assert list(self.data) == ["withdrawId"]
        return str(self.data["withdrawId"])


def told(answer: Answer) -> Told:
    envelope: dict[str, Any] = json.loads(answer.body)
    names = ["code", "data", "msg", "errorParam", "requestTime", "responseTime", "traceId"]
    assert list(envelope) == names, envelope
    assert answer.headers["content-type"] == "application/json"
    for name in ("requestTime", "responseTime"):
        assert abs(int(envelope[name]) - now_ms()) < 60_000
    assert len(bytes.fromhex(envelope["traceId"])) == 16
    assert envelope["traceId"] == envelope["traceId"].lower()
    assert (envelope["msg"] is None) == (envelope["code"] == "SUCCESS")
    code, data, message, error_param = (envelope[name] for name in names[:4])
    return Told(answer.status, code, data, message, error_param, envelope, answer.headers, answer.seconds)


def send(sandbox: Sandbox, call: Call | bytes) -> Told:
    """One exchange on a connection of its own, which must be sane afterwards."""
    return told(ask(sandbox, call if isinstance(call, bytes) else call.raw, next_source()))


def send_refused(sandbox: Sandbox, call: Call | bytes, seconds: list[float]) -> tuple[int, str]:
    """Send what must be refused, and not by a 500; returns the verdict, and notes how long it took."""
    answer = send(sandbox, call)
    seconds.append(answer.seconds)
    assert answer.status != 500
    assert (answer.data, answer.code != "SUCCESS") == (None, True), answer
    return answer.verdict


# ---- who asks, and for what ----


@dataclass(frozen=True)
class Trader:
    """A customer with an account at the venue. account_id: also its position; address: where it is paid by default."""

    customer: Customer
    account_id: str
    key: StarkKey
    address: str

    @property
    def sandbox(self) -> Sandbox:
        return self.customer.sandbox

    def members(self, **changes: Any) -> dict[str, Any]:
        """The members of a createWithdraw that would be accepted, rightly signed for what they say.

        A change to None leaves a member out, and is not signed for; neither are nonce and signature when given.
        """
        asked: dict[str, Any] = {
            "accountId": self.account_id,
            "coinId": "1000",
            "amount": "25.500000",
            "ethAddress": new_evm_address(),
            "erc20Address": self.sandbox.contract("USDT"),
            "clientWithdrawId": secrets.token_hex(12),
            "riskSignature": "1" * 128,
            "l2ExpireTime": str(now_ms() + 14 * DAY_MS),
            "extraType": "",
            "extraDataJson": "",
        }
        meant = asked | {
            name: value for name, value in changes.items() if value is not None and name in asked
        }
        made = {"l2Nonce": str(nonce_of(meant["clientWithdrawId"])), "l2Signature": self.l2_signature(meant)}
        return {name: value for name, value in (meant | made | changes).items() if value is not None}

    def with_values(self, **values: Any) -> dict[str, Any]:
        """Members signed for other values than these, which no message could hold."""
        return self.members() | values

    def normal_members(self, **changes: Any) -> dict[str, Any]:
        """As `members`, for createNormalWithdraw."""
        made = self.members(**changes)
        kept = ("accountId", "coinId", "amount", "ethAddress", "clientWithdrawId", "l2Signature")
        return {name: made[name] for name in kept} | {"expireTime": made["l2ExpireTime"]}

    def l2_signature(self, members: Members, **changes: int) -> str:
        """changes: fields of the message in place of what the members say."""
        return self.key.sign(replace(message_of(members), **changes).hash % N)

    def get(self, path: str, **parameters: str) -> Call:
        return get(path, self.key, {"accountId": self.account_id} | parameters)

    def post(self, members: Members, path: str = CREATE) -> Call:
        return post(path, self.key, members)

    def look(self, path: str, **parameters: str) -> Any:
        answer = send(self.sandbox, self.get(path, **parameters))
        assert answer.verdict == (200, "SUCCESS"), answer
        return answer.data

    def create(self, **changes: Any) -> str:
        """Ask for a withdrawal that must be accepted; returns its id."""
        return send(self.sandbox, self.post(self.members(**changes))).withdraw_id

    def units(self) -> tuple[int, int]:
        """(available, held) in the ledger."""
        return self.customer.units("USDT", "spot")


def new_trader(
    sandbox: Sandbox,
    *,
    money: str = "1000",
    private: int | None = None,
    number: str | None = None,
    **fields: object,
) -> Trader:
    """fields: of the key, other than the usual ones."""
    customer = open_account(sandbox, number)
    if money:
        customer.credit("USDT", money, wallet="spot")
    key = StarkKey(secrets.randbelow(2**250) + 1 if private is None else private)
    address = new_evm_address()
    # What stands where other venues have a secret is the public half; its y may be missing.
    registered = {"key_id": customer.number, "secret": f"{key.public:064x}", "passphrase": address}
    customer.key("edgex", **(registered | fields))
    return Trader(customer, customer.number, key, address)
