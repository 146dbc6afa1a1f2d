"""AlphaPo from the caller's side: requests as bytes to send. No IO, no clock: the signature covers the body alone.

Amounts are decimal text. A create is never repeated: its foreign_id would be taken, whatever became of the first.
"""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from penstock.core.secret import Secret
from penstock.venues.alphapo import auth, routes
from penstock.venues.client_request import OutgoingRequest, checked_amount
from penstock.venues.venue import Route

_encode = msgspec.json.Encoder().encode


class Credentials(msgspec.Struct, frozen=True):
    """A merchant's key pair."""

    key: str
    secret: Secret


def withdraw(
    credentials: Credentials,
    *,
    currency: str,
    address: str,
    foreign_id: str,
    amount: str = "",
    amount_to: str = "",
    convert_to: str = "",
    tag: str = "",
    end_user_reference: str = "",
) -> OutgoingRequest:
    """Pay to an address on a chain.

    currency: what is debited. convert_to: what is paid, "" for the same. amount: in `currency`; or amount_to: in
    convert_to, exactly what the receiver gets; one of the two. foreign_id: the caller's own, never used before.
    Raises ValueError for an amount that is not plain text.
    """
    optional = {
        "amount": checked_amount(amount) if amount else "",
        "amount_to": checked_amount(amount_to) if amount_to else "",
        "convert_to": convert_to,
        "tag": tag,
        "end_user_reference": end_user_reference,
    }
    body = {"currency": currency, "address": address, "foreign_id": foreign_id} | optional
    return _signed(credentials, routes.WITHDRAWAL, {name: value for name, value in body.items() if value})


def transaction(
    credentials: Credentials,
    *,
    number: int | None = None,
    foreign_id: str = "",
    txid: str = "",
    by_query: bool = False,
) -> OutgoingRequest:
    """One of the merchant's own, by exactly one of the three.

    by_query: ask in the query, for where a body on GET does not get through; what is asked for is then not signed.
    Raises ValueError unless one is given.
    """
    asked: dict[str, str | int] = {}
    if number is not None:
        asked["id"] = number
    asked |= {name: text for name, text in (("foreign_id", foreign_id), ("txid", txid)) if text}
    if len(asked) != 1:
        raise ValueError("exactly one of number, foreign_id and txid is asked by")
    if by_query:
        return _signed(credentials, routes.TRANSACTION, None, urlencode(asked))
    return _signed(credentials, routes.TRANSACTION, asked)


def accounts(credentials: Credentials) -> OutgoingRequest:
    return _signed(credentials, routes.ACCOUNTS, {})


def currencies(credentials: Credentials) -> OutgoingRequest:
    return _signed(credentials, routes.CURRENCIES, {})


def pairs(credentials: Credentials, currency_from: str = "", currency_to: str = "") -> OutgoingRequest:
    """What can be exchanged, and at which rates; "" for every currency."""
    return _signed(credentials, routes.PAIRS, _filters(currency_from, currency_to))


def rates(credentials: Credentials, currency_from: str = "", currency_to: str = "") -> OutgoingRequest:
    """As `pairs`, from the venue's other path for it."""
    return _signed(credentials, routes.RATES, _filters(currency_from, currency_to))


def take_address(
    credentials: Credentials,
    *,
    currency: str,
    foreign_id: str,
    convert_to: str = "",
    end_user_reference: str = "",
) -> OutgoingRequest:
    """An address for deposits. foreign_id: of whom it is for; it may have been used before."""
    optional = {"convert_to": convert_to, "end_user_reference": end_user_reference}
    body = {"currency": currency, "foreign_id": foreign_id} | {k: v for k, v in optional.items() if v}
    return _signed(credentials, routes.TAKE_ADDRESS, body)


def calculate(
    credentials: Credentials,
    *,
    sender_currency: str,
    receiver_currency: str,
    sender_amount: str = "",
    receiver_amount: str = "",
) -> OutgoingRequest:
    """What an exchange would come to, at a price that holds for a minute. One of the two amounts."""
    body = _exchange(sender_currency, receiver_currency, sender_amount, receiver_amount)
    return _signed(credentials, routes.CALCULATE, body)


def exchange_fixed(
    credentials: Credentials,
    *,
    foreign_id: str,
    price: str,
    sender_currency: str,
    receiver_currency: str,
    sender_amount: str = "",
    receiver_amount: str = "",
) -> OutgoingRequest:
    """Exchange at a price that `calculate` has shown."""
    body = _exchange(sender_currency, receiver_currency, sender_amount, receiver_amount)
    named = {"foreign_id": foreign_id, "price": checked_amount(price)}
    return _signed(credentials, routes.EXCHANGE_FIXED, body | named)


def exchange_now(
    credentials: Credentials,
    *,
    foreign_id: str,
    sender_currency: str,
    receiver_currency: str,
    sender_amount: str = "",
    receiver_amount: str = "",
) -> OutgoingRequest:
    """Exchange at the price of the moment."""
    body = _exchange(sender_currency, receiver_currency, sender_amount, receiver_amount)
    return _signed(credentials, routes.EXCHANGE_NOW, body | {"foreign_id": foreign_id})


def ping() -> OutgoingRequest:
    return OutgoingRequest(routes.PING.method, routes.PING.path)


def _filters(currency_from: str, currency_to: str) -> dict[str, str]:
    asked = {"currency_from": currency_from, "currency_to": currency_to}
    return {name: code for name, code in asked.items() if code}


def _exchange(
    sender_currency: str, receiver_currency: str, sender_amount: str, receiver_amount: str
) -> dict[str, str]:
    if bool(sender_amount) == bool(receiver_amount):
        raise ValueError("exactly one of sender_amount and receiver_amount is given")
    body = {"sender_currency": sender_currency, "receiver_currency": receiver_currency}
    if sender_amount:
        return body | {"sender_amount": checked_amount(sender_amount)}
    return body | {"receiver_amount": checked_amount(receiver_amount)}


def _signed(
    credentials: Credentials,
    route: Route,
    members: dict[str, str] | dict[str, str | int] | None,
    query: str = "",
) -> OutgoingRequest:
    """members: None for no body at all; its signature is then the one over nothing."""
    body = b"" if members is None else _encode(members)
    sign = auth.signature(credentials.secret.reveal(), body)
    headers = (
        (auth.KEY_HEADER, credentials.key),
        (auth.SIGNATURE_HEADER, sign.decode()),
        ("Content-Type", "application/json"),
    )
    return OutgoingRequest(route.method, route.path, query, headers, body, body.decode())
