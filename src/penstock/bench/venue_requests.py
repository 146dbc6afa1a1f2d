"""Ready bytes for the load, in each venue's own form, made by the client's side of its wire."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from penstock.core.secret import Secret
from penstock.venues.alphapo import client_requests as alphapo
from penstock.venues.bitmart import client_requests as bitmart
from penstock.venues.edgex import client_requests as edgex
from penstock.venues.edgex.client_replies import CoinFacts
from penstock.venues.sunx import client_requests as sunx
from penstock.venues.sunx.client_wallet import WalletKey
from penstock.venues.zoomex import client_requests as zoomex

Section = Mapping[str, Any]
"""An account as its venue's section of sandbox.json describes it."""

AMOUNT_FIRST_CENTS = 2_000
USER_AGENT = "penstock-bench"


class Outgoing(Protocol):
    """What every venue's client_requests make."""

    @property
    def method(self) -> str: ...

    @property
    def target(self) -> str: ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...

    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class VenueLoad:
    """How a venue is loaded.

    accounts: as many as keep each under its rate limit. accepted: what only an acceptance holds. first: makes a
    request; second: where a withdrawal takes two, the one that follows from the first one's answer, and is what is
    measured. Both take the account, the time that it is signed for, and the host; first the request's number and turn
    besides, second the first one's answer.
    """

    accounts: int
    accepted: bytes
    first: Callable[[Section, int, int, int, str], Outgoing]
    second: Callable[[Section, bytes, int, str], Outgoing] | None = None
    first_accepted: bytes = b""
    rate_first: int = 12_000


def wire_bytes(request: Outgoing, host: str) -> bytes:
    """The request as HTTP/1.1."""
    lines = [
        f"{request.method} {request.target} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {USER_AGENT}",
        "Accept-Encoding: gzip, deflate",
        "Accept: */*",
        "Connection: keep-alive",
        *(f"{name}: {value}" for name, value in request.headers),
        f"Content-Length: {len(request.body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + request.body


def _amount(turn: int) -> str:
    coins, cents = divmod(AMOUNT_FIRST_CENTS + turn, 100)
    return f"{coins}.{cents:02d}"


def _bitmart(account: Section, _number: int, turn: int, now_ms: int, _host: str) -> Outgoing:
    place = account["addresses"][0]
    credentials = bitmart.Credentials(account["api_key"], Secret.of(account["api_secret"]), account["memo"])
    return bitmart.withdraw_to_address(
        credentials, now_ms, currency=place["currency"], amount=_amount(turn), address=place["address"]
    )


def _sunx_credentials(account: Section, host: str) -> sunx.Credentials:
    return sunx.Credentials(account["access_key"], Secret.of(account["secret_key"]), host.partition(":")[0])


def _sunx_apply(account: Section, _number: int, turn: int, now_ms: int, host: str) -> Outgoing:
    return sunx.apply(
        _sunx_credentials(account, host),
        now_ms,
        address=account["wallet_address"],
        currency=account["currency"],
        chain=account["chain"],
        amount=_amount(turn),
    )


def _sunx_confirm(account: Section, answer: bytes, now_ms: int, host: str) -> Outgoing:
    quote = json.loads(answer)["data"]
    signature = WalletKey(Secret.of(account["wallet_private_key"])).sign(quote["content"])
    return sunx.confirm(_sunx_credentials(account, host), now_ms, nonce=quote["nonce"], signature=signature)


def _zoomex(account: Section, number: int, turn: int, now_ms: int, _host: str) -> Outgoing:
    place = account["addresses"][0]
    return zoomex.create(
        zoomex.Credentials(account["api_key"], Secret.of(account["api_secret"])),
        now_ms,
        request_id=hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest(),
        coin=place["coin"],
        chain=place["chain"],
        address=place["address"],
        amount=_amount(turn),
    )


def _alphapo(account: Section, number: int, turn: int, _now_ms: int, _host: str) -> Outgoing:
    return alphapo.withdraw(
        alphapo.Credentials(account["processing_key"], Secret.of(account["secret_key"])),
        currency="USDTE",
        address=account["address_by_currency"]["USDTE"],
        foreign_id=f"bench-{number}",
        amount=_amount(turn),
        end_user_reference="bench",
    )


def _edgex(account: Section, number: int, turn: int, now_ms: int, _host: str) -> Outgoing:
    coin = account["coins"][0]
    resolution = int(coin["stark_ex_resolution"], 16)
    facts = CoinFacts(
        coin_id=coin["coin_id"],
        name="USDT",
        stark_asset_id=int(coin["stark_ex_asset_id"], 16),
        decimals=len(str(resolution)) - 1,
        contract=coin["erc20_address"],
        chain="",
        chain_id="",
        minimum=None,
        withdraw_enabled=True,
    )
    return edgex.create_withdraw(
        edgex.Credentials(account["account_id"], Secret.of(account["stark_private_key"])),
        now_ms,
        coin=facts,
        amount=_amount(turn),
        eth_address=account["eth_address"],
        client_id=f"bench-{number}",
        risk_signature="1" * 128,
    )


LOADS: dict[str, VenueLoad] = {
    "bitmart": VenueLoad(4_000, b'"code":1000,', _bitmart),
    "sunx": VenueLoad(2_000, b'"order-id"', _sunx_apply, _sunx_confirm, b'"nonce"'),
    "zoomex": VenueLoad(12_000, b'"withdraw_id"', _zoomex),
    "alphapo": VenueLoad(1_000, b'"status":"processing"', _alphapo),
    "edgex": VenueLoad(1_000, b'"SUCCESS"', _edgex, rate_first=3_000),
}
