"""What the operator sees: withdrawals with their story, switches, the audit; and the health answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from penstock.cli.inside import Inside
from penstock.core.commands import ClaimLane, Quarantine
from penstock.server.health import health_reply
from tests.api.admin_world import ADDRESS, CATALOGUE, World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as made:
        yield made


def test_a_withdrawal_is_shown_with_its_story(world: World) -> None:
    account = world.account()
    made = world.withdrawal(account)
    story = world.send("GET", f"/withdrawals/{made}")
    seen = story["withdrawal"]
    assert (seen["withdrawal_id"], seen["account_id"]) == (made, account)
    assert (seen["amount"], seen["fee"], seen["net"]) == ("100", "1", "99")
    assert (seen["state"], seen["confirmations_needed"]) == ("held", 12)
    assert [change["state_after"] for change in story["history"]] == ["held"]
    assert story["attempts"] == []


def test_the_command_line_reads_the_story(world: World) -> None:
    made = world.withdrawal(world.account())
    inside = msgspec.json.decode(world.ask("GET", f"/withdrawals/{made}").content, type=Inside)
    assert inside.withdrawal.withdrawal_id == made
    assert inside.history[0].state_after == "held"


def test_withdrawals_are_listed_of_one_account_or_of_all(world: World) -> None:
    first, second = world.account("1"), world.account("2")
    made = world.withdrawal(first)

    def ids(query: str) -> list[str]:
        return [each["withdrawal_id"] for each in world.send("GET", f"/withdrawals{query}")["withdrawals"]]

    assert ids("") == ids(f"?account_id={first}") == ids("?limit=1") == [made]
    assert ids(f"?account_id={second}") == []


def test_a_balance_shows_what_is_held(world: World) -> None:
    account = world.account()
    world.withdrawal(account)
    assert world.send("GET", f"/accounts/{account}/balances")["balances"] == [
        {"wallet": "spot", "asset": "USDT", "available": "400", "held": "100"},
    ]


def test_every_switch_is_listed_also_the_untouched(world: World) -> None:
    world.send("POST", "/networks/tron/pause", {"reason": "fork"})
    controls = {each["name"]: each for each in world.send("GET", "/controls")["controls"]}
    assert controls.keys() == {"sending", "network/ethereum", "network/tron"}
    assert controls["network/tron"]["reason"] == "fork"
    assert [name for name, each in controls.items() if each["stopped"]] == ["network/tron"]


def test_the_audit_is_read_newest_first_and_page_by_page(world: World) -> None:
    for number in range(5):
        world.account(str(number))

    def numbers(query: str) -> tuple[list[str], str]:
        acts = world.send("GET", f"/audit?{query}")["acts"]
        return [json.loads(act["detail"])["account_number"] for act in acts], acts[-1]["audit_id"]

    first, last = numbers("limit=3")
    assert first == ["4", "3", "2"]
    assert numbers(f"limit=3&before={last}")[0] == ["1", "0"]


def test_a_head_request_has_no_side(world: World) -> None:
    assert world.ask("HEAD", "/controls").status_code == 200


def test_health_tells_what_is_stopped_and_quarantined(world: World) -> None:
    started = world.clock.monotonic_ms()
    world.clock.advance(5_000)
    reply = health_reply(world.store.reader(), CATALOGUE, world.clock, started)
    assert reply.status == 200
    assert json.loads(reply.body) == {
        "status": "ok",
        "now_ms": world.clock.now_ms(),
        "up_ms": 5_000,
        "database": "ok",
        "sending": "sending",
        "networks": {"ethereum": "sending", "tron": "sending"},
    }
    world.store.submit(ClaimLane("ethereum", ADDRESS, "worker", 1_000, 7)).result(10)
    world.store.submit(Quarantine("ethereum", ADDRESS, "a stranger's nonce")).result(10)
    world.send("POST", "/sending/stop")
    told = json.loads(health_reply(world.store.reader(), CATALOGUE, world.clock, started).body)
    assert told["sending"] == "stopped"
    assert told["networks"] == {"ethereum": "quarantined", "tron": "stopped"}


def test_health_fails_when_the_database_cannot_be_read(world: World) -> None:
    class Broken:
        def row(self, *_arguments: object) -> None:
            raise OSError("the disk is gone")

    reply = health_reply(Broken(), CATALOGUE, world.clock, 0)  # type: ignore[arg-type]
    assert reply.status == 503
    assert json.loads(reply.body)["database"] == "unreadable"
    assert b"disk" not in reply.body
