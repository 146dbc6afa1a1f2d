"""After a lost answer each venue is asked as it can be, once, and the person is told what that means."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.core.time import ManualClock, SystemClock
from tests.cli.conftest import Ran, serving
from tests.client import fake_edgex, fake_sunx, fake_zoomex
from tests.client.fake_alphapo import FakeAlphapo
from tests.venues.alphapo import world as alphapo

Run = Callable[..., Ran]


def in_doubt(
    penstock: Run,
    fake: Any,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    venue: str,
    credentials: dict[str, str],
    *argv: str,
) -> Ran:
    for name, value in credentials.items():
        monkeypatch.setenv(f"PENSTOCK_{venue.upper()}_{name.upper()}", value)
    with serving(fake, folder) as site:
        monkeypatch.setenv(f"PENSTOCK_{venue.upper()}_BASE_URL", site.base_url)
        ran = penstock(*argv, "--venue", venue, "--from-env")
    assert (ran.code, ran.out) == (3, "")
    assert "outcome unknown" in ran.err
    return ran


WITHDRAW = ("withdraw", "--yes")


def at_sunx(penstock: Run, fake: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    credentials = {
        "access_key": fake_sunx.KEY,
        "secret_key": fake_sunx.SECRET,
        "wallet_private_key": fake_sunx.WALLET_KEY,
    }
    asked = ("--currency", "usdt", "--network", "tron", "--amount", "8.799999", "--address", fake_sunx.WALLET)
    return in_doubt(penstock, fake, folder, monkeypatch, "sunx", credentials, *WITHDRAW, *asked)


def at_zoomex(penstock: Run, fake: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    credentials = {"api_key": fake_zoomex.KEY, "api_secret": fake_zoomex.SECRET}
    to = ("--address", fake_zoomex.TRON_ADDRESS, "--request-id", "mine7")
    asked = ("--currency", "USDT", "--network", "TRX", "--amount", "25.5", *to)
    return in_doubt(penstock, fake, folder, monkeypatch, "zoomex", credentials, *WITHDRAW, *asked)


def at_edgex(penstock: Run, fake: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    credentials = {"account_id": fake_edgex.ACCOUNT_ID, "stark_private_key": fake_edgex.PRIVATE_KEY}
    asked = ("--currency", "USDT", "--amount", "10", "--address", fake_edgex.ADDRESS, "--request-id", "mine7")
    return in_doubt(penstock, fake, folder, monkeypatch, "edgex", credentials, *WITHDRAW, *asked)


def test_sunx_is_asked_for_its_records(
    penstock: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fake_sunx.FakeSunx()
    fake.then_raise(fake_sunx.CONFIRM, ConnectionResetError())
    ran = at_sunx(penstock, fake, tmp_path, monkeypatch)
    assert "cannot be asked by an id of yours" in ran.err
    assert re.search(
        r"next: sunx does not show it yet; after .*: penstock withdrawals list --venue sunx", ran.err
    )
    assert fake.count(fake_sunx.CONFIRM) == 1
    assert fake_sunx.WALLET_KEY not in ran.err


def test_zoomex_is_asked_for_its_records_and_the_id_is_told(
    penstock: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fake_zoomex.FakeZoomex(clock=ManualClock(SystemClock().now_ms()))
    create = "/private/v1/asset/withdraw/create"
    fake.then_raise(create, ConnectionResetError(), after_taking_it=True)
    ran = at_zoomex(penstock, fake, tmp_path, monkeypatch)
    assert "with the request id mine7" in ran.err
    assert "cannot be asked by an id of yours" in ran.err
    assert re.search(r"next: the history shows what may be this withdrawal: \d+", ran.err)
    assert fake.count(create) == 1


def test_edgex_is_asked_by_id_and_has_not_got_it(
    penstock: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fake_edgex.FakeEdgex()
    fake.then_raise(fake_edgex.CREATE, ConnectionResetError())
    ran = at_edgex(penstock, fake, tmp_path, monkeypatch)
    assert "with the request id mine7" in ran.err
    assert "can be asked by this id" in ran.err
    assert re.search(r"next: edgex does not show it yet; after .*penstock call --venue edgex", ran.err)
    assert fake.seen[-1].query["clientWithdrawIdList"] == "mine7"
    assert fake.count(fake_edgex.CREATE) == 1


def test_edgex_is_asked_by_id_and_has_it(
    penstock: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fake_edgex.FakeEdgex(listed=[fake_edgex.record(id="81", clientWithdrawId="mine7")])
    fake.then_raise(fake_edgex.CREATE, ConnectionResetError())
    ran = at_edgex(penstock, fake, tmp_path, monkeypatch)
    assert "next: edgex knows the request id: the withdrawal was made, it is 81." in ran.err


@pytest.mark.parametrize(
    "arrived, told",
    [
        (True, r"next: alphapo knows the request id: the withdrawal was made, it is \d+\."),
        (
            False,
            r"next: alphapo does not show it yet; after .*penstock call --venue alphapo.*--request-id mine7",
        ),
    ],
)
def test_alphapo_is_asked_by_id(
    penstock: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrived: bool, told: str
) -> None:
    fake = FakeAlphapo()
    fake.then_lose(ConnectionResetError(), arrived=arrived)
    credentials = {"processing_key": alphapo.KEY, "secret_key": alphapo.SECRET}
    to = ("--debit-currency", "EUR", "--debited", "--address", alphapo.BTC_ADDRESS, "--request-id", "mine7")
    asked = ("--currency", "BTC", "--amount", "100", *to)
    ran = in_doubt(penstock, fake, tmp_path, monkeypatch, "alphapo", credentials, *WITHDRAW, *asked)
    assert "can be asked by this id" in ran.err
    assert re.search(told, ran.err)
    assert fake.count("/withdrawal/crypto") == 1


def test_an_exchange_is_asked_for_again_under_its_own_id_only(
    penstock: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeAlphapo()
    fake.then_lose(ConnectionResetError(), arrived=True)
    credentials = {"processing_key": alphapo.KEY, "secret_key": alphapo.SECRET}
    asked = ("sender_currency=EUR", "receiver_currency=BTC", "sender_amount=100", "foreign_id=mine7")
    ran = in_doubt(
        penstock, fake, tmp_path, monkeypatch, "alphapo", credentials, "call", "exchange_now", *asked
    )
    assert "next: asking again is safe only with the same id, mine7, and nothing else changed" in ran.err
    assert fake.count("/exchange/now") == 1
