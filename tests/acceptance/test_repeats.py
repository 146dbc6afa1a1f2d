"""The same signed bytes again: one withdrawal, and everybody hears of that one, whatever happens in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.acceptance.customers import open_account
from tests.acceptance.raw_http import Answer, Connection, apply_body, apply_request, ask, now_ms
from tests.acceptance.sandbox_process import Sandbox, running_sandbox

pytestmark = pytest.mark.xdist_group("strict")

CONNECTIONS = 20
TOO_MANY = (429, 30013)


def withdrawals(sandbox: Sandbox) -> int:
    return int(sandbox.rows("SELECT count(*) FROM withdrawals")[0][0])


def in_parallel(count: int, send: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=send, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def told(answers: list[Answer]) -> set[tuple[int, int, str]]:
    """Status, code and data of each, without the trace, which names the reply and not the request."""
    return {(*answer.verdict, json.dumps(answer.envelope["data"])) for answer in answers}


def test_a_thousand_copies_in_parallel_are_one_withdrawal_and_all_get_its_id(strict: Sandbox) -> None:
    before = withdrawals(strict)
    request = apply_request(strict.new_key(), apply_body(strict, amount="33.25"))
    answers: list[Answer] = []

    def send(_: int) -> None:
        with closing(Connection(strict.port)) as connection:
            answers.extend(connection.exchange(request) for _ in range(1_000 // CONNECTIONS))

    in_parallel(CONNECTIONS, send)
    assert len(answers) == 1_000
    ((status, code, _),) = told(answers)
    assert (status, code) == (200, 1000)
    assert withdrawals(strict) == before + 1


def test_copies_do_not_use_up_the_quota_and_a_full_quota_does_not_hide_the_answer(strict: Sandbox) -> None:
    key, stamp = strict.new_key(), now_ms()
    bodies = [apply_body(strict, amount=str(40 + number)) for number in range(10)]
    requests = [apply_request(key, body, timestamp=str(stamp + number)) for number, body in enumerate(bodies)]
    with closing(Connection(strict.port)) as connection:
        answers = [connection.exchange(requests[0]) for _ in range(20)]
        assert {answer.headers["x-bm-ratelimit-remaining"] for answer in answers} == {"1"}
        later = [connection.exchange(request) for request in requests[1:]]
        assert [answer.verdict for answer in later] == [(200, 1000)] * 7 + [TOO_MANY] * 2
        assert told([connection.exchange(requests[0])]) == told(answers)


def test_copies_of_a_refused_request_are_refused_alike(strict: Sandbox) -> None:
    before = strict.stored()
    request = apply_request(strict.new_key(), apply_body(strict, address="0x" + "ab" * 20))
    assert {ask(strict, request).verdict for _ in range(5)} == {(400, 60007)}
    assert strict.stored() == before


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One that is killed and started again."""
    with running_sandbox(tmp_path_factory.mktemp("restarted"), "--chain-pace", "100") as sandbox:
        yield sandbox


@pytest.mark.parametrize("answered_before_the_kill", [0, 20, 63])
def test_64_copies_a_kill_half_way_and_all_again_are_one_withdrawal(
    restarted: Sandbox, answered_before_the_kill: int
) -> None:
    sandbox = restarted
    before = withdrawals(sandbox)
    request = apply_request(sandbox.new_key(), apply_body(sandbox))
    answers: list[Answer] = []
    enough = threading.Event()

    def send(_: int) -> None:
        try:
            with closing(Connection(sandbox.port)) as connection:
                connection.send(request)
                if not answered_before_the_kill:
                    enough.set()
                answers.append(connection.answer())
        except (OSError, AssertionError):
            return  # lost with the server; what this client does is ask again
        if len(answers) >= answered_before_the_kill:
            enough.set()

    killer = threading.Thread(target=lambda: (enough.wait(10), sandbox.kill()))
    killer.start()
    in_parallel(64, send)
    killer.join()
    sandbox.start()
    with closing(Connection(sandbox.port)) as connection:
        again = [connection.exchange(request) for _ in range(64)]
    ((status, code, _),) = told(answers + again)
    assert (status, code) == (200, 1000)
    assert withdrawals(sandbox) == before + 1
    assert sandbox.verified().startswith("verify: ok")


def test_an_address_removed_between_the_check_and_the_signature_is_not_paid(
    restarted: Sandbox,
) -> None:
    sandbox = restarted
    customer, address = open_account(sandbox), "0x" + "12" * 20
    customer.credit("USDT", "1000", wallet="spot")
    key = sandbox.new_key(account_id=customer.account_id)
    entry_id = customer.list_address(address)
    sandbox.admin("POST", "/sending/stop", {"reason": "test"})
    try:
        made = ask(sandbox, apply_request(key, apply_body(sandbox, address=address)))
        withdraw_id = made.envelope["data"]["withdraw_id"]
        sandbox.admin("DELETE", f"/accounts/{customer.account_id}/addresses/{entry_id}")
    finally:
        sandbox.admin("POST", "/sending/start", {"reason": "test"})
    assert until_over(sandbox, withdraw_id, key)["status"] == 5
    assert customer.units("USDT", "spot")[1] == 0
    assert sandbox.rows("SELECT count(*) FROM attempts WHERE withdrawal_id = ?", withdraw_id) == [(0,)]


def until_over(sandbox: Sandbox, withdraw_id: str, key: dict[str, str] | None = None) -> dict[str, object]:
    """Ask for the withdrawal until its status is final; one look each quarter of a second is within the limit.

    key: one of its account's; the seeded account's, if none is named.
    """
    named = (key or sandbox.new_key())["api_key"].encode()
    request = b"GET /account/v1/deposit-withdraw/detail?id=%b HTTP/1.1\r\nHost: x\r\nX-BM-KEY: %b\r\n\r\n" % (
        withdraw_id.encode(),
        named,
    )
    pause = threading.Event()
    for _ in range(80):
        record = ask(sandbox, request).envelope["data"]["record"]
        if record["status"] >= 3:
            break
        pause.wait(0.3)
    return dict(record)
