"""What a node may do to us: nothing longer, larger or stranger than the limits. The nodes here are fakes."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from penstock.chains.evm.answers import BLOCK, QUANTITY, RECEIPT
from penstock.chains.evm.rpc import NodeRefused, NodeRpc, RpcLimits, WrongChain
from penstock.core.refusals import Unavailable
from tests.chains.evm.fake_node import FakeNode, fake_node

DEV = 31337
SHORT = RpcLimits(connect_ms=500, wait_ms=300, call_ms=600, answer_bytes_max=10_000)


@pytest.fixture
def fake() -> Iterator[FakeNode]:
    with fake_node() as node:
        yield node


@pytest.fixture
def rpc(fake: FakeNode) -> Iterator[NodeRpc]:
    with NodeRpc(fake.url, DEV, SHORT) as client:
        yield client


def height(rpc: NodeRpc) -> str:
    return rpc.call(QUANTITY, "eth_blockNumber")


def test_the_chain_id_is_asked_once_per_connection_and_before_anything_else(
    fake: FakeNode, rpc: NodeRpc
) -> None:
    fake.whole["eth_blockNumber"] = lambda _: {"result": "0x5"}
    assert (height(rpc), height(rpc)) == ("0x5", "0x5")
    assert fake.asked == ["eth_chainId", "eth_blockNumber", "eth_blockNumber"]


def test_the_url_of_a_node_is_never_logged(fake: FakeNode, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.whole["eth_blockNumber"] = lambda _: {"result": "0x5"}
    with NodeRpc(fake.url + "/v3/secret-key", DEV, SHORT) as rpc:
        height(rpc)
    assert "secret" not in caplog.text


def test_threads_that_share_a_node_each_get_their_own_answer(fake: FakeNode, rpc: NodeRpc) -> None:
    for thread in range(8):
        fake.whole[f"method_{thread}"] = lambda _, own=thread: {"result": hex(own)}
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(rpc.call, QUANTITY, f"method_{turn % 8}") for turn in range(160)]
        assert [answer.result() for answer in asked] == [hex(turn % 8) for turn in range(160)]


@pytest.mark.parametrize("said", ["0x1", "0x", "0x07a69", "31337", "0x7a690"])
def test_a_node_of_another_chain_is_asked_nothing(fake: FakeNode, rpc: NodeRpc, said: str) -> None:
    fake.whole["eth_chainId"] = lambda _: {"result": said}
    for _ in range(2):
        with pytest.raises(WrongChain):
            height(rpc)
    assert fake.asked == ["eth_chainId"] * 2


def test_a_node_that_changed_its_chain_between_two_connections_is_not_believed(
    fake: FakeNode, rpc: NodeRpc
) -> None:
    fake.closes_connections = True
    fake.whole["eth_blockNumber"] = lambda _: {"result": "0x5"}
    assert height(rpc) == "0x5"
    fake.whole["eth_chainId"] = lambda _: {"result": "0x1"}
    with pytest.raises(WrongChain):
        height(rpc)
    fake.whole["eth_chainId"] = lambda _: {"result": "0x7a69"}
    assert height(rpc) == "0x5"


def test_after_a_failure_the_chain_id_is_asked_again(fake: FakeNode, rpc: NodeRpc) -> None:
    fake.whole["eth_blockNumber"] = lambda _: b"no JSON"
    with pytest.raises(Unavailable):
        height(rpc)
    fake.whole["eth_chainId"] = lambda _: {"result": "0x1"}
    with pytest.raises(WrongChain):
        height(rpc)


def test_an_error_of_the_node_keeps_its_code_and_words(fake: FakeNode, rpc: NodeRpc) -> None:
    fake.whole["eth_blockNumber"] = lambda _: {"error": {"code": -32000, "message": "w" * 9_000, "data": [1]}}
    with pytest.raises(NodeRefused) as caught:
        height(rpc)
    assert caught.value.code == -32000
    assert len(str(caught.value)) < 300


def test_a_huge_answer_is_cut(fake: FakeNode, rpc: NodeRpc) -> None:
    fake.whole["eth_blockNumber"] = lambda _: b'{"id":2,"result":"' + b"0" * 50_000_000
    before = time.monotonic()
    with pytest.raises(Unavailable, match="too long"):
        height(rpc)
    assert time.monotonic() - before < 10


ODD: list[Callable[[int], bytes]] = [
    lambda number: b"",
    lambda number: b"null",
    lambda number: b"[]",
    lambda number: b"{}",
    lambda number: json.dumps({"id": number}).encode(),
    lambda number: json.dumps({"id": number + 1, "result": "0x1"}).encode(),
    lambda number: json.dumps({"id": str(number), "result": "0x1"}).encode(),
    lambda number: json.dumps({"id": None, "result": "0x1"}).encode(),
    lambda number: json.dumps({"result": "0x1"}).encode(),
    lambda number: json.dumps({"id": number + 1, "error": {"code": 3, "message": "revert"}}).encode(),
    lambda number: json.dumps({"id": number, "error": "no"}).encode(),
    lambda number: json.dumps([{"id": number, "result": "0x1"}]).encode(),
    lambda number: json.dumps({"id": number, "result": 1}).encode(),
    lambda number: json.dumps({"id": number, "result": None}).encode(),
    lambda number: json.dumps({"id": number, "result": "0x"}).encode(),
    lambda number: json.dumps({"id": number, "result": "-0x1"}).encode(),
    lambda number: json.dumps({"id": number, "result": "0x1_0"}).encode(),
    lambda number: json.dumps({"id": number, "result": "0x" + "f" * 65}).encode(),
    lambda number: b'{"id":%d,"result":' % number + b"[" * 9_000,
    lambda number: b'{"x":' + b"[" * 4_000 + b"]" * 4_000 + b',"id":%d}' % number,
    lambda number: b'{"id":%d,"result":"\xff"}' % number,
    lambda number: gzip.compress(b'{"id":%d,"result":"0x1"}' % number),
]


@pytest.mark.parametrize("odd", ODD)
def test_an_answer_of_any_other_form_is_no_answer(
    fake: FakeNode, rpc: NodeRpc, odd: Callable[[int], bytes]
) -> None:
    fake.whole["eth_blockNumber"] = odd
    with pytest.raises(Unavailable) as caught:
        height(rpc)
    assert not isinstance(caught.value, NodeRefused)


@pytest.mark.parametrize("decoder", [BLOCK, RECEIPT])
def test_half_an_object_is_no_answer(
    fake: FakeNode, rpc: NodeRpc, decoder: msgspec.json.Decoder[object]
) -> None:
    fake.whole["eth_blockNumber"] = lambda _: {"result": {"number": "0x1", "transactionHash": "0x"}}
    with pytest.raises(Unavailable):
        rpc.call(decoder, "eth_blockNumber")


def test_a_node_caught_lying_is_asked_nothing_more(fake: FakeNode, rpc: NodeRpc) -> None:
    rpc.distrust("it lied")
    with pytest.raises(Unavailable, match="it lied"):
        height(rpc)
    assert fake.asked == []


def test_nothing_listens_there_is_unavailable_and_the_address_is_not_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v3/secret-key"
        with NodeRpc(url, DEV, SHORT) as rpc, pytest.raises(Unavailable) as caught:
            height(rpc)
    assert "secret" not in str(caught.value)


@contextlib.contextmanager
def talking_forever(opening: bytes, then: bytes) -> Iterator[str]:
    """A fake that answers each connection with `opening`, then `then` again and again, a little at a time."""
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(opening)
            while not over.wait(0.05):
                connection.sendall(then)

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not over.is_set():
                talk(server.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    "opening, then",
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    ids=["silence", "endless head", "slow body", "slow chunks", "endless hints"],
)
def test_a_node_that_takes_its_time_is_cut_off(opening: bytes, then: bytes) -> None:
    with talking_forever(opening, then) as url, NodeRpc(url, DEV, SHORT) as rpc:
        before = time.monotonic()
        with pytest.raises(Unavailable):
            height(rpc)
        assert time.monotonic() - before < 10


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 There\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
    ],
)
def test_an_answer_that_is_no_plain_http_success_is_no_answer(answer: bytes) -> None:
    with talking_forever(answer, b"") as url, NodeRpc(url, DEV, SHORT) as rpc, pytest.raises(Unavailable):
        height(rpc)
