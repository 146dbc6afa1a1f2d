"""At every venue, blocking and awaiting: a withdrawal is sent once, and its lost answer is told for what it is."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2
import pytest

from penstock.client import VENUES, NotSent, OutcomeUnknown
from tests.client import edgex_caller, fake_alphapo, fake_bitmart, fake_edgex, fake_sunx, zoomex_caller
from tests.client.caller import Caller
from tests.venues.alphapo import world as alphapo
from tests.venues.zoomex import world as zoomex


@dataclass(frozen=True)
class Asked:
    """A withdrawal at one venue. create: the path that moves money. window_ms: how long it may still be taken."""

    make_caller: Callable[[str], Caller]
    create: str
    payment: tuple[str, str, str]
    window_ms: int
    details: dict[str, str] = field(default_factory=dict)


MINE = {"request_id": "mine1"}
ASKED = {
    "bitmart": Asked(
        fake_bitmart.make_caller, fake_bitmart.APPLY, ("USDT-ERC20", "100", fake_bitmart.ADDRESS), 60_000
    ),
    "sunx": Asked(
        fake_sunx.make_caller,
        fake_sunx.CONFIRM,
        ("usdt", "8.799999", fake_sunx.WALLET),
        fake_sunx.EXPIRES_MS + 1 - fake_sunx.NOW_MS,
        {"network": "tron"},
    ),
    "zoomex": Asked(zoomex_caller.make_caller, zoomex.CREATE, zoomex_caller.WITHDRAWAL, 60_001, MINE),
    "alphapo": Asked(
        fake_alphapo.make_caller, "/withdrawal/crypto", ("BTC", "0.0002", alphapo.BTC_ADDRESS), 600_000, MINE
    ),
    "edgex": Asked(
        edgex_caller.make_caller, fake_edgex.CREATE, ("USDT", "10.50", fake_edgex.ADDRESS), 60_001, MINE
    ),
}
assert ASKED.keys() == set(VENUES)

NOTHING_LEFT = [httpx2.ConnectError("refused"), httpx2.ConnectTimeout("slow"), httpx2.PoolTimeout("busy")]
SOMETHING_MAY_HAVE_LEFT = [
    httpx2.WriteError("broken pipe"),
    httpx2.WriteTimeout("stuck"),
    httpx2.ReadError("reset by peer"),
    httpx2.ReadTimeout("no answer"),
    httpx2.RemoteProtocolError("server disconnected"),
    httpx2.CloseError("closed"),
    httpx2.DecodingError("bad gzip"),
    OSError("network is down"),
]


@dataclass
class Withdrawing:
    """One withdrawal whose answer becomes an error."""

    asked: Asked
    caller: Caller

    def fails_with(self, error: BaseException) -> None:
        if isinstance(self.caller.fake, fake_alphapo.FakeAlphapo):
            self.caller.fake.then_lose(error, arrived=False)
        else:
            self.caller.fake.then_raise(self.asked.create, error)
        self.caller.call("withdraw", *self.asked.payment, **self.asked.details)

    @property
    def times_sent(self) -> int:
        return self.caller.fake.count(self.asked.create)


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=VENUES)
def withdrawing(request: pytest.FixtureRequest, kind: str) -> Withdrawing:
    asked = ASKED[request.param]
    return Withdrawing(asked, asked.make_caller(kind))


@pytest.mark.parametrize("error", NOTHING_LEFT, ids=lambda error: type(error).__name__)
def test_when_no_connection_was_made_nothing_was_sent(withdrawing: Withdrawing, error: Exception) -> None:
    with pytest.raises(NotSent):
        withdrawing.fails_with(error)
    assert withdrawing.times_sent == 1


@pytest.mark.parametrize("error", SOMETHING_MAY_HAVE_LEFT, ids=lambda error: type(error).__name__)
def test_a_lost_answer_is_in_doubt_and_not_repeated(withdrawing: Withdrawing, error: Exception) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        withdrawing.fails_with(error)
    assert withdrawing.times_sent == 1
    unknown = caught.value
    assert (unknown.payment.amount, unknown.payment.address) == withdrawing.asked.payment[1:]
    assert unknown.payment.request_id == withdrawing.asked.details.get("request_id", "")
    assert unknown.window_ends_ms - unknown.sent_at_ms == withdrawing.asked.window_ms
    assert unknown.payment.request_id in str(unknown)


def test_an_interrupt_tells_what_it_leaves_in_doubt(withdrawing: Withdrawing) -> None:
    class StoppedByHand(BaseException):
        pass

    with pytest.raises(StoppedByHand) as caught:
        withdrawing.fails_with(StoppedByHand())
    (note,) = caught.value.__notes__
    assert "outcome unknown" in note
    assert withdrawing.asked.details.get("request_id", "") in note
    assert withdrawing.times_sent == 1


def test_what_is_in_doubt_survives_the_way_out_of_a_worker_process(withdrawing: Withdrawing) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        withdrawing.fails_with(httpx2.ReadTimeout("no answer"))
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (str(copied), copied.prepared) == (str(caught.value), caught.value.prepared)
