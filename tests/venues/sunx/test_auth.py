from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.views import KeyView
from penstock.venues.sunx import Sunx
from penstock.venues.sunx.auth import Hosts, prehash
from penstock.venues.sunx.query import canonical_query
from penstock.venues.venue import Reply, Request
from tests.venues.sunx.world import (
    APPLY,
    BALANCE,
    CLOUD,
    CONFIRM,
    ED_PUBLIC,
    ED_SEED,
    HOST,
    JSON,
    KEY,
    NOW_MS,
    RECORDS,
    VENUE,
    auth_values,
    error,
    hmac_of,
    make_key,
    make_world,
    query_text,
    request_of,
    route_of,
    signed,
    told,
)

Q = (
    "AccessKeyId=sunx-test-access-key-01&SignatureMethod=HmacSHA256&SignatureVersion=2"
    "&Timestamp=2026-11-21T06%3A00%3A00"
)
# Published vectors: method, URL path, signed host, query after Q, signature.
VECTORS = {
    "A": ("POST", APPLY, HOST, "", "WShtaSFjDln6aqTsdiXAh/JCvOXyrxDBwxMGSYUmSOw="),
    "B": ("POST", APPLY, "127.0.0.1", "", "4Gb6+UMZGE7Hl4dubOyVs4au/tHmv8/cno2/jP+V2nc="),
    "C": ("POST", APPLY, "127.0.0.1:8080", "", "ZXR0aAEaCPsR44C1VpGBne/5EpKBDKlvj+IO8u6ue3E="),
    "D": ("POST", CONFIRM, HOST, "", "brwB6eG6yhmxn2DWpziJVtTQalaLY20reRL/GQWD3pM="),
    "E": (
        "GET",
        RECORDS,
        HOST,
        "&currency=usdt&direct=next&size=50&type=withdraw",
        "6MRUZyMljg5vYpKdrO72X97ImgXUriXV1EkMtbL4eKk=",
    ),
    "F": ("GET", BALANCE, HOST, "", "ZZFYgg3Whevbwy3QGoZHEbzpKnnoZggGX1bqoZ+KhFQ="),
    "I": (
        "GET",
        RECORDS,
        HOST,
        "&note=a%20b%2Bc%2Fd%2A%281%29~%C3%A9&type=deposit",
        "DMJY9sEieAGR6jKF4pKj9fgMwE0yPQ3yCp5Lvefc7JA=",
    ),
}
FULL_PATH = "zEc5zaIefDycf/mCwAUeRrmHmqGsO7LQXxOXuzHMeyE="
ED_SIGNATURE = "tME7/qbp+twQo4cZFln0v/14lMH8UT6HbbdcGXt9I88bZQPSj7iDnFsnjdPb4hKOQCtJoa5sLdkdakzwV4YzDg=="
ED_KEY = make_key(secret=f"ed25519:{ED_PUBLIC}".encode())

NOT_SIGNED = (200, "login-required")
INVALID = (200, "api-signature-not-valid")
WRONG_KEY, WRONG_IP, WRONG_TIME, WRONG_SIGNATURE, NO_PERMISSION = (
    "Access key错误",
    "IP地址错误",
    "无效的提交时间，或时间格式错误",  # noqa: RUF001 - as the venue writes it
    "校验失败",
    "API Key没有权限",
)


def who(request: Request, key: KeyView | None = None, venue: Sunx = VENUE) -> KeyView | Reply | None:
    holder = make_key() if key is None else key
    return venue.authenticate(request, route_of(request.method, request.path), {holder.key_id: holder}.get)


def accepted(request: Request, key: KeyView | None = None, venue: Sunx = VENUE) -> bool:
    return isinstance(who(request, key, venue), KeyView)


def refused(request: Request, why: str, key: KeyView | None = None) -> None:
    reply = who(request, key)
    assert isinstance(reply, Reply), "accepted"
    assert error(reply) == INVALID
    assert f"[{why}]" in told(reply)


def carrying(method: str, path: str, query: str, signature: str, **others: Any) -> Request:
    return request_of(method, path, f"{query}&Signature={quote(signature, safe='')}", **others)


# --- published vectors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VECTORS)
def test_every_published_signature_is_accepted_at_its_host(name: str) -> None:
    method, path, host, more, signature = VECTORS[name]
    assert accepted(carrying(method, path, Q + more, signature, host=host.encode()))


def test_the_signed_text_of_vector_a_is_the_published_one() -> None:
    text = prehash("POST", HOST, "/sunperp/dw/withdraw/apply", canonical_query(auth_values()))
    assert (
        hashlib.sha256(text).hexdigest() == "bd7b0f01ca55575f0a333a40ad6c8db82a245893b38e0765c2494b177920b3a2"
    )


def test_a_wallet_call_signed_over_its_full_path_is_refused() -> None:
    refused(carrying("POST", APPLY, Q, FULL_PATH), WRONG_SIGNATURE)


def test_an_account_call_signed_without_the_prefix_is_refused() -> None:
    signature = hmac_of(f"GET\n{HOST}\n/account/balance\n{Q}")
    refused(carrying("GET", BALANCE, Q, signature), WRONG_SIGNATURE)


def test_the_published_ed25519_signature_is_accepted() -> None:
    query = Q.replace("HmacSHA256", "Ed25519")
    assert accepted(carrying("POST", APPLY, query, ED_SIGNATURE), ED_KEY)


# --- hosts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header, sign_host",
    [
        (b"127.0.0.1:8080", HOST),
        (b"127.0.0.1:8080", "127.0.0.1"),
        (b"127.0.0.1:8080", "127.0.0.1:8080"),
        (b"Penstock.Example", "penstock.example"),
        (b"[::1]:8080", "[::1]:8080"),
        (b"[::1]:8080", "[::1]"),
        (b"[::1]:8080", "::1"),
        (None, HOST),
    ],
)
def test_the_venues_host_and_the_requests_own_may_be_signed(header: bytes | None, sign_host: str) -> None:
    assert accepted(signed("POST", APPLY, sign_host=sign_host, host=header))


@pytest.mark.parametrize(
    "header, sign_host",
    [
        (b"127.0.0.1:8080", "127.0.0.1:8081"),
        (b"127.0.0.1:8080", "evil.example"),
        (b"127.0.0.1", ""),
        (b"penstock.example", "penstock.example:443"),
        (b"penstock.example", "example"),
        (None, "127.0.0.1"),
    ],
)
def test_no_other_host_may_be_signed(header: bytes | None, sign_host: str) -> None:
    refused(signed("POST", APPLY, sign_host=sign_host, host=header), WRONG_SIGNATURE)


def test_two_host_headers_count_for_nothing() -> None:
    twice = ((b"host", b"a.example"), (b"host", b"a.example"), CLOUD, JSON)
    refused(signed("POST", APPLY, sign_host="a.example", host=None, headers=twice), WRONG_SIGNATURE)


def test_a_forwarded_host_counts_from_a_trusted_proxy_only() -> None:
    venue = Sunx(make_world(), Hosts(("exchange.example",), trusted_proxies=("10.0.0.0/8",)))
    forwarded = (CLOUD, JSON, (b"x-forwarded-host", b"Front.Example, inner.example"))
    request = signed("POST", APPLY, sign_host="front.example", headers=forwarded, client_ip="10.1.2.3")
    assert accepted(request, venue=venue)
    assert not accepted(request)
    inner = signed("POST", APPLY, sign_host="inner.example", headers=forwarded, client_ip="10.1.2.3")
    assert not accepted(inner, venue=venue)
    outside = signed("POST", APPLY, sign_host="front.example", headers=forwarded, client_ip="11.1.2.3")
    assert not accepted(outside, venue=venue)


def test_configured_hosts_take_the_place_of_the_venues() -> None:
    venue = Sunx(make_world(), Hosts(("exchange.example",)))
    assert accepted(signed("POST", APPLY, sign_host="exchange.example", host=b"10.0.0.1"), venue=venue)
    assert not accepted(signed("POST", APPLY, host=b"10.0.0.1"), venue=venue)


# --- the query's two forms -------------------------------------------------------------------------------------------


def as_sent(more: str, signed_text: str | None = None) -> Request:
    """A GET with raw pairs as a client that leaves some marks bare sends and signs them."""
    names = sorted([*Q.split("&"), *more.split("&")])
    signature = hmac_of(f"GET\n{HOST}\n/sunperp/dw/query/deposit-withdraw\n{signed_text or '&'.join(names)}")
    return carrying("GET", RECORDS, f"{more}&{Q}", signature)


def test_marks_left_bare_may_be_signed_bare() -> None:
    assert accepted(as_sent("note=a!b'(c)*&type=deposit"))


def test_marks_left_bare_may_be_signed_encoded() -> None:
    encoded = query_text(auth_values(note="a!b'(c)*", type="deposit"))
    assert accepted(as_sent("note=a!b'(c)*&type=deposit", encoded))


def test_a_space_sent_as_plus_is_a_space() -> None:
    assert accepted(as_sent("note=a+b&type=deposit", query_text(auth_values(note="a b", type="deposit"))))


def test_the_order_on_the_wire_does_not_matter() -> None:
    pairs = VECTORS["E"][3].removeprefix("&").split("&")
    assert accepted(carrying("GET", RECORDS, "&".join([*reversed(pairs), Q]), VECTORS["E"][4]))


def test_a_signature_whose_plus_was_not_escaped_is_read() -> None:
    method, path, host, _, signature = VECTORS["B"]
    assert "+" in signature
    assert accepted(request_of(method, path, f"{Q}&Signature={signature}", host=host.encode()))
    spaced = signature.replace("+", "%20")
    assert accepted(request_of(method, path, f"{Q}&Signature={spaced}", host=host.encode()))


@pytest.mark.parametrize(
    "query",
    [
        f"{Q}&{Q}",
        f"{Q}&type=deposit&type=withdraw",
        f"{Q}&type=deposit&%74ype=withdraw",
        f"{Q}&note=%zz",
        f"{Q}&note=%",
        f"{Q}&note=%ff",
        Q + "".join(f"&n{number}=1" for number in range(64)),
    ],
)
def test_a_query_with_two_readings_is_refused(query: str) -> None:
    signature = hmac_of(f"GET\n{HOST}\n/sunperp/dw/query/deposit-withdraw\n{query}")
    refused(carrying("GET", RECORDS, query, signature), WRONG_SIGNATURE)


# --- what is refused, in its order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["", Q, "Signature=abc", f"{Q}&Signature=", Q.replace(KEY, "") + "&Signature=abc"]
)
def test_a_request_without_key_or_signature_is_told_to_log_in(query: str) -> None:
    reply = who(request_of("POST", APPLY, query))
    assert isinstance(reply, Reply)
    assert error(reply) == NOT_SIGNED


@pytest.mark.parametrize(
    "key",
    [
        make_key(key_id="another"),
        make_key(venue="zoomex"),
        make_key(frozen=True),
        make_key(expires_ms=NOW_MS),
    ],
    ids=["unknown", "of another venue", "frozen", "expired"],
)
def test_a_key_that_does_not_serve_is_an_incorrect_key(key: KeyView) -> None:
    refused(signed("POST", APPLY), WRONG_KEY, key)


def test_a_key_bound_to_addresses_is_refused_from_elsewhere_by_name() -> None:
    bound = make_key(allowed_ips=("10.0.0.1", "192.0.2.0/24"))
    assert accepted(signed("POST", APPLY, client_ip="192.0.2.9"), bound)
    request = signed("POST", APPLY, client_ip="198.51.100.7")
    refused(request, WRONG_IP, bound)
    reply = who(request, bound)
    assert isinstance(reply, Reply)
    assert told(reply).endswith(":198.51.100.7")


@pytest.mark.parametrize("off_ms", [-300_000, -1, 0, 1, 300_000])
def test_a_timestamp_counts_for_five_minutes_either_way(off_ms: int) -> None:
    assert accepted(signed("POST", APPLY, now_ms=NOW_MS + off_ms))


@pytest.mark.parametrize("off_ms", [-300_001, 300_001, 10**12])
def test_a_timestamp_beyond_five_minutes_is_refused(off_ms: int) -> None:
    refused(signed("POST", APPLY, now_ms=NOW_MS + off_ms), WRONG_TIME)


@pytest.mark.parametrize(
    "timestamp",
    [
        "",
        "1795240800",
        "1795240800000",
        "1e12",
        "2026-11-21 06:00:00",
        "2026-11-21T06:00:00Z",
        "2026-11-21T06:00:00.000",
        " 2026-11-21T06:00:00",
        "+2026-11-21T06:00:00",
        "2026-11-21T06:00",
        "2026-11-21T24:00:00",
        "2026-11-21T06:00:60",
        "2026-02-30T06:00:00",
        "0000-11-21T06:00:00",
        "２０２６-11-21T06:00:00",  # noqa: RUF001 - full-width on purpose
        "2026-11-21T06:00:00\n",
        "9" * 30,
    ],
)
def test_a_timestamp_of_another_shape_is_refused(timestamp: str) -> None:
    refused(signed("POST", APPLY, extra={"Timestamp": timestamp}), WRONG_TIME)


@pytest.mark.parametrize(
    "changes",
    [
        {"SignatureVersion": "1"},
        {"SignatureVersion": ""},
        {"SignatureMethod": "HmacSHA512"},
        {"SignatureMethod": "hmacsha256"},
        {"SignatureMethod": ""},
        {"SignatureMethod": "Ed25519"},
    ],
)
def test_another_method_or_version_is_refused_though_signed(changes: dict[str, str]) -> None:
    refused(signed("POST", APPLY, extra=changes), WRONG_SIGNATURE)


@pytest.mark.parametrize(
    "signature",
    [
        "WSHTASFJDLN6AQTSDIXAH",
        base64.b64decode(VECTORS["A"][4]).hex(),
        VECTORS["A"][4].rstrip("="),
        VECTORS["A"][4].replace("/", "_"),
        VECTORS["A"][4] + "\n",
        "é" * 44,
        "=",
    ],
)
def test_a_signature_in_any_other_form_is_refused(signature: str) -> None:
    for method, key in (("HmacSHA256", None), ("Ed25519", ED_KEY)):
        query = query_text(auth_values(SignatureMethod=method))
        refused(carrying("POST", APPLY, query, signature), WRONG_SIGNATURE, key)


def test_a_key_without_the_permission_is_refused_after_its_signature() -> None:
    reader = make_key(permissions=frozenset({"read"}))
    refused(signed("POST", APPLY), NO_PERMISSION, reader)
    refused(signed("POST", CONFIRM), NO_PERMISSION, reader)
    refused(signed("GET", RECORDS), NO_PERMISSION, make_key(permissions=frozenset({"withdraw"})))
    refused(carrying("POST", APPLY, Q, FULL_PATH), WRONG_SIGNATURE, reader)


def test_the_checks_come_in_the_documented_order() -> None:
    all_wrong: dict[str, Any] = {"allowed_ips": ("10.0.0.1",), "permissions": frozenset()}
    late = {"now_ms": NOW_MS + 10**9}
    bad = carrying("POST", APPLY, Q, FULL_PATH, **late)
    refused(bad, WRONG_KEY, make_key(**all_wrong, frozen=True))
    refused(bad, WRONG_IP, make_key(**all_wrong))
    del all_wrong["allowed_ips"]
    refused(bad, WRONG_TIME, make_key(**all_wrong))
    refused(carrying("POST", APPLY, Q, FULL_PATH), WRONG_SIGNATURE, make_key(**all_wrong))


def test_another_method_or_path_needs_another_signature() -> None:
    _, _, _, _, signature = VECTORS["A"]
    refused(carrying("POST", CONFIRM, Q, signature), WRONG_SIGNATURE)
    refused(carrying("GET", RECORDS, Q, signature), WRONG_SIGNATURE)


def test_the_body_is_not_covered() -> None:
    """As at the venue: what a changed body asks for still needs the wallet's signature."""
    assert accepted(signed("POST", APPLY, b'{"amount":"1"}'))
    assert accepted(signed("POST", APPLY, b'{"amount":"1000"}'))


def test_the_claimed_key_is_told_without_a_signature() -> None:
    assert VENUE.claimed_key(request_of("POST", APPLY, Q)) == KEY
    assert VENUE.claimed_key(request_of("POST", APPLY, "AccessKeyId=a&AccessKeyId=b")) is None
    assert VENUE.claimed_key(request_of("POST", APPLY, "")) is None


# --- one method for one key ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [f"ed25519:{ED_PUBLIC}", ED_PUBLIC, ""])
def test_a_public_key_is_never_the_secret_of_an_hmac(secret: str) -> None:
    signature = hmac_of(f"POST\n{HOST}\n/sunperp/dw/withdraw/apply\n{Q}", secret)
    refused(carrying("POST", APPLY, Q, signature), WRONG_SIGNATURE, ED_KEY)


def test_an_hmac_secret_is_never_taken_for_a_public_key() -> None:
    query = Q.replace("HmacSHA256", "Ed25519")
    refused(
        carrying("POST", APPLY, query, ED_SIGNATURE), WRONG_SIGNATURE, make_key(secret=ED_PUBLIC.encode())
    )


@pytest.mark.parametrize(
    "secret", [b"ed25519:", b"ed25519:zz", b"ed25519:" + b"0" * 62, b"ed25519:\xff", b""]
)
def test_a_key_stored_wrongly_serves_nobody(secret: bytes) -> None:
    holder = make_key(secret=secret)
    refused(
        carrying("POST", APPLY, Q.replace("HmacSHA256", "Ed25519"), ED_SIGNATURE), WRONG_SIGNATURE, holder
    )
    refused(signed("POST", APPLY), WRONG_SIGNATURE, holder)


# --- any change is refused -------------------------------------------------------------------------------------------


def meaning(query: bytes) -> tuple[list[tuple[str, str]], str]:
    """What a query says, by the standard library's own reading: the parameters that are signed, and the signature."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    signature = next((value for name, value in pairs if name == "Signature"), "")
    return sorted(pair for pair in pairs if pair[0] != "Signature"), signature.replace(" ", "+")


@pytest.mark.parametrize("method", ["HmacSHA256", "Ed25519"])
def test_every_single_bit_of_the_query_counts(method: str) -> None:
    """Flips that leave the meaning (%3A for %3a) are the only ones accepted."""
    values = auth_values(SignatureMethod=method, type="deposit", currency="usdt", note="a b/é")
    text = f"GET\n{HOST}\n/sunperp/dw/query/deposit-withdraw\n{query_text(values)}"
    if method == "Ed25519":
        key = ED_KEY
        signature = base64.b64encode(
            Ed25519PrivateKey.from_private_bytes(bytes.fromhex(ED_SEED)).sign(text.encode())
        ).decode()
    else:
        key, signature = make_key(), hmac_of(text)
    query = f"{query_text(values)}&Signature={quote(signature, safe='')}".encode()
    assert accepted(request_of("GET", RECORDS, query), key)
    for place in range(len(query)):
        for bit in range(8):
            changed = bytearray(query)
            changed[place] ^= 1 << bit
            same = meaning(bytes(changed)) == meaning(query)
            assert accepted(request_of("GET", RECORDS, bytes(changed)), key) is same, bytes(changed)


@given(st.binary(max_size=200))
def test_no_query_at_all_breaks_the_reading(query: bytes) -> None:
    reply = who(request_of("POST", APPLY, query))
    assert isinstance(reply, Reply)
    assert error(reply)[1] in {"login-required", "api-signature-not-valid"}


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=10),
        st.text(st.characters(codec="utf-8"), max_size=20),
        max_size=6,
    )
)
def test_whatever_a_query_holds_the_page_and_the_code_sign_the_same_text(more: dict[str, str]) -> None:
    reserved = {*auth_values(), "Signature"}
    values = auth_values() | {name: value for name, value in more.items() if name not in reserved}
    assert canonical_query(values) == query_text(values).encode()
    assert accepted(signed("GET", RECORDS, extra=values))


@given(st.text(max_size=60), st.text(st.characters(codec="latin-1"), max_size=30))
def test_no_secret_but_the_keys_signs(secret: str, host: str) -> None:
    signature = hmac_of(f"POST\n{HOST}\n/sunperp/dw/withdraw/apply\n{Q}", secret + "x")
    refused(carrying("POST", APPLY, Q, signature, host=host.encode("latin-1")), WRONG_SIGNATURE)
