"""`penstock withdraw`: shows, asks, sends once, watches."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from penstock.cli.terminal import Failure
from penstock.cli.watching import Sight, watch
from penstock.client import NoAnswer
from tests.cli.conftest import TOKEN, Ran, Site
from tests.client.fake_bitmart import (
    ADDRESS,
    APPLY,
    DETAIL,
    HISTORY,
    KEY,
    MEMO,
    SECRET,
    TIME,
    envelope,
    record,
)

Run = Callable[..., Ran]
WITHDRAW = (
    "withdraw",
    "--currency",
    "USDT",
    "--network",
    "ethereum",
    "--amount",
    "100",
    "--address",
    ADDRESS,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def inside(state: str, confirmations: int = 0, **told: Any) -> dict[str, Any]:
    return {
        "withdrawal": {
            "withdrawal_id": 700001,
            "state": state,
            "network": "ethereum",
            "tx_hash": "0xabc",
            "confirmations": confirmations,
            "a_field_of_tomorrow": 1,
            **told,
        },
        "history": [
            {
                "sequence": 1,
                "state_before": "",
                "state_after": "held",
                "detail": "",
                "at_ms": 1_795_219_200_000,
            },
            {
                "sequence": 2,
                "state_before": "held",
                "state_after": state,
                "detail": "block 5",
                "at_ms": 1_795_219_201_000,
            },
        ],
        "attempts": [
            {
                "attempt_id": 9,
                "network": "ethereum",
                "sender": "0xfeed",
                "nonce": 4,
                "state": "sent",
                "tx_hash": "0xabc",
                "created_ms": 1_795_219_200_500,
            }
        ],
    }


def test_yes_sends_once_and_says_what_was_sent(site: Site, penstock: Run) -> None:
    ran = penstock(*WITHDRAW, "--config", site.toml, "--yes")
    assert (ran.code, ran.out) == (0, "withdrawal 700001 accepted by bitmart\n")
    shown = " ".join(ran.err.split())
    for fact in (f"bitmart at {site.base_url}", "USDT-ERC20", "amount 100", "fee 1", "arrives 99", ADDRESS):
        assert fact in shown
    assert site.fake.count(APPLY) == 1


def test_json_is_all_that_stands_on_standard_output(site: Site, penstock: Run) -> None:
    ran = penstock(*WITHDRAW, "--config", site.toml, "--yes", "--json")
    assert json.loads(ran.out)["withdrawal_id"] == "700001"


@pytest.mark.parametrize(
    "answer, sent, code", [("y\n", 1, 0), ("yes\n", 1, 0), ("n\n", 0, 1), ("\n", 0, 1), ("", 0, 1)]
)
def test_a_person_is_asked(
    site: Site, penstock: Run, monkeypatch: pytest.MonkeyPatch, answer: str, sent: int, code: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert penstock(*WITHDRAW, "--config", site.toml).code == code
    assert site.fake.count(APPLY) == sent


def test_without_a_person_and_without_yes_nothing_is_sent(
    site: Site, penstock: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    ran = penstock(*WITHDRAW, "--config", site.toml)
    assert (ran.code, site.fake.count(APPLY)) == (2, 0)
    assert "--yes" in ran.err


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_a_dry_run_shows_the_bytes_and_sends_none(site: Site, penstock: Run, extra: tuple[str, ...]) -> None:
    ran = penstock(*WITHDRAW, "--config", site.toml, "--dry-run", *extra)
    body = json.dumps({"currency": "USDT-ERC20", "amount": "100", "address": ADDRESS}, separators=(",", ":"))
    assert (ran.code, site.fake.count(APPLY)) == (0, 0)
    assert body.encode().hex() in ran.out
    assert f"#***#{json.dumps(body)[1:-1] if extra else body}" in ran.out
    assert "demo***" in ran.out
    for canary in (SECRET, MEMO, KEY):
        assert canary not in ran.out + ran.err


def test_a_dry_run_masks_the_signature(site: Site, penstock: Run) -> None:
    headers = json.loads(penstock(*WITHDRAW, "--config", site.toml, "--dry-run", "--json").out)["headers"]
    assert len(headers["X-BM-SIGN"]) == len("0123***")


def test_a_transfer_to_an_account(site: Site, penstock: Run) -> None:
    argv = ("withdraw", "--asset", "BTC", "--amount", "1", "--to-account", "876940329")
    ran = penstock(*argv, "--config", site.toml, "--yes")
    assert ran.code == 0
    assert "to account number  876940329" in ran.err
    assert json.loads(site.fake.seen[-1].body)["value"] == "876940329"


def test_a_refusal_ends_with_1_and_says_what_next(site: Site, penstock: Run) -> None:
    site.fake.then(APPLY, 400, envelope({}, 60008, "Balance not enough"))
    ran = penstock(*WITHDRAW, "--config", site.toml, "--yes")
    assert ran.code == 1
    assert "Balance not enough (code 60008" in ran.err
    assert "next: `penstock balance`" in ran.err


def test_a_lost_answer_ends_with_3_and_names_what_may_be_it(site: Site, penstock: Run) -> None:
    site.fake.then_raise(APPLY, ConnectionResetError())
    site.fake.then(HISTORY, 200, envelope({"records": [record()]}))
    ran = penstock(*WITHDRAW, "--config", site.toml, "--yes")
    assert ran.code == 3
    assert "outcome unknown" in ran.err
    assert "what may be this withdrawal: 700001" in ran.err
    assert site.fake.count(APPLY) == 1


def test_a_lost_answer_and_an_empty_history_say_when_to_look_again(site: Site, penstock: Run) -> None:
    site.fake.then(APPLY, 500, b"")
    site.fake.then(TIME, 200, envelope({"server_time": 0}))
    site.fake.then(HISTORY, 200, envelope({"records": []}))
    ran = penstock(*WITHDRAW, "--config", site.toml, "--yes")
    assert ran.code == 3
    assert "penstock withdrawals list --venue bitmart --currency USDT" in ran.err


@pytest.mark.parametrize("status, code", [(3, 0), (5, 1), (4, 1)])
def test_watching_ends_with_the_withdrawal(
    site: Site, penstock: Run, monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    monkeypatch.setattr("penstock.cli.watching.LOOK_EVERY_S", 0)
    for seen in (0, 2, 2, status):
        site.fake.then(DETAIL, 200, envelope({"record": record(status=seen)}))
    ran = penstock(*WITHDRAW, "--config", site.toml, "--yes", "--watch")
    words = {3: "done", 4: "cancelled", 5: "failed"}
    assert ran.code == code
    assert ran.out.splitlines()[1:] == [
        "700001  accepted",
        "700001  processing",
        f"700001  {words[status]}",
    ]


def test_a_sandbox_tells_the_confirmations_while_watching(
    site: Site, penstock: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.cli.watching.LOOK_EVERY_S", 0)
    site.insides = [inside("held", tx_hash=""), inside("mined", 3), inside("confirmed", 14)]
    ran = penstock(*WITHDRAW, "--config", site.sandbox_json, "--yes", "--watch")
    assert ran.code == 0
    assert ran.out.splitlines()[1:] == [
        "700001  held 0/12 confirmations",
        "700001  mined 3/12 confirmations  0xabc",
        "700001  confirmed 12/12 confirmations  0xabc",
    ]


def sight(state: str, *, final: bool = False, paid: bool = False) -> Sight:
    return Sight(state, 1, 12, "confirmations", "", final=final, paid=paid)


def test_a_watch_passes_over_failures() -> None:
    sights = iter([sight("mined"), NoAnswer("bitmart", "slow"), sight("confirmed", final=True, paid=True)])

    def look() -> Sight:
        seen = next(sights)
        if isinstance(seen, Exception):
            raise seen
        return seen

    assert watch("7", look, venue="bitmart", pause=lambda: None) == 0


@pytest.mark.parametrize("error", [NoAnswer("bitmart", "slow"), KeyboardInterrupt()])
def test_a_watch_that_ends_early_says_that_the_withdrawal_goes_on(error: BaseException) -> None:
    def look() -> Sight:
        raise error

    with pytest.raises(Failure, match="goes on") as caught:
        watch("7", look, venue="bitmart", pause=lambda: None)
    assert caught.value.code == 3
    assert caught.value.then == "penstock withdrawals show 7 --venue bitmart --watch"


def test_the_whole_history_is_shown_where_it_is_told(site: Site, penstock: Run) -> None:
    site.insides = [inside("mined", 3)]
    ran = penstock("withdrawals", "show", "700001", "--config", site.sandbox_json)
    assert ran.code == 0
    assert "2026-11-21T00:00:01.000Z  held  mined  block 5" in ran.out
    assert "0xfeed" in ran.out
    assert TOKEN not in ran.out


def test_without_a_sandbox_the_venues_status_is_shown(site: Site, penstock: Run) -> None:
    ran = penstock("withdrawals", "show", "700001", "--config", site.toml)
    assert "done (bitmart 3)" in ran.out


@pytest.mark.parametrize(
    "argv", [("balance",), ("addresses",), ("withdrawals", "list"), ("withdrawals", "show", "1")]
)
def test_every_reading_command_writes_json(site: Site, penstock: Run, argv: tuple[str, ...]) -> None:
    assert json.loads(penstock(*argv, "--config", site.toml, "--json").out)


@pytest.mark.parametrize(
    "argv, line",
    [
        (("balance",), ["fund", "USDT", "10.5", "1"]),
        (("addresses",), ["USDT-ERC20", "ERC20", ADDRESS, "-", "yes", "cold"]),
        (
            ("withdrawals", "list"),
            ["700001", "2026-11-21T00:00:00.040Z", "USDT-ERC20", "100", "1", "processing", ADDRESS, "-"],
        ),
    ],
)
def test_tables_have_a_cell_in_every_column(
    site: Site, penstock: Run, argv: tuple[str, ...], line: list[str]
) -> None:
    assert penstock(*argv, "--config", site.toml).out.splitlines()[1].split() == line
