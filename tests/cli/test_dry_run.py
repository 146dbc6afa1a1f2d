"""What a dry run shows of each way of signing: header, query or body, and never what could send it."""

from __future__ import annotations

import json

import pytest

from penstock.cli.connection import Access
from penstock.cli.dry_run import shown_request
from penstock.client import FirstRequest, SignedRequest
from penstock.core.secret import Secret

URL = "http://127.0.0.1:9"
KEY, SECRET, SIGNATURE = "demo-key-0001", "canary-secret-58b1", "fca5+ab/1234567890=="
ACCESS = Access("bitmart", URL, {"api_key": KEY, "api_secret": Secret.of(SECRET), "memo": Secret.of("100")})


def shown(request: SignedRequest, *, as_json: bool = False) -> str:
    return shown_request(ACCESS, URL, FirstRequest(request, is_whole=True), json=as_json)


def signed_in_headers(name: str) -> SignedRequest:
    headers = (("X-API-KEY", KEY), (name, SIGNATURE), ("X-SIGN-TYPE", "2"), ("Content-Type", "text/plain"))
    return SignedRequest("POST", "/a?b=100", headers, b'{"amount":"100"}', f"1795{KEY}5000")


def signed_in_the_query() -> SignedRequest:
    target = f"/a?AccessKeyId={KEY}&SignatureMethod=HmacSHA256&Signature=fca5%2Bab%2F1234567890%3D%3D"
    return SignedRequest("POST", target, (), b'{"amount":"100"}', f"POST\n/a\nAccessKeyId={KEY}")


def signed_in_the_body() -> SignedRequest:
    body = json.dumps({"amount": "100", "api_key": KEY, "sign": SIGNATURE, "n": 1}).encode()
    return SignedRequest("POST", "/a", (), body, f"amount=100&api_key={KEY}")


ALL = [
    signed_in_headers("X-BM-SIGN"),
    signed_in_headers("X-BAPI-SIGN"),
    signed_in_headers("X-Processing-Signature"),
    signed_in_headers("X-edgeX-Api-Signature"),
    signed_in_the_query(),
    signed_in_the_body(),
]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("request_made", ALL)
def test_neither_key_nor_signature_is_shown(request_made: SignedRequest, as_json: bool) -> None:
    text = shown(request_made, as_json=as_json)
    for hidden in (KEY, SIGNATURE, "fca5%2Bab%2F1234567890%3D%3D"):
        assert hidden not in text
        assert hidden.encode().hex() not in text
    assert "fca5***" in text
    assert "demo***" in text


@pytest.mark.parametrize("request_made", ALL)
def test_amounts_stay_as_they_are(request_made: SignedRequest) -> None:
    told = json.loads(shown(request_made, as_json=True))
    assert json.loads(told["body"])["amount"] == "100"
    assert bytes.fromhex(told["body_hex"]).decode() == told["body"]


def test_what_only_looks_like_a_credential_is_shown() -> None:
    headers = json.loads(shown(signed_in_headers("X-BM-SIGN"), as_json=True))["headers"]
    assert headers["X-SIGN-TYPE"] == "2"
    assert headers["Content-Type"] == "text/plain"
    assert "SignatureMethod=HmacSHA256" in shown(signed_in_the_query())


def test_a_short_value_in_an_authenticating_header_is_masked_whole() -> None:
    told = json.loads(shown(SignedRequest("GET", "/", (("X-KEY", "abc"),), b""), as_json=True))
    assert told["headers"] == {"X-KEY": "***"}


def test_a_secret_in_the_signed_text_is_masked() -> None:
    assert SECRET not in shown(SignedRequest("POST", "/", (), b"{}", f"1#{SECRET}#{{}}"))


def test_where_the_venue_quotes_first_the_rest_is_told() -> None:
    quote = FirstRequest(signed_in_the_query(), is_whole=False)
    assert "only that moves money" in shown_request(ACCESS, URL, quote, json=False)
    assert "only that moves money" in json.loads(shown_request(ACCESS, URL, quote, json=True))["afterwards"]
    assert "moves money" not in shown(signed_in_the_query())
