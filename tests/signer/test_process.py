from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from penstock.core.refusals import Unavailable
from penstock.signer.client import SignerClient
from penstock.signer.config import SignerConfig
from penstock.signer.launch import SignerChild
from penstock.signer.messages import FRAME_BYTES_MAX, Reason, SignerRefused
from penstock.signer.process import CONNECTIONS_MAX, Server, Signer
from tests.signer.samples import (
    BASE,
    EVM_REFUSALS,
    GWEI,
    OTHER_PAYEE,
    SENDER,
    SIM_BASE,
    SIM_REFUSALS,
    SIM_SENDER,
    Case,
    transfer,
)

replace = msgspec.structs.replace

# A signer that dies by SIGKILL when it comes to the named point.
DYING = """
import os, signal, sys
from penstock.core import points
from penstock.signer.__main__ import main
where = os.environ["DIE_AT"]
points.arm(lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == where else None)
sys.exit(main(sys.argv[1:]))
"""


def dying_at(config: Path, where: str) -> SignerChild:
    return SignerChild(
        config, environment={**os.environ, "DIE_AT": where}, command=(sys.executable, "-c", DYING)
    )


@pytest.fixture
def client(child: SignerChild) -> Iterator[SignerClient]:
    with child.client() as opened:
        yield opened


def test_addresses_and_status_are_told(client: SignerClient) -> None:
    assert client.address("ethereum") == SENDER
    assert client.address("tron") == SIM_SENDER
    with pytest.raises(SignerRefused) as refused:
        client.address("bsc")
    assert refused.value.reason is Reason.NETWORK_UNKNOWN
    status = client.status()
    assert (status.signed, status.addresses) == (0, {"ethereum": SENDER, "tron": SIM_SENDER})
    client.sign(BASE)
    assert client.status().signed == 1
    assert (client.has_signed("ethereum", 0), client.has_signed("ethereum", 1)) == (True, False)


def test_the_same_intent_gets_the_same_bytes_and_is_logged_once(client: SignerClient) -> None:
    for intent in (BASE, SIM_BASE):
        assert client.sign(intent) == client.sign(intent)
    assert client.status().signed == 2


def test_every_intent_outside_the_limits_is_refused_with_its_reason(client: SignerClient) -> None:
    for base, cases in ((BASE, EVM_REFUSALS), (SIM_BASE, SIM_REFUSALS)):
        for name, case in cases.items():
            check_refused(client, base, name, case)
    assert client.status().signed == 0


def check_refused(client: SignerClient, base: msgspec.Struct, name: str, case: Case) -> None:
    with pytest.raises(SignerRefused) as refused:
        client.sign(replace(base, **case.changed))
    assert refused.value.reason == case.reason, (name, refused.value.detail)


def test_a_second_payment_for_a_nonce_is_refused_before_and_after_a_restart(config: Path) -> None:
    second = replace(BASE, data=transfer(OTHER_PAYEE, 5_000_000), max_fee_per_gas=40 * GWEI)
    for start in range(2):
        with SignerChild(config) as child, child.client() as client:
            if start == 0:
                client.sign(BASE)
            with pytest.raises(SignerRefused) as refused:
                client.sign(second)
            assert refused.value.reason is Reason.NONCE_TAKEN
            assert refused.value.signed_before
            assert client.status().signed == 1
        assert child.exit_code() == 0


@pytest.mark.parametrize(
    "where,logged",
    [("signer.request_read", 0), ("signer.signed", 0), ("signer.logged", 1), ("signer.answered", 1)],
)
def test_killed_at_a_point_it_gives_the_same_intent_one_signature(
    config: Path, where: str, logged: int
) -> None:
    child = dying_at(config, where)
    with child.client() as client:
        # Past the last point the answer may still have come through.
        answers = []
        try:
            answers.append(client.sign(BASE))
        except Unavailable:
            assert where != "signer.answered"
    assert child.wait() == -9
    child.kill()
    with SignerChild(config) as again, again.client() as client:
        assert client.status().signed == logged
        if logged:
            with pytest.raises(SignerRefused):
                client.sign(replace(BASE, data=transfer(OTHER_PAYEE, 1)))
        answers.append(client.sign(BASE))
        assert client.status().signed == 1
    assert len(set(answers)) == 1


def test_one_client_outlives_a_restart_of_the_signer(config: Path) -> None:
    with SignerChild(config) as first, first.client() as client:
        signed = client.sign(BASE)
        first.kill()
        with pytest.raises(Unavailable):
            client.sign(BASE)
        with SignerChild(config):
            assert client.sign(BASE) == signed


def test_a_signer_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with SignerClient(tmp_path / "nobody") as client, pytest.raises(Unavailable):
        client.status()


def test_a_signer_that_says_nothing_is_unavailable_in_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent, SignerClient(tmp_path / "s", timeout_s=0.05) as client:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(Unavailable):
            client.status()


@pytest.mark.parametrize("answer", [b"\xff\xff\xff\xff", struct.pack(">I", 2) + b"{}", b"\x00"])
def test_an_answer_that_cannot_be_read_is_unavailable(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as odd, SignerClient(tmp_path / "s", timeout_s=5) as client:
        odd.bind(str(tmp_path / "s"))
        odd.listen()

        def reply() -> None:
            connection, _ = odd.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(Unavailable):
            client.status()
        thread.join()


def test_only_its_own_user_may_open_the_socket(child: SignerChild) -> None:
    assert stat.S_IMODE(child.socket_path.stat().st_mode) == 0o600


def test_sigterm_ends_it_cleanly_and_removes_the_socket(config: Path) -> None:
    child = SignerChild(config)
    with child.client() as client:
        client.sign(BASE)
        assert child.stop() == 0
    assert not child.socket_path.exists()


def test_a_killed_signers_socket_is_in_nobodys_way(config: Path) -> None:
    SignerChild(config).kill()
    with SignerChild(config) as child, child.client() as client:
        assert client.status().signed == 0


def test_it_ends_when_its_parent_is_gone(config: Path) -> None:
    child = SignerChild(config)
    child._close()
    assert child.wait() == 0


def test_it_leaves_no_core_file(child: SignerChild) -> None:
    limits = Path(f"/proc/{child.pid}/limits").read_text().splitlines()
    (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]


def test_frames_that_are_no_requests_are_refused_and_others_served_on(child: SignerChild) -> None:
    with socket.socket(socket.AF_UNIX) as raw, child.client() as client:
        raw.settimeout(10)
        raw.connect(str(child.socket_path))
        for body in (b"", b"{}", b"\xff", b'{"type":"sign","intent":{"type":"evm"}}', b"[" * 5_000):
            raw.sendall(struct.pack(">I", len(body)) + body)
            (length,) = struct.unpack(">I", raw.recv(4, socket.MSG_WAITALL))
            answer = msgspec.json.decode(raw.recv(length, socket.MSG_WAITALL))
            assert (answer["type"], answer["reason"]) == ("refused", "request_malformed"), body
        assert client.status().signed == 0


def test_a_frame_too_large_ends_the_connection_and_nothing_else(child: SignerChild) -> None:
    with socket.socket(socket.AF_UNIX) as raw, child.client() as client:
        raw.settimeout(10)
        raw.connect(str(child.socket_path))
        raw.sendall(struct.pack(">I", FRAME_BYTES_MAX + 1))
        assert raw.recv(1) == b""
        assert client.status().signed == 0


def test_a_half_sent_request_holds_nobody_up(child: SignerChild) -> None:
    with socket.socket(socket.AF_UNIX) as raw, child.client() as client:
        raw.connect(str(child.socket_path))
        raw.sendall(b"\x00\x00")
        assert client.sign(BASE).raw


def test_many_threads_asking_for_one_nonce_get_one_payment(child: SignerChild) -> None:
    intents = [replace(BASE, data=transfer(OTHER_PAYEE, units)) for units in range(1, 9)]
    signed, refused = [], []

    def ask(number: int) -> None:
        with child.client() as client:
            try:
                signed.append(client.sign(intents[number]))
            except SignerRefused as error:
                refused.append(error.reason)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(signed) == 1
    assert refused == [Reason.NONCE_TAKEN] * 7


def test_connections_beyond_the_limit_are_turned_away(child: SignerChild) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(child.client()) for _ in range(CONNECTIONS_MAX)]
        for client in held:
            client.status()
        with child.client() as one_too_many, pytest.raises(Unavailable):
            one_too_many.status()
        held[0].status()


def test_another_user_is_turned_away(inside: Callable[[], Signer], tmp_path: Path) -> None:
    config = SignerConfig(socket=str(tmp_path / "s"), log="", keys={}, networks={})

    async def ask() -> None:
        server = Server(inside(), config)
        server._uids = {os.geteuid() + 1}
        listening = asyncio.Event()
        running = asyncio.create_task(server.run(listening.set))
        await listening.wait()
        with SignerClient(config.socket) as client, pytest.raises(Unavailable):
            await asyncio.to_thread(client.status)
        server.stop()
        await running

    asyncio.run(ask())
