"""Who gets in, and which requests are read at all: what is refused here has stored nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from penstock.core.refusals import InDoubt, Unavailable
from penstock.core.secret import Secret
from penstock.engine.rules import Policy
from penstock.server.admin import admin_app
from penstock.server.admin.app import ENDPOINTS
from tests.api.admin_world import CATALOGUE, TOKEN, World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as made:
        yield made


def code(answer: Any) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["message"]
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, error["code"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", TOKEN)],
        [("authorization", f"Basic {TOKEN}")],
        [("authorization", f"Bearer {TOKEN[:-1]}")],
        [("authorization", f"Bearer {TOKEN}x")],
        [("authorization", f"Bearer {TOKEN} ")],
        [("authorization", "Bearer ")],
        [("authorization", f"Bearer {TOKEN.upper()}")],
        [("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {TOKEN}")],
    ],
)
def test_only_the_token_gets_in(world: World, headers: list[tuple[str, str]]) -> None:
    # One trailing blank is trimmed by HTTP servers; the gate itself compares bytes.
    answer = world.client.post("/admin/v1/sending/stop", headers=headers)
    assert code(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not world.rows()


def test_no_endpoint_answers_without_the_token(world: World) -> None:
    for endpoint in ENDPOINTS:
        world.clock.advance(60_000)
        answer = world.client.request(endpoint.method, f"/admin/v1{endpoint.path}", content=b"{}")
        assert answer.status_code == 401, endpoint.path
    assert not world.rows()


def test_without_the_token_even_a_wrong_path_says_nothing_else(world: World) -> None:
    assert code(world.client.get("/admin/v1/nothing")) == (401, "unauthorized")


def test_a_token_with_bytes_beyond_ascii_is_no_fault(world: World) -> None:
    answer = world.client.get("/admin/v1/controls", headers={b"authorization": b"Bearer \xe9\xff"})
    assert code(answer) == (401, "unauthorized")


def test_wrong_tokens_are_counted_per_address_and_the_right_one_never_waits(world: World) -> None:
    statuses = [world.client.get("/admin/v1/controls").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    refused = world.client.get("/admin/v1/controls")
    assert code(refused) == (429, "rate_limited")
    assert refused.headers["retry-after"] == "6"
    other = TestClient(world.app, client=("192.0.2.7", 5000))
    assert other.get("/admin/v1/controls").status_code == 401
    world.send("GET", "/controls")
    world.clock.advance(6_000)
    assert world.client.get("/admin/v1/controls").status_code == 401


def test_a_short_token_is_refused_at_start(world: World) -> None:
    for short in ("", "x" * 15):
        with pytest.raises(ValueError, match="at least 16 bytes"):
            admin_app(world.store, CATALOGUE, Policy(), Secret.of(short), lambda *_: "", world.clock)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'\xef\xbb\xbf{"account_number":"1"}',
        b'{"account_number":"\xff"}',
        b'{"account_number":"1","account_number":"2"}',
        b'{"account_number":"1","\\u0061ccount_number":"2"}',
        b'{"account_number":NaN}',
        b'{"account_number":1e999}',
        b'{"account_number":' + b"9" * 5_000 + b"}",
        b'{"account_number":"\\ud800"}',
        b'{"account_number":"1\\u0000"}',
        b"[" * 10_000,
        b'{"account_number":' + b"[" * 9 + b"]" * 9 + b"}",
    ],
)
def test_what_is_not_one_sound_object_is_400(world: World, body: bytes) -> None:
    assert code(world.raw("POST", "/accounts", body)) == (400, "body_malformed")
    assert not world.rows()


@pytest.mark.parametrize(
    "body, field",
    [
        (b"", "account_number"),
        (b"{}", "account_number"),
        (b'{"account_number":1}', "account_number"),
        (b'{"account_number":1.0}', "account_number"),
        (b'{"account_number":"1\\n"}', "account_number"),
        (b'{"account_number":"\xe2\x80\xae1"}', "account_number"),
        (b'{"account_number":"\xd9\xa3"}', "account_number"),
        (b'{"account_number":"12345678901234567890"}', "account_number"),
        (b'{"account_number":"1","frozen":false}', "frozen"),
        (b'{"account_number":"1","__proto__":{}}', "__proto__"),
        (b'{"account_number":"1","may_withdraw":"true"}', "may_withdraw"),
        (b'{"account_number":"1","may_withdraw":1}', "may_withdraw"),
        (b'{"account_number":"1","email":"x"}', "email"),
        (b'{"account_number":"1","email":"x@y\\nz"}', "email"),
        (b'{"account_number":"1","phone":"123"}', "phone"),
        (b'{"account_number":"1","master_account_id":7}', "master_account_id"),
        (b'{"account_number":"1","master_account_id":"9999999999999999999"}', "master_account_id"),
    ],
)
def test_a_value_that_cannot_be_taken_is_422_and_named(world: World, body: bytes, field: str) -> None:
    answer = world.raw("POST", "/accounts", body)
    assert code(answer) == (422, "parameter_invalid")
    assert answer.json()["error"]["field"] == field
    assert not world.rows()


@pytest.mark.parametrize(
    "number", ["1.0", "1e2", "-1", "1e400", "9223372036854775808", "999999999999999999999"]
)
def test_a_number_is_whole_and_within_its_bounds(world: World, number: str) -> None:
    body = f'{{"sender":"0xab","next_nonce":{number}}}'.encode()
    answer = world.raw("POST", "/networks/ethereum/release-quarantine", body)
    assert answer.status_code in {400, 422}
    assert not world.rows()


def test_a_secret_that_cannot_be_taken_is_not_repeated(world: World) -> None:
    account = world.account()
    body = {"venue": "bitmart", "secret": "hunter2 hunter2", "passphrase": "pass phrase"}
    answer = world.ask("POST", f"/accounts/{account}/keys", body)
    assert code(answer) == (422, "parameter_invalid")
    assert "hunter2" not in answer.text
    assert "phrase" not in answer.text.replace("passphrase", "")


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/json; charset=utf-16",
        "application/jsonx",
    ],
)
def test_a_body_of_another_kind_is_415(world: World, media: str) -> None:
    answer = world.raw("POST", "/accounts", b'{"account_number":"1"}', content_type=media)
    assert code(answer) == (415, "unsupported_media")
    assert not world.rows()


def test_an_encoded_body_is_415(world: World) -> None:
    answer = world.raw("POST", "/accounts", b'{"account_number":"1"}', content_encoding="gzip")
    assert code(answer) == (415, "unsupported_media")


def test_a_charset_of_utf_8_is_the_same_kind(world: World) -> None:
    body = b'{"account_number":"1"}'
    answer = world.raw("POST", "/accounts", body, content_type="application/json; charset=UTF-8")
    assert answer.status_code == 201


def test_a_large_body_is_413(world: World) -> None:
    body = b'{"account_number":"' + b"1" * 20_000 + b'"}'
    assert code(world.raw("POST", "/accounts", body)) == (413, "too_large")
    assert not world.rows()


def test_a_body_where_none_belongs_is_refused(world: World) -> None:
    assert world.refusal("POST", "/accounts/7/freeze", {"frozen": False}) == (
        422,
        "parameter_invalid",
        "frozen",
    )
    assert world.refusal("GET", "/controls", {"a": 1}) == (422, "parameter_invalid", "a")


@pytest.mark.parametrize(
    "path, field",
    [
        ("/audit?limit=0", "limit"),
        ("/audit?limit=1001", "limit"),
        ("/audit?limit=1e2", "limit"),
        ("/audit?limit=", "limit"),
        ("/audit?limit=%D9%A3", "limit"),
        ("/audit?limit=1&limit=2", "limit"),
        ("/audit?before=x", "before"),
        ("/audit?before=9223372036854775808", "before"),
        ("/audit?page=2", "page"),
        ("/withdrawals?account_id=-1", "account_id"),
        ("/withdrawals?account_id=1%00", "account_id"),
        ("/controls?x=1", "x"),
        ("/accounts/x", "account_id"),
        ("/accounts/9223372036854775808", "account_id"),
        ("/accounts/%31%0a", "account_id"),
        ("/withdrawals/1.5", "withdrawal_id"),
    ],
)
def test_a_parameter_that_means_nothing_is_refused(world: World, path: str, field: str) -> None:
    assert world.refusal("GET", path) == (422, "parameter_invalid", field)


def test_another_method_is_405_and_the_right_ones_are_named(world: World) -> None:
    account = world.account()
    answer = world.ask("PUT", f"/accounts/{account}/addresses")
    assert code(answer) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


class Failing:
    """A store whose every act ends in `error`."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def execute(self, _command: object) -> object:
        raise self.error


@pytest.mark.parametrize(
    "error, status, name",
    [
        (Unavailable("the write queue is full"), 503, "unavailable"),
        (InDoubt("the commit failed"), 500, "in_doubt"),
        (KeyError("hunter2"), 500, "bug"),
    ],
)
def test_a_failure_says_whether_it_may_have_happened(
    world: World, error: Exception, status: int, name: str
) -> None:
    app = admin_app(Failing(error), CATALOGUE, Policy(), Secret.of(TOKEN), lambda *_: "", world.clock)  # type: ignore[arg-type]
    client = TestClient(app, raise_server_exceptions=False)
    answer = client.post("/admin/v1/sending/stop", headers={"authorization": f"Bearer {TOKEN}"})
    assert code(answer) == (status, name)
    assert "hunter2" not in answer.text
