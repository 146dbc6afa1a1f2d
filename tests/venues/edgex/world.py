"""The small world of the edgeX tests: a catalogue, one customer's key, requests signed by hand."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import fast_stark_crypto
from eth_utils.crypto import keccak

from penstock.chains.addresses import check_address
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing, Network
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import KeyView, Move, WithdrawalView
from penstock.venues.edgex import Edgex
from penstock.venues.venue import Ask, Reply, Request, Route, World
from tests.venues import driving

NOW_MS = UnixMs(1_735_542_383_256)
TIMESTAMP = str(NOW_MS)
UUID = "b3086f53-c2d4-403f-aa47-90b80f0e534b"
TRACE = "b3086f53c2d4403faa4790b80f0e534b"
ACCOUNT = AccountId(7)
ACCOUNT_ID = "543429922991899150"
OWN_ADDRESS = "0x99B5EEc2C520f86F0F62F05820d28D05D36EccCf"
ETH_ADDRESS = "0x1fB51aa234287C3CA1F957eA9AD0E148Bb814b7A"
ERC20_ADDRESS = "0xd98B590ebE0a3eD8C144170bA4122D402182976f"
HOT_WALLET = "0xA82898C70BEB5e1b1621FDA62Fd17bA27227BBC5"
CLIENT_ID = "client_withdraw_123"
EXPIRES = "1736562381355"
RISK = "1" * 128

# A throw-away key: sha256("withdrawal-service throw-away stark key 1") >> 5.
PRIVATE = 0x06305A85F25590879635B57A749394FA0BAB8EFDEDAED2C7B1358579C2D035FF
PUBLIC_X = 0x01924A6E2DDD61CC1E83254767A218FBF56E8FA0AB2E141A4138F8BC46AAE0CB
PUBLIC_Y = 0x025988ECB44696FD548224DDF4C627BDB00105BB029C86CEE844EF4FF0C02FE4
OTHER_PRIVATE = 0x123456789
N = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
P = 2**251 + 17 * 2**192 + 1
TESTNET_ASSET = 0x33BDA5C923BAE4E84825B74762D5482889B9512465FBFFC50D1AE4B82E345C3

CATALOGUE = Catalogue(
    assets=[Asset("ETH", "Ethereum", 18, "4000"), Asset("USDT", "Tether USD", 6, "1")],
    networks=[Network("ethereum", "evm", "ETH", 12)],
    listings=[
        Listing("ETH", "ethereum", 18, None, Units(10**15), Units(10**16), 8),
        Listing(
            "USDT",
            "ethereum",
            6,
            ERC20_ADDRESS,
            Units(1_000_000),
            Units(5_000_000),
            6,
            maximum=Units(100_000_000_000),
        ),
    ],
)
FORBIDDEN = frozenset({ERC20_ADDRESS, HOT_WALLET})


WORLD = World(
    catalogue=CATALOGUE,
    check_address=lambda network, address, memo: check_address(network, address, memo, FORBIDDEN),
    new_trace=lambda: UUID,
    now_ms=lambda: UnixMs(NOW_MS + 5),
    rates=driving.NoRates(),
)
VENUE = Edgex(WORLD, cursor_key=b"a key for cursors")


def make_key(**changes: object) -> KeyView:
    own = {
        "key_id": ACCOUNT_ID,
        "venue": "edgex",
        "account_id": ACCOUNT,
        "secret": f"{PUBLIC_X:064x}:{PUBLIC_Y:064x}".encode(),
        "passphrase": OWN_ADDRESS,
    }
    return driving.key_view(**(own | changes))


def route_of(method: str, path: str) -> Route:
    return driving.route_of(VENUE, method, path)


WITHDRAW = "/api/v1/private/withdraw"
CREATE = f"{WITHDRAW}/createWithdraw"
NORMAL_CREATE = "/api/v1/private/assets/createNormalWithdraw"


# --- signing, written out a second time, so that the code under test is not its own judge --------------------


def flat(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "&".join(f"{name}={flat(value[name])}" for name in sorted(value))
    if isinstance(value, list):
        return "&".join(flat(item) for item in value)
    return str(value)


def sign_text(text: str, private: int = PRIVATE) -> str:
    hashed = int.from_bytes(keccak(text.encode()), "big") % N
    r, s = fast_stark_crypto.sign(private, hashed)
    return f"{r:064x}{s:064x}"


def nonce_of(client_id: str) -> int:
    return int(hashlib.sha256(client_id.encode()).hexdigest()[:8], 16)


def withdrawal_hash(members: dict[str, Any], *, kind: int = 7, asset: int = TESTNET_ASSET) -> int:
    """The layer 2 message of a createWithdraw body."""
    whole, _, fraction = members["amount"].partition(".")
    amount = int(whole + fraction.ljust(6, "0")[:6])
    packed = (
        (kind * 2**64 + int(members["accountId"])) * 2**32 + nonce_of(members["clientWithdrawId"])
    ) * 2**64
    packed = ((packed + amount) * 2**32 + int(members["l2ExpireTime"]) // 3_600_000) * 2**49
    first = fast_stark_crypto.pedersen_hash(asset, int(members["ethAddress"], 16))
    return fast_stark_crypto.pedersen_hash(first, packed) % N


def l2_signature(members: dict[str, Any], private: int = PRIVATE) -> str:
    r, s = fast_stark_crypto.sign(private, withdrawal_hash(members))
    return f"{r:064x}{s:064x}"


def create_members(**changes: Any) -> dict[str, Any]:
    """A createWithdraw body, rightly signed for layer 2 unless told otherwise; None leaves a member out."""
    members: dict[str, Any] = {
        "accountId": ACCOUNT_ID,
        "coinId": "1000",
        "amount": "10.000000",
        "ethAddress": ETH_ADDRESS,
        "erc20Address": ERC20_ADDRESS,
        "clientWithdrawId": CLIENT_ID,
        "riskSignature": RISK,
        "l2ExpireTime": EXPIRES,
        "extraType": "",
        "extraDataJson": "",
    }
    signed = {name: value for name, value in changes.items() if name in members}
    members |= signed
    try:
        members["l2Nonce"] = str(nonce_of(members["clientWithdrawId"]))
        members["l2Signature"] = l2_signature(members)
    except (TypeError, ValueError, AttributeError, OverflowError):
        # Something that no message can hold; the signature of another one will do.
        members["l2Nonce"] = str(nonce_of(CLIENT_ID))
        members["l2Signature"] = "0" * 63 + "1" + "0" * 63 + "1"
    members |= changes
    return {name: value for name, value in members.items() if value is not None}


# --- requests ------------------------------------------------------------------------------------------------


def headers(timestamp: str, signature: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/json"),
        (b"x-edgex-api-timestamp", timestamp.encode("latin-1")),
        (b"x-edgex-api-signature", signature.encode("latin-1")),
    ]


def get(
    path: str,
    parameters: dict[str, str] | None = None,
    *,
    query: str | None = None,
    signed: str | None = None,
    private: int = PRIVATE,
) -> Request:
    """A GET of the account, rightly signed over its decoded query. query: the bytes to send instead."""
    asked = {"accountId": ACCOUNT_ID} | (parameters or {})
    text = "&".join(f"{name}={asked[name]}" for name in sorted(asked)) if signed is None else signed
    signature = sign_text(f"{TIMESTAMP}GET{path}{text}", private)
    sent = urlencode(asked) if query is None else query
    return Request("GET", path, sent.encode(), headers(TIMESTAMP, signature), b"", "127.0.0.1", NOW_MS)


def public(path: str) -> Request:
    return Request("GET", path, b"", [], b"", "127.0.0.1", NOW_MS)


def post(
    members: dict[str, Any],
    path: str = CREATE,
    *,
    body: bytes | None = None,
    private: int = PRIVATE,
    now_ms: int = NOW_MS,
) -> Request:
    """A POST, rightly signed over `members`. body: the bytes to send instead."""
    signature = sign_text(f"{now_ms}POST{path}{flat(members)}", private)
    sent = json.dumps(members).encode() if body is None else body
    return Request("POST", path, b"", headers(str(now_ms), signature), sent, "127.0.0.1", UnixMs(now_ms))


def outcome(request: Request, key: KeyView | None = None, venue: Edgex = VENUE) -> Ask | Reply:
    """As driving.outcome."""
    return driving.outcome(venue, request, key or make_key())


def answer(request: Request, *values: object, key: KeyView | None = None) -> Reply:
    """As driving.reply_to."""
    return driving.reply_to(VENUE, request, key or make_key(), *values)


def refusal(asked: Ask | Reply) -> tuple[int, str]:
    """(HTTP status, code) of a refusal; its envelope must be whole."""
    assert isinstance(asked, Reply), asked
    envelope = json.loads(asked.body)
    assert list(envelope) == ["code", "data", "msg", "errorParam", "requestTime", "responseTime", "traceId"]
    assert envelope["data"] is None
    assert envelope["msg"]
    assert envelope["traceId"] == TRACE
    assert int(envelope["requestTime"]) <= int(envelope["responseTime"]) == NOW_MS + 5
    assert asked.headers[0] == (b"content-type", b"application/json")
    return asked.status, envelope["code"]


def data(reply: Reply) -> Any:
    """What a successful answer holds."""
    assert reply.status == 200, reply
    envelope = json.loads(reply.body)
    assert (envelope["code"], envelope["msg"], envelope["errorParam"]) == ("SUCCESS", None, None)
    assert (envelope["requestTime"], envelope["traceId"]) == (TIMESTAMP, TRACE)
    return envelope["data"]


# --- views ---------------------------------------------------------------------------------------------------

TX_HASH = "0x" + "ab" * 32
PATH_TO = {
    State.HELD: [State.HELD],
    State.APPROVED: [State.HELD, State.APPROVED],
    State.PLANNED: [State.HELD, State.APPROVED, State.PLANNED],
    State.SIGNED: [State.HELD, State.APPROVED, State.PLANNED, State.SIGNED],
    State.SENT: [State.HELD, State.APPROVED, State.PLANNED, State.SIGNED, State.SENT],
    State.MINED: [State.HELD, State.APPROVED, State.PLANNED, State.SIGNED, State.SENT, State.MINED],
}


def moves_to(state: State) -> tuple[Move, ...]:
    """A history that ends in `state`, a move every second."""
    if state in {State.CONFIRMED, State.FAILED, State.IN_DOUBT}:
        states = [*PATH_TO[State.MINED], state]
    elif state in PATH_TO:
        states = PATH_TO[state]
    else:
        states = [State.HELD, state]
    return tuple(Move(one, UnixMs(NOW_MS + 1_000 * count)) for count, one in enumerate(states))


def extra_of(members: dict[str, Any]) -> str:
    """What the engine keeps for the venue of an accepted body, as the venue itself wrote it."""
    asked = outcome(post(members))
    assert isinstance(asked, Ask), asked
    return asked.question.extra  # type: ignore[union-attr]


EXTRA = extra_of(create_members())


def a_withdrawal(**changes: object) -> WithdrawalView:
    state = changes.get("state", State.CONFIRMED)
    assert isinstance(state, State)
    moves = moves_to(state)
    fields: dict[str, object] = {
        "withdrawal_id": WithdrawalId(563_516_408_235_819_790),
        "account_id": ACCOUNT,
        "venue": "edgex",
        "asset": "USDT",
        "network": "ethereum",
        "wallet": "spot",
        "amount": Units(10_000_000),
        "fee": Units(0),
        "net": Units(10_000_000),
        "address": ETH_ADDRESS,
        "memo": "",
        "recipient": "",
        "state": state,
        "reason": "",
        "tx_hash": TX_HASH if any(move.state is State.SIGNED for move in moves) else "",
        "confirmations": 12,
        "created_ms": NOW_MS,
        "updated_ms": moves[-1].at_ms,
        "request_id": CLIENT_ID,
        "extra": EXTRA,
        "debit_asset": "USDT",
        "moves": moves,
    }
    return WithdrawalView(**(fields | changes))  # type: ignore[arg-type]
