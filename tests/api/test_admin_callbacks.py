"""Where a venue's callbacks go: set, shown, stopped; and URLs that are refused before anything is ever sent there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from penstock.webhooks.target import URL_LENGTH_MAX
from tests.api.admin_world import World, open_world

URL = "https://shop.example.org/penstock?token=t0ken"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as made:
        yield made


def customer(world: World, number: str = "100001", key_id: str = "key-1") -> str:
    """An account with a key for a venue that calls back; returns where its callback is set."""
    account = world.account(number)
    world.send("POST", f"/accounts/{account}/keys", {"venue": "alphapo", "key_id": key_id})
    return f"/accounts/{account}/callbacks/alphapo"


def acts(world: World) -> list[str]:
    return [row.act for row in world.audit()]


def test_a_callback_is_set_and_shown(world: World) -> None:
    path = customer(world)
    made = world.send("PUT", path, {"url": URL, "key_id": "key-1"})
    assert (made["venue"], made["url"], made["key_id"]) == ("alphapo", URL, "key-1")
    assert world.send("GET", path) == made
    row = world.store.reader().callback(int(made["account_id"]), "alphapo")  # type: ignore[arg-type]
    assert row is not None
    assert (row.url, row.key_id) == (URL, "key-1")
    assert acts(world)[0] == "SetCallback"


def test_a_callback_set_again_replaces_the_first(world: World) -> None:
    path = customer(world)
    world.send("PUT", path, {"url": URL, "key_id": "key-1"})
    world.send("PUT", path, {"url": "https://other.example.org/", "key_id": "key-1"})
    assert world.send("GET", path)["url"] == "https://other.example.org/"


def test_a_stopped_callback_goes_nowhere_and_stopping_it_again_changes_nothing(world: World) -> None:
    path = customer(world)
    world.send("PUT", path, {"url": URL, "key_id": "key-1"})
    stopped = world.send("DELETE", path)
    assert stopped["url"] == ""
    rows = world.rows()
    assert world.send("DELETE", path) == stopped == world.send("GET", path)
    assert world.rows() == rows
    assert acts(world)[:2] == ["SetCallback", "SetCallback"]


def test_a_callback_that_was_never_set_is_404(world: World) -> None:
    path = customer(world)
    assert world.refusal("GET", path) == (404, "not_found", None)
    assert world.refusal("DELETE", path) == (404, "not_found", None)


def test_an_unknown_account_has_no_callback(world: World) -> None:
    path = "/accounts/77/callbacks/alphapo"
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"url": URL, "key_id": "key-1"})):
        assert world.refusal(method, path, body) == (404, "account_unknown", None)


def test_a_callback_is_signed_with_a_key_of_that_account_and_venue(world: World) -> None:
    path = customer(world)
    customer(world, "100002", "key-2")
    elsewhere = path.replace("alphapo", "bitmart")
    for where, key_id in ((path, "key-2"), (path, "none-such"), (elsewhere, "key-1")):
        refused = world.refusal("PUT", where, {"url": URL, "key_id": key_id})
        assert refused == (422, "parameter_invalid", "key_id")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org:8443/a/b?c=d",
        "https://xn--bcher-kva.example/",
        "https://93.184.216.34/",
        "HTTPS://EXAMPLE.ORG/",
        "http://127.0.0.1:9000/hook",
        "http://10.1.2.3/",
        "http://172.31.255.255/",
        "http://192.168.0.9:8080/",
        "http://[::1]:9000/",
        "http://[fd12:3456::7]/",
        "https://example.org/" + "x" * (URL_LENGTH_MAX - 20),
    ],
)
def test_a_url_by_https_or_of_an_inner_address_is_taken_as_it_is(world: World, url: str) -> None:
    assert world.send("PUT", customer(world), {"url": url, "key_id": "key-1"})["url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org/",
        "/hook",
        "https://",
        "https:///hook",
        "ftp://example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://example.org/",
        "http://localhost/",
        "http://inner.example.org/",
        "http://127.0.0.1.example.org/",
        # Outside the private blocks, though some of them look small.
        "http://93.184.216.34/",
        "http://172.32.0.1/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[2606:2800:220:1::1]/",
        "http://[::ffff:93.184.216.34]/",
        # Other spellings of 127.0.0.1, which some resolvers take.
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        # Services that hand out a machine's credentials.
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "https://user:hunter2@example.org/",
        "https://user@example.org/",
        "http://user:hunter2@127.0.0.1/",
        "https://example.org/#hunter2",
        "https://example.org:0/",
        "https://example.org:65536/",
        "https://example.org\\@evil.example/",
        "https://exa mple.org/",
        "https://b\u00fccher.example/",
        "https://example.org/\n",
        "https://example.org/" + "x" * (URL_LENGTH_MAX - 19),
    ],
)
def test_any_other_url_is_refused(world: World, url: str) -> None:
    path = customer(world)
    assert world.refusal("PUT", path, {"url": url, "key_id": "key-1"}) == (422, "parameter_invalid", "url")


def test_a_refusal_does_not_repeat_what_the_url_may_hide(world: World) -> None:
    path = customer(world)
    for url in ("https://user:hunter2@example.org/", "http://example.org/?token=hunter2"):
        assert "hunter2" not in world.ask("PUT", path, {"url": url, "key_id": "key-1"}).text


@pytest.mark.parametrize(
    "url, kept",
    [
        ("https://shop.example.org", "https://shop.example.org"),
        ("https://shop.example.org/hunter2/paid", "https://shop.example.org"),
        ("https://shop.example.org:8443/paid?token=hunter2", "https://shop.example.org:8443"),
        ("https://shop.example.org?token=hunter2@/", "https://shop.example.org"),
        ("http://[::1]:9000/hunter2", "http://[::1]:9000"),
    ],
)
def test_the_audit_keeps_scheme_host_and_port_of_a_callbacks_url(world: World, url: str, kept: str) -> None:
    path = customer(world)
    world.send("PUT", path, {"url": url, "key_id": "key-1"})
    world.send("DELETE", path)
    told = [msgspec.json.decode(row.detail)["url"] for row in world.audit() if row.act == "SetCallback"]
    assert told == ["", kept]
    assert "hunter2" not in world.raw("GET", "/audit").text
