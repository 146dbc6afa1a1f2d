"""The commands at every venue: credentials from the environment or a file, dry runs that show no secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.client import VENUES, entry_of
from tests.cli.conftest import Ran
from tests.client.sample_accounts import CANARIES, CREDENTIALS, WITHDRAWALS

Run = Callable[..., Ran]
NOBODY = "http://127.0.0.1:9"


def in_environment(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (CREDENTIALS[venue] | {"base_url": NOBODY}).items():
        monkeypatch.setenv(f"PENSTOCK_{venue.upper()}_{name.upper()}", value)


def in_toml(venue: str, folder: Path) -> str:
    lines = [f"[{venue}]", f'base_url = "{NOBODY}"']
    for option in entry_of(venue).options:
        if option.name in CREDENTIALS[venue]:
            value = CREDENTIALS[venue][option.name]
            if option.secret:
                (folder / option.name).write_text(value + "\n")
            lines.append(
                f'{option.name} = {{file = "{option.name}"}}'
                if option.secret
                else f'{option.name} = "{value}"'
            )
    (folder / "venues.toml").write_text("\n".join(lines))
    return str(folder / "venues.toml")


def in_sandbox_json(venue: str, folder: Path) -> str:
    path = folder / "sandbox.json"
    section = CREDENTIALS[venue] | {"something_else": "of the venue"}
    path.write_text(json.dumps({"base_url": NOBODY, "venues": {venue: section}}))
    return str(path)


def withdrawal(venue: str) -> tuple[str, ...]:
    sample = WITHDRAWALS[venue]
    named = ("--currency", sample.currency, "--amount", sample.amount, "--address", sample.address)
    return ("withdraw", "--venue", venue, *named, *(("--network", sample.network) if sample.network else ()))


@pytest.mark.parametrize("source", ["environment", "toml", "sandbox.json"])
@pytest.mark.parametrize("venue", VENUES)
def test_credentials_reach_the_client_from_everywhere(
    venue: str, source: str, penstock: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_environment(venue, monkeypatch)
    places = {
        "environment": ("--from-env",),
        "toml": ("--config", in_toml(venue, tmp_path)),
        "sandbox.json": ("--config", in_sandbox_json(venue, tmp_path)),
    }
    ran = penstock("balance", "--venue", venue, *places[source])
    assert ran.code == 1
    assert f"{venue} was not reached, nothing was sent" in ran.err
    assert not any(canary in ran.out + ran.err for canary in CANARIES)


@pytest.mark.parametrize("venue", VENUES)
def test_what_is_missing_in_the_environment_is_named_with_its_meaning(
    venue: str, penstock: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_environment(venue, monkeypatch)
    for option in entry_of(venue).options:
        if option.required:
            monkeypatch.setenv(f"PENSTOCK_{venue.upper()}_{option.name.upper()}", "")
            ran = penstock("balance", "--venue", venue, "--from-env")
            assert ran.code == 2
            assert f"PENSTOCK_{venue.upper()}_{option.name.upper()} ({option.help})" in ran.err


@pytest.mark.parametrize("venue", VENUES)
def test_a_secret_in_the_file_itself_is_refused_without_showing_it(
    venue: str, penstock: Run, tmp_path: Path
) -> None:
    secret = next(option.name for option in entry_of(venue).options if option.secret)
    path = tmp_path / "bad.toml"
    lines = [f'{name} = "{value}"' for name, value in CREDENTIALS[venue].items()]
    path.write_text("\n".join([f"[{venue}]", *lines]))
    ran = penstock("balance", "--venue", venue, "--config", str(path))
    assert ran.code == 2
    assert f"{secret} must say where it is kept" in ran.err
    assert not any(canary in ran.out + ran.err for canary in CANARIES)


# edgeX must be asked first for the ids that its second layer signs: see test_on_a_sandbox.
@pytest.mark.parametrize("extra", [(), ("--json",)])
@pytest.mark.parametrize("venue", sorted(set(VENUES) - {"edgex"}))
def test_a_dry_run_needs_nobody_and_shows_no_secret(
    venue: str, extra: tuple[str, ...], penstock: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_environment(venue, monkeypatch)
    ran = penstock(*withdrawal(venue), "--from-env", "--dry-run", *extra)
    assert (ran.code, ran.err) == (0, "")
    assert WITHDRAWALS[venue].amount in ran.out
    assert not any(canary in ran.out for canary in CANARIES)


def test_a_dry_run_at_sunx_shows_the_request_for_the_quote(
    penstock: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_environment("sunx", monkeypatch)
    told = json.loads(penstock(*withdrawal("sunx"), "--from-env", "--dry-run", "--json").out)
    assert "/sapi/v1/sunperp/dw/withdraw/apply?" in told["url"]
    assert json.loads(told["body"]) == {
        "address": WITHDRAWALS["sunx"].address,
        "currency": "usdt",
        "chain": "trc20usdt",
        "amount": "8.799999",
        "fee": "0",
    }
    assert "signed" in told["afterwards"]


@pytest.mark.parametrize("venue", VENUES)
def test_calls_of_one_venue_are_listed(venue: str, penstock: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    in_environment(venue, monkeypatch)
    ran = penstock("call", "--venue", venue, "--from-env")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.strip()


@pytest.mark.parametrize("venue", VENUES)
def test_a_call_that_a_venue_lacks_is_said_in_one_line(
    venue: str, penstock: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_environment(venue, monkeypatch)
    ran = penstock("call", "makeMoney", "coin=BTC", "size:=5", "--venue", venue, "--from-env")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"penstock: {venue} offers no call 'makeMoney'\n"


def test_what_a_venue_lacks_is_said_in_one_line(penstock: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    in_environment("sunx", monkeypatch)
    ran = penstock("addresses", "--venue", "sunx", "--from-env")
    assert (ran.code, ran.err) == (2, "penstock: sunx offers no address book\n")
    in_environment("bitmart", monkeypatch)
    ran = penstock(*withdrawal("bitmart"), "--from-env", "--request-id", "mine", "--yes")
    assert (ran.code, ran.err) == (2, "penstock: bitmart offers no request id of the caller's own\n")


def without_address(venue: str) -> tuple[str, ...]:
    words = withdrawal(venue)
    place = words.index("--address")
    return words[:place] + words[place + 2 :]


@pytest.mark.parametrize("venue", sorted(set(VENUES) - {"edgex"}))
def test_an_address_must_be_given_where_the_account_has_none_of_its_own(
    venue: str, penstock: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_environment(venue, monkeypatch)
    ran = penstock(*without_address(venue), "--from-env", "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("penstock: it is not said where to\n  next: add --address")


@pytest.mark.parametrize("empty", ["--address", "--to-account"])
@pytest.mark.parametrize("venue", VENUES)
def test_an_empty_destination_is_never_taken_for_the_accounts_own(
    venue: str, empty: str, penstock: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_environment(venue, monkeypatch)
    ran = penstock(*without_address(venue), empty, "", "--from-env", "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert "is empty" in ran.err
