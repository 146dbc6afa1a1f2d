"""Zoomex for these tests: the dialect itself before a memory of what it accepted, or what it was told to answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from penstock.core.amounts import Units
from penstock.core.commands import Transfer, Withdraw
from penstock.core.ids import WithdrawalId
from penstock.core.queries import Account, Balances, DepositAddress, FindDeposits, FindWithdrawals
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.time import ManualClock, UnixMs
from penstock.core.views import Accepted, BalanceView, DepositAddressView, DepositView, WithdrawalView
from penstock.venues.venue import Ask, Reply, Request
from tests.client.scripted import Answer, Scripted, Seen, answer_of
from tests.venues.zoomex.world import (
    ACCOUNT,
    CATALOGUE,
    EVM_ADDRESS,
    KEY,
    ME,
    SECRET,
    TRON_ADDRESS,
    VENUE,
    make_key,
    route_of,
)

FIRST_ID = 380_000_000_000_000_001

BALANCES = [
    BalanceView("fund", "USDT", Units(2_500_000), Units(1_000_000)),
    BalanceView("spot", "BTC", Units(123_456_789), Units(0)),
    BalanceView("unified", "BTC", Units(100_000_000), Units(0)),
]
DEPOSIT = DepositView(
    deposit_id=9,
    account_id=ACCOUNT,
    asset="USDT",
    network="tron",
    wallet="fund",
    amount=Units(59_000_000),
    address=TRON_ADDRESS,
    tx_id="cd" * 32,
    created_ms=UnixMs(1_795_219_200_000),
)

CREDENTIALS = {"api_key", "timestamp", "recv_window", "sign"}


def asked(seen: Seen) -> dict[str, Any]:
    """What the body says, without the credentials."""
    return {name: said for name, said in seen.members.items() if name not in CREDENTIALS}


@dataclass(kw_only=True)
class FakeZoomex(Scripted):
    """Answers as the dialect does."""

    clock: ManualClock
    records: list[WithdrawalView] = field(default_factory=list)
    _business: dict[str, tuple[str, int]] = field(default_factory=dict)

    def usual(self, seen: Seen) -> Answer:
        return answer_of(self._dialect(seen.request(self.clock.now_ms())))

    def _dialect(self, request: Request) -> Reply:
        route = route_of(request.path)
        assert request.method == route.method
        key = make_key()
        assert (key.key_id, key.secret) == (KEY, SECRET.encode())
        who = VENUE.authenticate(request, route, {key.key_id: key}.get)
        if isinstance(who, Reply):
            return who
        try:
            asked = VENUE.read(request, route, who)
            while isinstance(asked, Ask):
                asked = asked.write(self._known(asked.question))
        except Refused as refused:
            return VENUE.refuse(refused, route)
        return asked

    def _known(self, question: object) -> object:
        match question:
            case Withdraw() | Transfer():
                return self._accept(question)
            case FindWithdrawals():
                return self._found(question)
            case Account():
                return ME
            case Balances():
                return BALANCES
            case DepositAddress(network=network):
                address = EVM_ADDRESS if network == "ethereum" else TRON_ADDRESS
                return DepositAddressView("USDT", network, address, "")
            case FindDeposits():
                return [DEPOSIT]
            case _:
                raise AssertionError(question)

    def _accept(self, asked: Withdraw | Transfer) -> Accepted:
        now_ms = self.clock.now_ms()
        if asked.request_id in self._business:
            business, withdrawal_id = self._business[asked.request_id]
            if business != asked.business:
                raise Refused(RefusalCode.REQUEST_ID_CONFLICT, request_id=asked.request_id, field="something")
            return Accepted(WithdrawalId(withdrawal_id), now_ms, repeated=True)
        withdrawal_id = FIRST_ID + len(self._business)
        self._business[asked.request_id] = (asked.business, withdrawal_id)
        on_chain = isinstance(asked, Withdraw)
        fee = CATALOGUE.listing(asked.asset, asked.network).fee if on_chain else 0
        self.records.insert(
            0,
            WithdrawalView(
                withdrawal_id=WithdrawalId(withdrawal_id),
                account_id=asked.account_id,
                venue="zoomex",
                asset=asked.asset,
                network=asked.network,
                wallet="fund",
                amount=Units(asked.amount + fee),
                fee=Units(fee),
                net=asked.amount,
                address=asked.address if isinstance(asked, Withdraw) else "",
                memo=asked.memo if isinstance(asked, Withdraw) else "",
                recipient="" if isinstance(asked, Withdraw) else asked.recipient,
                state=State.HELD if on_chain else State.CONFIRMED,
                reason="",
                tx_hash="",
                confirmations=0,
                created_ms=now_ms,
                updated_ms=now_ms,
                request_id=asked.request_id,
            ),
        )
        return Accepted(WithdrawalId(withdrawal_id), now_ms, repeated=False)

    def _found(self, query: FindWithdrawals) -> list[WithdrawalView]:
        """As the reader's contract has it, for the filters that the dialect uses."""
        kept = [
            view
            for view in self.records
            if (query.ids is None or view.withdrawal_id in query.ids)
            and (query.assets is None or view.asset in query.assets)
            and (query.on_chain is None or query.on_chain is (view.recipient == ""))
            and (query.from_ms is None or view.created_ms >= query.from_ms)
            and (query.before_ms is None or view.created_ms < query.before_ms)
            and (query.before is None or view.withdrawal_id < query.before)
        ]
        return sorted(kept, key=lambda view: -view.withdrawal_id)[: query.limit]
