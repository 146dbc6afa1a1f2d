"""Sandboxes that many tests use: each is started once in a worker, when the first test asks for it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.crash_world import Prepared, prepare
from tests.acceptance.customers import nothing_taken_in
from tests.acceptance.raw_http import Answer, ask
from tests.acceptance.sandbox_process import Sandbox, running_sandbox
from tests.nodes import Anvil, anvil


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Every network simulated, with a block every tenth of a second."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--chain-pace", "100") as started:
        yield started


@pytest.fixture(scope="session")
def node() -> Iterator[Anvil]:
    """Mines each transaction at once."""
    with anvil() as started:
        yield started


@pytest.fixture(scope="session")
def paying(node: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Ethereum on `node`, final with its first confirmation."""
    folder = tmp_path_factory.mktemp("paying")
    with running_sandbox(folder, "--chain-pace", "100", "--evm-rpc", node.url) as started:
        yield started


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Sends nothing, so that nothing is written but what requests cause."""
    with running_sandbox(tmp_path_factory.mktemp("strict")) as started:
        started.admin("POST", "/sending/stop", {"reason": "bad input"})
        yield started


@pytest.fixture
def nothing_taken(strict: Sandbox) -> Iterator[None]:
    with nothing_taken_in(strict):
        yield


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """What is killed again and again begins as a copy of this."""
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="session")
def seconds() -> Iterator[list[float]]:
    """How long each bad input took to be answered. The machine is shared, so only the middle one is judged."""
    taken: list[float] = []
    yield taken
    assert not taken or statistics.median(taken) < 0.05


@pytest.fixture
def refused(strict: Sandbox, seconds: list[float]) -> Iterator[Callable[[bytes], Answer]]:
    """Send a bad request. Nothing may be stored for it, it is no 500, and the connection stays sane."""
    before = strict.stored()

    def send(raw: bytes) -> Answer:
        answer = ask(strict, raw)
        seconds.append(answer.seconds)
        assert answer.status != 500
        assert "data" not in answer.envelope or answer.envelope["data"] == {}
        return answer

    yield send
    assert strict.stored() == before
