"""edgeX from the caller's side: requests as bytes to send. No IO and no clock.

Amounts are decimal text. Every private request is signed for its own time; a withdrawal is signed twice, the message to
layer 2 and the request that carries it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

import msgspec
from eth_utils.address import is_checksum_address

from penstock.core.amounts import parse_amount
from penstock.core.refusals import Refused
from penstock.core.secret import Secret
from penstock.venues.client_request import OutgoingRequest
from penstock.venues.edgex import l2, routes, signed_text, stark
from penstock.venues.edgex.client_replies import CoinFacts
from penstock.venues.edgex.messages import CLIENT_ID_CHARACTERS_MAX, is_client_id
from penstock.venues.strict_json import Json
from penstock.venues.venue import Route

EXPIRES_HOURS = 14 * 24
"""How long a layer 2 signature is good for, as the venue's own SDK has it."""
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_encode = msgspec.json.Encoder().encode


class Credentials(msgspec.Struct, frozen=True):
    """An account and its key on layer 2, hex text of a number below the curve's order."""

    account_id: str
    stark_private_key: Secret


def create_withdraw(
    credentials: Credentials,
    now_ms: int,
    *,
    coin: CoinFacts,
    amount: str,
    eth_address: str,
    client_id: str,
    risk_signature: str,
) -> OutgoingRequest:
    """Withdraw to an address on the chain that the coin's contract lives on.

    amount: sent as the very text given. client_id: decides the nonce; l2.nonce_of. risk_signature: 128 hex digits.
    Raises ValueError for what cannot be signed; nothing is left to be refused for its shape.
    """
    expire_ms = (now_ms // l2.HOUR_MS + EXPIRES_HOURS) * l2.HOUR_MS
    nonce = l2.nonce_of(checked_client_id(client_id))
    message = l2.WithdrawalMessage(
        asset_id=coin.stark_asset_id,
        eth_address=int(checked_address(eth_address), 16),
        position_id=int(credentials.account_id),
        nonce=nonce,
        amount=_quanta(amount, coin),
        expire_ms=expire_ms,
    )
    members: dict[str, Json] = {
        "accountId": credentials.account_id,
        "coinId": coin.coin_id,
        "amount": amount,
        "ethAddress": eth_address,
        "erc20Address": coin.contract,
        "clientWithdrawId": client_id,
        "riskSignature": risk_signature,
        "l2Nonce": str(nonce),
        "l2ExpireTime": str(expire_ms),
        "l2Signature": stark.sign(credentials.stark_private_key, message.digest()).text,
        "extraType": "",
        "extraDataJson": "",
    }
    route = routes.CREATE_WITHDRAW
    text = signed_text.content(str(now_ms), route.method, route.path, signed_text.body_text(members))
    return OutgoingRequest(
        route.method, route.path, "", _headers(credentials, now_ms, text), _encode(members), text
    )


def checked_client_id(text: str) -> str:
    """Raises ValueError for an id that the venue's lists and signatures cannot hold."""
    if not is_client_id(text):
        raise ValueError(
            f"a client id at edgeX has 1 to {CLIENT_ID_CHARACTERS_MAX} characters, none of them a control "
            f"character, a comma, & or =; not {text[:64]!r}"
        )
    return text


def checked_address(text: str) -> str:
    """Raises ValueError unless it is an address in lower case, or in the exact case of its checksum (EIP-55)."""
    if _ADDRESS.fullmatch(text) is None:
        raise ValueError(f"not an Ethereum address: {text[:64]!r}")
    if text != text.lower() and not is_checksum_address(text):
        raise ValueError(f"the letters' case says that this address was mistyped: {text}")
    return text


def _quanta(amount: str, coin: CoinFacts) -> int:
    try:
        quanta = parse_amount(amount, coin.decimals)
    except Refused:
        quanta = 0
    if not 0 < quanta < l2.AMOUNT_BOUND:
        raise ValueError(
            f"not an amount of {coin.name} with at most {coin.decimals} decimals: {amount[:64]!r}"
        )
    return quanta


# --- reading -----------------------------------------------------------------------------------------------


def withdraw_by_id(credentials: Credentials, now_ms: int, ids: Sequence[str]) -> OutgoingRequest:
    return _get(credentials, now_ms, routes.WITHDRAW_BY_ID, {"withdrawIdList": ",".join(ids)})


def withdraw_by_client_id(credentials: Credentials, now_ms: int, ids: Sequence[str]) -> OutgoingRequest:
    return _get(credentials, now_ms, routes.WITHDRAW_BY_CLIENT_ID, {"clientWithdrawIdList": ",".join(ids)})


def active_withdraw(
    credentials: Credentials,
    now_ms: int,
    *,
    size: int = 100,
    offset: str = "",
    coin_ids: Sequence[str] = (),
    statuses: Sequence[str] = (),
    from_ms: int | None = None,
    before_ms: int | None = None,
) -> OutgoingRequest:
    """A page of all withdrawals, newest first. offset: the token of the page before. before_ms: exclusive."""
    asked = {
        "size": str(size),
        "offsetData": offset,
        "filterCoinIdList": ",".join(coin_ids),
        "filterStatusList": ",".join(statuses),
        "filterStartCreatedTimeInclusive": "" if from_ms is None else str(from_ms),
        "filterEndCreatedTimeExclusive": "" if before_ms is None else str(before_ms),
    }
    return _get(credentials, now_ms, routes.ACTIVE_WITHDRAW, asked)


def withdraw_available(credentials: Credentials, now_ms: int, coin_id: str) -> OutgoingRequest:
    return _get(credentials, now_ms, routes.WITHDRAW_AVAILABLE, {"coinId": coin_id})


def transfer_available(credentials: Credentials, now_ms: int, coin_id: str) -> OutgoingRequest:
    return _get(credentials, now_ms, routes.TRANSFER_AVAILABLE, {"coinId": coin_id})


def account_asset(credentials: Credentials, now_ms: int) -> OutgoingRequest:
    return _get(credentials, now_ms, routes.ACCOUNT_ASSET, {})


def account_by_id(credentials: Credentials, now_ms: int) -> OutgoingRequest:
    return _get(credentials, now_ms, routes.ACCOUNT_BY_ID, {})


def normal_withdraw_by_id(credentials: Credentials, now_ms: int, ids: Sequence[str]) -> OutgoingRequest:
    """Without ids, all of them."""
    return _get(credentials, now_ms, routes.NORMAL_WITHDRAW_BY_ID, {"normalWithdrawIdList": ",".join(ids)})


def server_time() -> OutgoingRequest:
    return _public(routes.SERVER_TIME)


def meta_data() -> OutgoingRequest:
    return _public(routes.META_DATA)


def _public(route: Route) -> OutgoingRequest:
    return OutgoingRequest(route.method, route.path)


def _get(credentials: Credentials, now_ms: int, route: Route, asked: Mapping[str, str]) -> OutgoingRequest:
    """Empty parameters are left out. Signed is the plain text, as the venue's Python SDK does it; commas stay."""
    parameters = {"accountId": credentials.account_id} | {name: text for name, text in asked.items() if text}
    plain = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    text = signed_text.content(str(now_ms), route.method, route.path, plain)
    query = urlencode(parameters, safe=",", quote_via=quote)
    return OutgoingRequest(route.method, route.path, query, _headers(credentials, now_ms, text), b"", text)


def _headers(credentials: Credentials, now_ms: int, text: str) -> tuple[tuple[str, str], ...]:
    signature = stark.sign(credentials.stark_private_key, signed_text.digest(text))
    return (
        ("X-edgeX-Api-Timestamp", str(now_ms)),
        ("X-edgeX-Api-Signature", signature.text),
        ("Content-Type", "application/json"),
    )
