"""A fake AlphaPo for these tests: the served dialect in front of a merchant's book that is kept in memory. It moves no
money and knows no limits; `then` says what the next answer is instead, `then_lose` that it is lost on its way back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from penstock.core.amounts import Units
from penstock.core.commands import Exchange, Withdraw
from penstock.core.queries import Balances, DepositAddress, FindWithdrawals
from penstock.core.rates import Given
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import ManualClock
from penstock.core.views import BalanceView, DepositAddressView, WithdrawalView
from penstock.venues.venue import Ask, Reply
from tests.client.caller import Caller
from tests.client.scripted import Answer, Seen, answer_of
from tests.venues.alphapo.world import (
    BTC_ADDRESS,
    KEY,
    NOW_MS,
    SECRET,
    VENUE,
    a_withdrawal,
    accepted,
    make_key,
    route_of,
)

FEE = Units(1_000)


@dataclass
class FakeAlphapo:
    """made: every withdrawal that was taken, by its foreign_id. seen: every request, in order."""

    made: dict[str, WithdrawalView] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    _next: deque[Callable[[Callable[[], Answer]], Answer]] = field(default_factory=deque)

    def then(self, status: int, body: bytes, **headers: str) -> None:
        """Answer this, and do nothing."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._next.append(lambda _serve: (status, named, body))

    def then_lose(self, error: BaseException, *, arrived: bool) -> None:
        """Raise this. arrived: the request was carried out all the same."""

        def lose(serve: Callable[[], Answer]) -> Answer:
            if arrived:
                serve()
            raise error

        self._next.append(lose)

    def then_twice(self) -> None:
        """A proxy sends the request twice and hands back the second answer."""

        def twice(serve: Callable[[], Answer]) -> Answer:
            serve()
            return serve()

        self._next.append(twice)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        seen = Seen.of(method, target, headers, body)
        self.seen.append(seen)
        if self._next:
            return self._next.popleft()(lambda: self._serve(seen))
        return self._serve(seen)

    def count(self, path: str) -> int:
        return sum(seen.path == "/api/v2" + path for seen in self.seen)

    def _serve(self, seen: Seen) -> Answer:
        asked = seen.request(NOW_MS)
        route = route_of(seen.method, seen.path.removeprefix("/api/v2"))
        who = VENUE.authenticate(asked, route, {KEY: make_key()}.get)
        try:
            read = who if isinstance(who, Reply) else VENUE.read(asked, route, who)
            reply: Any = read.write(self._decide(read.question)) if isinstance(read, Ask) else read
        except Refused as refused:
            reply = VENUE.refuse(refused, route)
        return answer_of(reply)

    def _decide(self, question: object) -> object:
        match question:
            case Withdraw() | Exchange():
                return self._take(question)
            case FindWithdrawals(numbers=numbers, request_ids=ids):
                return [
                    view
                    for view in self.made.values()
                    if view.number in (numbers or ()) or view.request_id in (ids or ())
                ]
            case Balances():
                return [BalanceView("spot", "BTC", Units(150_000_000), Units(1))]
            case DepositAddress():
                return DepositAddressView("BTC", "bitcoin", BTC_ADDRESS, "")
            case _:
                raise AssertionError(question)

    def _take(self, command: Withdraw | Exchange) -> object:
        if command.request_id in self.made:
            raise Refused(RefusalCode.REQUEST_ID_TAKEN)
        debit = net = command.amount
        conversion = command.conversion
        if conversion is not None and conversion.given is Given.DEBITED:
            net = conversion.rate.received(debit, 2, 8)
        elif conversion is not None:
            debit = conversion.rate.debited(net, 2, 8)
        fee = FEE if isinstance(command, Withdraw) else Units(0)
        number = len(self.made) + 1
        self.made[command.request_id] = a_withdrawal(
            number=number,
            request_id=command.request_id,
            amount=Units(debit + fee),
            fee=fee,
            net=net,
            address=command.address if isinstance(command, Withdraw) else "",
            memo=command.memo if isinstance(command, Withdraw) else "",
            extra=command.extra,
        )
        return accepted(number=number, amount=Units(debit + fee), fee=fee, net=net)


def make_caller(kind: str) -> Caller:
    settings = {"processing_key": KEY, "secret_key": SECRET}
    return Caller(kind, "alphapo", FakeAlphapo(), settings, ManualClock(NOW_MS))
