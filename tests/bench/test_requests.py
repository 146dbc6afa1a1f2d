"""The ready bytes are what a client of the venue would send, and no two are the same."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter

from penstock.bench.requests import PATH, LoadAccount, signed_requests

ACCOUNTS = [
    LoadAccount(f"key-{number}", f"secret-{number}", "desk", "USDT-ERC20", f"0x{number:040x}")
    for number in range(3)
]
TIMESTAMP_MS = 1_795_219_200_000


def made(first: int, count: int) -> list[bytes]:
    return signed_requests(ACCOUNTS, "127.0.0.1:1", first=first, count=count, timestamp_ms=TIMESTAMP_MS)


def parts(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    return line, dict(header.split(": ", 1) for header in headers), body


def test_each_request_is_signed_over_its_own_bytes() -> None:
    for request in made(0, 7):
        line, headers, body = parts(request)
        secret = headers["X-BM-KEY"].replace("key", "secret")
        signed = f"{TIMESTAMP_MS}#desk#{body.decode()}"
        assert headers["X-BM-SIGN"] == hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        assert headers["X-BM-TIMESTAMP"] == str(TIMESTAMP_MS)
        assert headers["Content-Length"] == str(len(body))
        assert line == f"POST {PATH} HTTP/1.1"


def test_a_request_names_its_own_accounts_address_and_at_least_twenty_coins() -> None:
    for request in made(299, 4):
        _, headers, body = parts(request)
        asked = json.loads(body)
        assert asked["address"] == f"0x{int(headers['X-BM-KEY'][4:]):040x}"
        assert asked["currency"] == "USDT-ERC20"
        assert asked["amount"] in {"20.99", "21.00"}


def test_no_two_requests_of_a_run_are_the_same() -> None:
    requests = made(0, 1_000) + made(1_000, 1_000)
    assert len(set(requests)) == len(requests)


def test_the_keys_take_turns() -> None:
    keys = [parts(request)[1]["X-BM-KEY"] for request in made(10, 9)]
    assert all(keys[number] != keys[number + 1] for number in range(8))
    assert set(Counter(keys).values()) == {3}
