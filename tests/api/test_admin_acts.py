"""Every act of the operator: it works, it leaves one audit row, and a refused one leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.core.commands import ClaimLane, Quarantine
from penstock.engine.rows import AccountRow, ApiKeyRow, DepositAddressRow
from penstock.engine.sending_rows import ControlRow
from penstock.store.verify import verify
from tests.api.admin_world import ADDRESS, OTHER_ADDRESS, TOKEN, TRON_ADDRESS, USDT, World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path) as made:
        yield made


def acts(world: World) -> list[str]:
    return [row.act for row in world.audit()]


def test_an_account_is_opened_and_shown(world: World) -> None:
    body = {"account_number": "100001", "email": "a@example.org", "phone": "+86 13800000000"}
    made = world.send("POST", "/accounts", body)
    assert (made["account_number"], made["frozen"], made["may_withdraw"]) == ("100001", False, True)
    assert world.send("GET", f"/accounts/{made['account_id']}") == made
    assert acts(world) == ["CreateAccount"]


def test_a_sub_account_names_its_master(world: World) -> None:
    master = world.account()
    made = world.send("POST", "/accounts", {"account_number": "2", "master_account_id": master})
    assert made["master_account_id"] == master


def test_an_unknown_master_is_refused(world: World) -> None:
    body = {"account_number": "2", "master_account_id": "77"}
    assert world.refusal("POST", "/accounts", body) == (422, "parameter_invalid", "master_account_id")


def test_an_account_number_is_given_once(world: World) -> None:
    world.account("5")
    body = {"account_number": "5"}
    assert world.refusal("POST", "/accounts", body) == (409, "already_exists", "account_number")


def test_a_key_is_made_at_random_and_its_secret_shown_once(world: World) -> None:
    account = world.account()
    body = {"venue": "bitmart", "permissions": ["read", "withdraw"], "allowed_ips": ["10.0.0.0/8", "::1"]}
    made = world.send("POST", f"/accounts/{account}/keys", body)
    key = made["key"]
    assert len(made["secret"]) == 64
    assert key["permissions"] == ["read", "withdraw"]
    found = world.store.find_key(key["key_id"])
    assert found is not None
    assert (found.secret.decode(), found.passphrase) == (made["secret"], made["passphrase"])
    frozen = world.send("POST", f"/keys/{key['key_id']}/freeze")
    assert "secret" not in frozen
    assert made["secret"] not in json.dumps(world.send("GET", "/audit"))
    assert made["passphrase"] not in json.dumps(world.send("GET", "/audit"))


def test_a_given_key_is_taken_as_it_is(world: World) -> None:
    body = {"venue": "bitmart", "key_id": "demo-1", "secret": "s3cret-0001", "passphrase": "memo"}
    made = world.send("POST", f"/accounts/{world.account()}/keys", body)
    assert (made["key"]["key_id"], made["secret"], made["passphrase"]) == ("demo-1", "s3cret-0001", "memo")
    assert acts(world) == ["CreateKey", "CreateAccount"]


STARK_KEY = (
    "01924a6e2ddd61cc1e83254767a218fbf56e8fa0ab2e141a4138f8bc46aae0cb"
    ":025988ecb44696fd548224ddf4c627bdb00105bb029c86cee844ef4ff0c02fe4"
)


@pytest.mark.parametrize(
    "venue, key_id, secret, passphrase",
    [
        (
            "bitmart",
            "80618e45710812162b04892c7ee5ead4a3cc3e56",
            "6c6c98544461bbe71db2bca4c6d7fd00",
            "test001",
        ),
        ("sunx", "b92c6e11-hrf5gdfghe-0c7a2e1f-4d1b9", "sunx-test-secret-key-01", ""),
        ("sunx", "ed-1", "ed25519:" + "70ac4c00e803e6a2" * 4, ""),
        ("zoomex", "zx-demo-key-0001", "zx-demo-secret-0001", ""),
        ("alphapo", "alphapo-test-key-01", "AbCdEfG123456", ""),
        ("edgex", "543429922991899150", STARK_KEY, ADDRESS),
    ],
)
def test_a_key_of_every_venue_is_taken_as_it_is(
    world: World, venue: str, key_id: str, secret: str, passphrase: str
) -> None:
    body = {"venue": venue, "key_id": key_id, "secret": secret, "passphrase": passphrase}
    world.send("POST", f"/accounts/{world.account()}/keys", body)
    found = world.store.find_key(key_id)
    assert found is not None
    assert (found.venue, found.secret.decode(), found.passphrase) == (venue, secret, passphrase)


@pytest.mark.parametrize(
    "venue, changes, field",
    [
        ("edgex", {"key_id": "0543429922991899150"}, "key_id"),
        ("edgex", {"key_id": "9223372036854775808"}, "key_id"),
        ("edgex", {"key_id": "543429922991899150x"}, "key_id"),
        # The same x with another y, and an x that no point has.
        ("edgex", {"secret": STARK_KEY[:-1] + "5"}, "secret"),
        ("edgex", {"secret": "0x" + "5".zfill(64)}, "secret"),
        ("edgex", {"secret": "not-a-stark-key"}, "secret"),
        ("edgex", {"passphrase": ""}, "passphrase"),
        ("edgex", {"passphrase": ADDRESS[:-1]}, "passphrase"),
        ("sunx", {"secret": "ed25519:" + "70ac4c00" * 7}, "secret"),
        ("sunx", {"secret": "ed25519:" + "g" * 64}, "secret"),
        ("sunx", {"secret": "Ed25519:" + "70ac4c00e803e6a2" * 4}, "secret"),
    ],
)
def test_a_key_that_no_signature_could_fit_is_refused(
    world: World, venue: str, changes: dict[str, str], field: str
) -> None:
    good = {"venue": venue, "key_id": "543429922991899150", "secret": STARK_KEY, "passphrase": ADDRESS}
    where = f"/accounts/{world.account()}/keys"
    assert world.refusal("POST", where, good | changes) == (422, "parameter_invalid", field)
    world.send("POST", where, good)


@pytest.mark.parametrize("venue", ["bitmrt", "BitMart", "bitmart ", "", "house"])
def test_a_key_for_no_venue_that_is_served_is_refused_and_told_which_are(world: World, venue: str) -> None:
    where = f"/accounts/{world.account()}/keys"
    assert world.refusal("POST", where, {"venue": venue}) == (422, "parameter_invalid", "venue")
    told = world.ask("POST", where, {"venue": venue}).json()["error"]["message"]
    assert told.endswith("use one of: alphapo, bitmart, edgex, sunx, zoomex.")


def test_a_public_key_cannot_be_drawn_at_random(world: World) -> None:
    refused = world.refusal("POST", f"/accounts/{world.account()}/keys", {"venue": "edgex"})
    assert refused == (422, "parameter_invalid", "key_id")


def test_a_refused_key_is_not_repeated(world: World) -> None:
    body = {"venue": "edgex", "key_id": "543429922991899150", "secret": "hunter2-hunter2"}
    assert "hunter2" not in world.ask("POST", f"/accounts/{world.account()}/keys", body).text


@pytest.mark.parametrize("ip", ["10.0.0.1/8", "localhost", "1.2.3.4,5.6.7.8", "fe80::1%a", ""])
def test_a_key_takes_only_addresses_that_can_ever_match(world: World, ip: str) -> None:
    body = {"venue": "bitmart", "allowed_ips": [ip]}
    refused = world.refusal("POST", f"/accounts/{world.account()}/keys", body)
    assert refused == (422, "parameter_invalid", "allowed_ips")


def test_a_key_is_frozen_and_unfrozen(world: World) -> None:
    body = {"venue": "bitmart", "key_id": "demo-1"}
    world.send("POST", f"/accounts/{world.account()}/keys", body)
    assert world.send("POST", "/keys/demo-1/freeze")["frozen"]
    row = world.store.reader().row(ApiKeyRow, "demo-1")
    assert row is not None
    assert row.frozen
    assert not world.send("POST", "/keys/demo-1/unfreeze", {})["frozen"]
    assert acts(world) == ["FreezeKey", "FreezeKey", "CreateKey", "CreateAccount"]


def test_an_account_is_frozen_and_unfrozen(world: World) -> None:
    account = world.account()
    assert world.send("POST", f"/accounts/{account}/freeze")["frozen"]
    row = world.store.reader().row(AccountRow, int(account))
    assert row is not None
    assert row.frozen
    assert not world.send("POST", f"/accounts/{account}/unfreeze")["frozen"]
    assert acts(world) == ["FreezeAccount", "FreezeAccount", "CreateAccount"]


def test_addresses_of_each_kind_are_added_listed_and_removed(world: World) -> None:
    account = world.account()
    where = f"/accounts/{account}/addresses"
    standard = {"kind": "standard", "asset": "USDT", "network": "ethereum", "address": ADDRESS.lower()}
    entries = [
        world.send("POST", where, standard | {"verified": True, "usable_from_ms": 5, "remark": "Büro"}),
        world.send("POST", where, {"kind": "universal", "network": "tron", "address": TRON_ADDRESS}),
        world.send("POST", where, {"kind": "evm", "address": OTHER_ADDRESS}),
    ]
    assert entries[0]["address"] == ADDRESS
    assert (entries[2]["asset"], entries[2]["network"]) == ("", "")
    assert world.send("GET", where)["addresses"] == entries
    world.send("DELETE", f"{where}/{entries[0]['entry_id']}")
    assert world.send("GET", where)["addresses"] == entries[1:]
    world.send("DELETE", f"{where}/{entries[0]['entry_id']}")
    assert acts(world) == ["RemoveBookEntry", *["AddBookEntry"] * 3, "CreateAccount"]


@pytest.mark.parametrize(
    "memo, address",
    [
        ("account_number", "876940330"),
        ("email", "friend@example.org"),
        ("email", "f" * 64 + "@" + "e" * 189),
        ("phone", "+61 412345678"),
    ],
)
def test_another_account_is_a_destination_by_what_it_is_called(world: World, memo: str, address: str) -> None:
    where = f"/accounts/{world.account()}/addresses"
    entry = world.send("POST", where, {"kind": "recipient", "address": address, "memo": memo})
    assert (entry["kind"], entry["address"], entry["memo"]) == ("recipient", address, memo)
    assert (entry["asset"], entry["network"]) == ("", "")
    assert world.send("GET", where)["addresses"] == [entry]
    again = world.refusal("POST", where, {"kind": "recipient", "address": address, "memo": memo})
    assert again == (409, "already_exists", "address")


@pytest.mark.parametrize(
    "change, field",
    [
        ({"memo": ""}, "memo"),
        ({"memo": "cid"}, "memo"),
        ({"address": "friend@example.org"}, "address"),
        ({"address": "876 940"}, "address"),
        ({"memo": "email"}, "address"),
        ({"memo": "phone"}, "address"),
        ({"memo": "phone", "address": "+61412345678"}, "address"),
        ({"asset": "USDT"}, "asset"),
        ({"network": "ethereum"}, "network"),
    ],
)
def test_a_recipient_that_no_account_can_be_called_is_refused(
    world: World, change: dict[str, str], field: str
) -> None:
    body = {"kind": "recipient", "address": "876940330", "memo": "account_number"} | change
    refused = world.refusal("POST", f"/accounts/{world.account()}/addresses", body)
    assert refused == (422, "parameter_invalid", field)


def test_another_account_cannot_lose_an_address_by_this_ones_path(world: World) -> None:
    first, second = world.account("1"), world.account("2")
    entry = world.send("POST", f"/accounts/{first}/addresses", {"kind": "evm", "address": ADDRESS})
    path = f"/accounts/{second}/addresses/{entry['entry_id']}"
    assert world.refusal("DELETE", path) == (404, "address_not_in_book", None)


@pytest.mark.parametrize(
    "body, expected",
    [
        ({"kind": "evm", "address": USDT}, (422, "address_forbidden", None)),
        ({"kind": "evm", "address": TRON_ADDRESS}, (422, "address_invalid", None)),
        ({"kind": "evm", "address": ADDRESS, "memo": "1"}, (422, "memo_invalid", None)),
        ({"kind": "evm", "address": ADDRESS, "network": "ethereum"}, (422, "parameter_invalid", "network")),
        ({"kind": "universal", "address": ADDRESS}, (422, "parameter_invalid", "network")),
        (
            {"kind": "standard", "network": "ethereum", "address": ADDRESS},
            (422, "parameter_invalid", "asset"),
        ),
        (
            {"kind": "standard", "asset": "TRX", "network": "ethereum", "address": ADDRESS},
            (422, "currency_unknown", None),
        ),
        (
            {"kind": "universal", "network": "nowhere", "address": ADDRESS},
            (422, "parameter_invalid", "network"),
        ),
        ({"kind": "other", "address": ADDRESS}, (422, "parameter_invalid", "kind")),
    ],
)
def test_an_address_that_cannot_be_paid_is_refused(
    world: World, body: object, expected: tuple[int, str, str | None]
) -> None:
    assert world.refusal("POST", f"/accounts/{world.account()}/addresses", body) == expected


def test_a_deposit_is_credited_once_per_reference(world: World) -> None:
    account = world.account()
    first = world.credit(account, "500.000001")
    assert world.credit(account, "500.000001") == first
    sheet = world.send("GET", f"/accounts/{account}/balances")
    assert sheet["balances"] == [
        {"wallet": "spot", "asset": "USDT", "available": "500.000001", "held": "0"},
    ]
    assert acts(world) == ["CreditDeposit", "CreateAccount"]


@pytest.mark.parametrize(
    "change", [{"amount": "6"}, {"wallet": "fund"}, {"tx_id": "0xab"}, {"asset": "ETH", "amount": "5"}]
)
def test_another_credit_under_a_used_reference_is_refused(world: World, change: dict[str, str]) -> None:
    account = world.account()
    world.credit(account, "5")
    body = {"asset": "USDT", "network": "ethereum", "amount": "5", "reference": "dep-1"} | change
    refused = world.refusal("POST", f"/accounts/{account}/deposits", body)
    assert refused[:2] == (409, "request_id_conflict")


@pytest.mark.parametrize(
    "amount, status, code",
    [
        (5, 422, "parameter_invalid"),
        ("-5", 422, "amount_malformed"),
        ("5e3", 422, "amount_malformed"),
        ("0", 422, "amount_not_positive"),
        ("0.0000001", 422, "amount_precision"),
        ("\uff11\uff12", 422, "amount_malformed"),
    ],
)
def test_an_amount_is_plain_decimal_text(world: World, amount: object, status: int, code: str) -> None:
    body = {"asset": "USDT", "network": "ethereum", "amount": amount, "reference": "dep-1"}
    assert world.refusal("POST", f"/accounts/{world.account()}/deposits", body)[:2] == (status, code)


def test_an_amount_beyond_64_bits_is_exact(world: World) -> None:
    account, amount = world.account(), "123456789012345678901234567890.123456789012345678"
    body = {"asset": "ETH", "network": "ethereum", "amount": amount, "reference": "dep-1"}
    assert world.send("POST", f"/accounts/{account}/deposits", body)["amount"] == amount
    assert world.send("GET", f"/accounts/{account}/balances")["balances"][0]["available"] == amount


def test_money_that_no_chain_carries_is_credited_without_a_network(world: World) -> None:
    account = world.account()
    body = {"asset": "EUR", "amount": "100.05", "reference": "bank-1"}
    made = world.send("POST", f"/accounts/{account}/deposits", body)
    assert (made["network"], made["amount"]) == ("", "100.05")
    assert world.send("POST", f"/accounts/{account}/deposits", body) == made
    assert world.send("GET", f"/accounts/{account}/balances")["balances"] == [
        {"wallet": "spot", "asset": "EUR", "available": "100.05", "held": "0"},
    ]
    assert verify(world.store.reader()).ok


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"asset": "USDT"}, (422, "parameter_invalid", "network")),
        ({"asset": "ETH"}, (422, "parameter_invalid", "network")),
        ({"asset": "EUR", "network": "ethereum"}, (422, "currency_unknown", None)),
        ({"asset": "GBP"}, (422, "currency_unknown", "asset")),
        ({"asset": "EUR", "network": ""}, (422, "parameter_invalid", "network")),
        ({"asset": "EUR", "network": None}, (422, "parameter_invalid", "network")),
    ],
)
def test_only_money_that_no_chain_carries_comes_without_a_network(
    world: World, change: dict[str, str], expected: tuple[int, str, str | None]
) -> None:
    body = {"amount": "5", "reference": "dep-1"} | change
    assert world.refusal("POST", f"/accounts/{world.account()}/deposits", body) == expected


def test_a_deposit_address_is_set(world: World) -> None:
    account = world.account()
    path = f"/accounts/{account}/deposit-addresses/ethereum"
    assert world.send("PUT", path, {"address": ADDRESS.lower()})["address"] == ADDRESS
    row = world.store.reader().row(DepositAddressRow, int(account), "ethereum")
    assert row is not None
    assert row.address == ADDRESS
    assert acts(world) == ["SetDepositAddress", "CreateAccount"]


@pytest.mark.parametrize(
    "stop, start, name",
    [
        ("/networks/ethereum/pause", "/networks/ethereum/resume", "network/ethereum"),
        ("/sending/stop", "/sending/start", "sending"),
    ],
)
def test_sending_is_stopped_and_started_again(world: World, stop: str, start: str, name: str) -> None:
    assert world.send("POST", stop, {"reason": "node lies"})["stopped"]
    row = world.store.reader().row(ControlRow, name)
    assert row is not None
    assert (row.stopped, row.reason) == (True, "node lies")
    assert world.store.reader().stopped("ethereum")
    assert not world.send("POST", start)["stopped"]
    assert not world.store.reader().stopped("ethereum")
    assert acts(world) == ["SetControl", "SetControl"]


def test_the_gas_float_is_stated_once_per_reference(world: World) -> None:
    body = {"amount": "0.5", "reference": "gas-1"}
    first = world.send("POST", "/networks/ethereum/opening", body)
    assert (first["asset"], first["amount"]) == ("ETH", "0.5")
    assert world.send("POST", "/networks/ethereum/opening", body) == first
    assert acts(world) == ["RecordOpening"]


def test_a_quarantine_ends_at_the_agreed_nonce(world: World) -> None:
    world.store.submit(ClaimLane("ethereum", ADDRESS, "worker", 1_000, 7)).result(10)
    world.store.submit(Quarantine("ethereum", ADDRESS, "nonce 7 used by a stranger")).result(10)
    path = "/networks/ethereum/release-quarantine"
    low = world.refusal("POST", path, {"sender": ADDRESS, "next_nonce": 6})
    assert low == (422, "parameter_invalid", "next_nonce")
    lane = world.send("POST", path, {"sender": ADDRESS, "next_nonce": 8})
    assert (lane["quarantine"], lane["next_nonce"]) == ("", 8)
    assert world.send("GET", "/lanes")["lanes"] == [lane]
    assert acts(world) == ["ReleaseQuarantine"]
    again = world.refusal("POST", path, {"sender": ADDRESS, "next_nonce": 9})
    assert again == (409, "not_now", None)


def test_the_actor_stands_in_the_audit(world: World) -> None:
    world.send("POST", "/sending/stop", x_actor="Ada Lovelace")
    world.send("POST", "/sending/start")
    assert [row.actor for row in world.audit()] == ["admin", "Ada Lovelace"]


@pytest.mark.parametrize("actor", ["", " ", "x" * 65, "a\tb"])
def test_an_actor_that_cannot_be_shown_is_refused(world: World, actor: str) -> None:
    answer = world.ask("POST", "/sending/stop", None, x_actor=actor)
    assert answer.status_code == 400
    assert not world.rows()


def test_the_ledger_balances_after_every_kind_of_credit(world: World) -> None:
    account = world.account()
    world.withdrawal(account)
    world.send("POST", "/networks/ethereum/opening", {"amount": "0.5", "reference": "gas-1"})
    report = verify(world.store.reader())
    assert report.ok, report.lines()


def test_no_secret_reaches_the_log_or_another_answer(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    account = world.account()
    body = {"venue": "bitmart", "key_id": "demo-1", "secret": "s3cret-0001", "passphrase": "mem0rable"}
    path = f"/accounts/{account}/keys"
    world.send("POST", path, body)
    told = [world.ask("POST", path, body), world.ask("POST", path, body | {"extra": 1})]
    told += [world.ask("GET", where) for where in (f"/accounts/{account}", "/audit", "/openapi.json")]
    printed = capsys.readouterr()
    for text in [caplog.text, printed.out, printed.err, *(answer.text for answer in told)]:
        for secret in ("s3cret-0001", "mem0rable", TOKEN):
            assert secret not in text


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("GET", "/accounts/77", None),
        ("GET", "/accounts/77/addresses", None),
        ("GET", "/accounts/77/balances", None),
        ("POST", "/accounts/77/freeze", None),
        ("POST", "/accounts/77/keys", {"venue": "bitmart"}),
        ("POST", "/accounts/77/addresses", {"kind": "evm", "address": ADDRESS}),
        (
            "POST",
            "/accounts/77/deposits",
            {"asset": "USDT", "network": "ethereum", "amount": "1", "reference": "r"},
        ),
        ("PUT", "/accounts/77/deposit-addresses/ethereum", {"address": ADDRESS}),
        ("PUT", "/accounts/77/deposit-addresses/nowhere", {"address": ADDRESS}),
        ("DELETE", "/accounts/77/addresses/5", None),
        ("POST", "/keys/none-such/freeze", None),
        ("POST", "/networks/nowhere/pause", None),
        ("POST", "/networks/nowhere/resume", None),
        ("POST", "/networks/nowhere/opening", {"amount": "1", "reference": "r"}),
        ("GET", "/withdrawals/77", None),
        ("GET", "/nothing", None),
        ("GET", "/accounts/", None),
    ],
)
def test_what_does_not_exist_is_404(world: World, method: str, path: str, body: object) -> None:
    assert world.refusal(method, path, body)[0] == 404
