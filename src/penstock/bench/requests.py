"""Ready bytes for the load: BitMart withdrawal requests, signed before they are needed."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import msgspec

PATH = "/account/v1/withdraw/apply"
SIGNED_FOR_MS = 60_000
"""A signature holds this long, both ways (BitMart spot docs, "Restful Error Code", 30007)."""
AMOUNT_FIRST_CENTS = 2_000

# What the official Python SDK's `requests` sends, so that the server reads as many header lines as in real
# use.
_HEAD = (
    "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bitmart-python-sdk-api/2.8.0\r\n"
    "Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
    "Content-Type: application/json\r\nX-BM-KEY: {key}\r\n"
)


class LoadAccount(msgspec.Struct, frozen=True):
    """One API key to send with, and where its account may pay to. currency: BitMart's full name, "USDT-
    ERC20".
    """

    api_key: str
    api_secret: str
    memo: str
    currency: str
    address: str


class _Prepared(msgspec.Struct, frozen=True):
    head: bytes
    secret: bytes
    memo: bytes
    body_start: bytes
    body_end: bytes


def signed_requests(
    accounts: Sequence[LoadAccount], host: str, *, first: int, count: int, timestamp_ms: int
) -> list[bytes]:
    """Requests number `first` to `first + count - 1` of a run, each signed for `timestamp_ms`.

    The accounts take turns, so that n requests in a venue's window cost each key n / len(accounts) of its
    limit. The amount rises by 0.01 from turn to turn: no two requests of a run are the same bytes.
    """
    prepared = [_prepare(account, host) for account in accounts]
    turns = len(prepared)
    timestamp = b"%d" % timestamp_ms
    made: list[bytes] = []
    for number in range(first, first + count):
        turn, index = divmod(number, turns)
        account = prepared[index]
        coins, cents = divmod(AMOUNT_FIRST_CENTS + turn, 100)
        body = b"%b%d.%02d%b" % (account.body_start, coins, cents, account.body_end)
        sign = hmac.digest(account.secret, b"%b#%b#%b" % (timestamp, account.memo, body), "sha256").hex()
        made.append(
            b"%bX-BM-SIGN: %b\r\nX-BM-TIMESTAMP: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (account.head, sign.encode(), timestamp, len(body), body)
        )
    return made


def _prepare(account: LoadAccount, host: str) -> _Prepared:
    return _Prepared(
        head=_HEAD.format(path=PATH, host=host, key=account.api_key).encode(),
        secret=account.api_secret.encode(),
        memo=account.memo.encode(),
        body_start=b'{"currency":"%b","amount":"' % account.currency.encode(),
        body_end=b'","destination":"To Digital Address","address":"%b","address_memo":""}'
        % account.address.encode(),
    )
