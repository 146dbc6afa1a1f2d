"""What the failover test works with: a sandbox on a pair of PostgreSQL, and customers who do not let go.

A customer asks for one withdrawal after the other, each of an amount of its own, so that what moved on the chain tells
whose it was. Requests are signed here by hand, for two venues: BitMart, where the same request is the same bytes, and
Zoomex, where it is the same requestId under a new signature.
"""

from __future__ import annotations

import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.acceptance.customers import new_evm_address, open_account
from tests.acceptance.one_listing import FEE_UNITS, UNIT, amount_text
from tests.acceptance.raw_http import Answer, Connection, apply_request
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.zoomex_requests import CREATE, Key, demo, told
from tests.postgres_pair import Pair, await_true

CONVERGE_S_MAX = 50.0
PAUSE_S = 0.05
DATABASE = "penstock"


class Wire(Protocol):
    """One request in a venue's form. units: what it would have arrive at its address."""

    @property
    def units(self) -> int: ...

    def bytes_now(self) -> bytes:
        """To send now; any number of times."""
        ...

    def hear(self, answer: Answer) -> str:
        """What it says: the withdrawal's id, or one of NOTHING_DONE, IN_DOUBT and TOO_MANY. Any other fails."""
        ...


NOTHING_DONE, IN_DOUBT, TOO_MANY = "nothing done", "in doubt", "too many"


@dataclass(frozen=True)
class BitmartWire:
    """The fee is kept from the amount."""

    amount: int
    signed: bytes

    @property
    def units(self) -> int:
        return self.amount - FEE_UNITS

    def bytes_now(self) -> bytes:
        return self.signed

    def hear(self, answer: Answer) -> str:
        match answer.verdict:
            case (200, 1000):
                return str(answer.envelope["data"]["withdraw_id"])
            case (503, 30014):
                return NOTHING_DONE
            case (500, 60051):
                return IN_DOUBT
            case (429, 30013):
                return TOO_MANY
        raise AssertionError(answer)


@dataclass(frozen=True)
class ZoomexWire:
    """The fee comes on top of the amount."""

    amount: int
    key: Key
    members: dict[str, Any]

    @property
    def units(self) -> int:
        return self.amount

    def bytes_now(self) -> bytes:
        return demo(CREATE, self.key, self.members).raw

    def hear(self, answer: Answer) -> str:
        heard = told(answer)
        match heard.verdict:
            case (200, 0):
                return heard.withdraw_id
            case (503, 10016):
                return NOTHING_DONE
            case (504, 10000):
                return IN_DOUBT
            case (_, 10006):
                return TOO_MANY
        raise AssertionError(answer)


@dataclass
class Asked:
    """One request and what came of it. said: every answer, in order; "lost" where none came in time."""

    wire: Wire
    said: list[str] = field(default_factory=list)
    withdrawal_id: str | None = None

    @property
    def was_done_nothing(self) -> bool:
        """Whether every answer said for certain that nothing was done."""
        return bool(self.said) and set(self.said) <= {NOTHING_DONE, TOO_MANY} and NOTHING_DONE in self.said

    @property
    def was_doubtful(self) -> bool:
        return not {IN_DOUBT, "lost"}.isdisjoint(self.said)


@dataclass
class Customer:
    """Asks one thing at a time.

    patience_s: how long it waits for an answer. gives_up: leaves a request alone once it was told that nothing was
    done, and never asks for it again.
    """

    sandbox: Sandbox
    address: str
    make_wire: Callable[[str, int], Wire]
    rest_s: float
    patience_s: float
    gives_up: bool
    asked: list[Asked] = field(default_factory=list)

    def work(self, stop: threading.Event, amounts: Iterator[int]) -> None:
        """Ask for withdrawals until `stop`."""
        while not stop.is_set():
            asked = self.new_request(amounts)
            while not stop.is_set() and not self.has_ended(asked):
                self.ask(asked)
                stop.wait(self.rest_s)

    def new_request(self, amounts: Iterator[int]) -> Asked:
        """One that was not sent yet."""
        asked = Asked(self.make_wire(self.address, next(amounts)))
        self.asked.append(asked)
        return asked

    def converge(self) -> None:
        """Ask again, with the same request, until each one was answered; and once more for those that were."""
        ends_s = time.monotonic() + CONVERGE_S_MAX
        for asked in self.asked:
            while not self.has_ended(asked):
                assert time.monotonic() < ends_s, asked
                self.ask(asked)
                time.sleep(PAUSE_S)
        before = next((asked for asked in reversed(self.asked) if asked.withdrawal_id is not None), None)
        while before is not None and self.ask(before) != before.withdrawal_id:
            assert time.monotonic() < ends_s, before
            time.sleep(PAUSE_S)

    def has_ended(self, asked: Asked) -> bool:
        return asked.withdrawal_id is not None or (self.gives_up and asked.was_done_nothing)

    def ask(self, asked: Asked) -> str:
        """Send it once; what was said."""
        said = self._exchange(asked.wire)
        asked.said.append(said)
        if said.isdecimal():
            assert asked.withdrawal_id in (None, said), f"the answer to the same request changed: {asked}"
            asked.withdrawal_id = said
        return said

    def _exchange(self, wire: Wire) -> str:
        with closing(Connection(self.sandbox.port)) as connection:
            connection.socket.settimeout(self.patience_s)
            try:
                answer = connection.exchange(wire.bytes_now())
            except TimeoutError:
                return "lost"
        return wire.hear(answer)


@dataclass
class World:
    """A sandbox on the pair, and all its customers so far. whole: False once something has failed here."""

    pair: Pair
    sandbox: Sandbox
    customers: list[Customer] = field(default_factory=list)
    whole: bool = True
    amounts: Iterator[int] = field(default_factory=lambda: itertools.count(20 * UNIT))

    def new_customers(self, count: int, rest_s: float, patience_s: tuple[float, ...]) -> list[Customer]:
        """In turn of either venue, of either patience, and such as give up and such as do not."""
        kinds = itertools.cycle(itertools.product((_bitmart, _zoomex), patience_s, (True, False)))
        made = [
            make(self.sandbox, rest_s, patience, gives_up=gives_up)
            for make, patience, gives_up in itertools.islice(kinds, count)
        ]
        self.customers += made
        return made

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """Of whichever server can be written to."""
        with psycopg.connect(self.pair.url(DATABASE), autocommit=True, connect_timeout=5) as connection:
            return connection.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]

    def await_paid(self) -> None:
        """Return once every withdrawal is confirmed."""
        await_true(
            lambda: self.read("SELECT count(*) FROM withdrawals WHERE state <> 'confirmed'") == [(0,)],
            lambda: str(self.read("SELECT state, count(*) FROM withdrawals GROUP BY 1")) + self.log_tail(),
        )

    def log_tail(self) -> str:
        return self.sandbox.log.read_text(errors="replace")[-3_000:]

    def logged(self, what: str) -> int:
        """How often the service has said that."""
        return self.sandbox.log.read_text(errors="replace").count(what)


def _bitmart(sandbox: Sandbox, rest_s: float, patience_s: float, *, gives_up: bool) -> Customer:
    customer = open_account(sandbox)
    customer.credit("USDT", "100000", wallet="spot")
    key = sandbox.new_key(account_id=customer.account_id)
    address = new_evm_address()
    customer.list_address(address)

    def wire(to: str, amount: int) -> Wire:
        members = {"currency": "USDT-ERC20", "amount": amount_text(amount), "address": to}
        return BitmartWire(amount, apply_request(key, json.dumps(members).encode()))

    return Customer(sandbox, address, wire, rest_s, patience_s, gives_up)


def _zoomex(sandbox: Sandbox, rest_s: float, patience_s: float, *, gives_up: bool) -> Customer:
    customer = open_account(sandbox)
    customer.credit("USDT", "100000", wallet="fund")
    key = Key(*customer.key("zoomex"))
    address = new_evm_address()
    customer.list_address(address)

    def wire(to: str, amount: int) -> Wire:
        members = {"coin": "USDT", "chain": "ETH", "address": to, "amount": amount_text(amount)}
        return ZoomexWire(amount, key, members | {"requestId": secrets.token_hex(16)})

    return Customer(sandbox, address, wire, rest_s, patience_s, gives_up)


@contextmanager
def open_world(pair: Pair, folder: Path) -> Iterator[World]:
    """A sandbox on a new database of the pair; nothing of it is left running."""
    pair.primary.run(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    options = ("--database", pair.url(DATABASE), "--chain-pace", "100", "--no-ip-limits")
    world = World(pair, Sandbox(folder / "state", options))
    try:
        world.sandbox.start()
        yield world
    finally:
        world.sandbox.kill()
