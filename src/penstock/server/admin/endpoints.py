"""What one endpoint of the admin API is, and what its function gets to work with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from penstock.core.amounts import Units, format_units, parse_amount
from penstock.core.catalogue import Catalogue, Network
from penstock.core.commands import Command
from penstock.core.ids import AccountId
from penstock.core.refusals import RefusalCode, Refused
from penstock.engine.row import Row
from penstock.engine.rules import Policy
from penstock.server.admin.bodies import read_body, read_id, read_query
from penstock.server.admin.errors import missing
from penstock.server.admin.schema import Body, NoFields, NoQuery
from penstock.store.reader import Reader
from penstock.store.store import AsyncStore

CheckAddress = Callable[[Network, str, str], str]
"""(network, address, memo) -> canonical address; raises Refused."""

B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=Body)
R = TypeVar("R", bound=Row)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the operator's acts are carried out. document: the OpenAPI document, encoded."""

    store: AsyncStore
    catalogue: Catalogue
    policy: Policy
    check_address: CheckAddress
    document: msgspec.Raw

    async def act(self, command: Command, answer: type[R]) -> R:
        """Carry a command out; effect and audit row are durable on return. Raises as AsyncStore.execute."""
        row = await self.store.execute(command)
        assert isinstance(row, answer), type(row)
        return row

    async def act_only(self, command: Command) -> None:
        """As `act`, for the commands that answer nothing."""
        nothing = await self.store.execute(command)
        assert nothing is None, type(nothing)

    async def read(self, ask: Callable[[Reader], T]) -> T:
        """Run a blocking read beside the event loop."""
        return await asyncio.to_thread(ask, self.store.reader())

    def network(self, code: str) -> Network:
        """The network a path names. Raises NotDone(404)."""
        found = self.catalogue.networks.get(code)
        if found is None:
            raise missing("network")
        return found

    def units(self, text: str, asset: str) -> Units:
        """Decimal text as the asset's smallest units. Raises Refused."""
        if asset not in self.catalogue.assets:
            raise Refused(RefusalCode.CURRENCY_UNKNOWN, field="asset", currency=asset)
        return parse_amount(text, self.catalogue.scale(asset))

    def text(self, units: int, asset: str) -> str:
        return format_units(units, self.catalogue.scale(asset))


@dataclass(frozen=True, slots=True)
class Call:
    """One request, authenticated. actor: who acts, for the audit. path: values of the path's parameters."""

    actor: str
    path: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    raw: bytes

    def id(self, name: str) -> int:
        return read_id(self.path[name], name)

    @property
    def account_id(self) -> AccountId:
        return AccountId(self.id("account_id"))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one path below /admin/v1, for the router and the OpenAPI document alike.

    name: its operationId. body: None where none is taken. reply: None for the OpenAPI document itself.
    """

    method: str
    path: str
    name: str
    summary: str
    status: int
    body: type[Body] | None
    query: type[Body]
    reply: type[msgspec.Struct] | None
    carry_out: Callable[[Desk, Call], Awaitable[object]]


def acting(
    method: str,
    path: str,
    summary: str,
    run: Callable[[Desk, Call, B], Awaitable[msgspec.Struct]],
    body: type[B],
    reply: type[msgspec.Struct],
    status: int = 200,
) -> Endpoint:
    """An endpoint that changes something: takes a body, leaves an audit row."""

    async def carry_out(desk: Desk, call: Call) -> object:
        read_query(call.query, NoQuery)
        return await run(desk, call, read_body(call.raw, body))

    return Endpoint(method, path, run.__name__, summary, status, body, NoQuery, reply, carry_out)


def asking(
    path: str,
    summary: str,
    run: Callable[[Desk, Call, Q], Awaitable[msgspec.Struct | msgspec.Raw]],
    query: type[Q],
    reply: type[msgspec.Struct] | None,
) -> Endpoint:
    """An endpoint that only reads."""

    async def carry_out(desk: Desk, call: Call) -> object:
        read_body(call.raw, NoFields)
        return await run(desk, call, read_query(call.query, query))

    return Endpoint("GET", path, run.__name__, summary, 200, None, query, reply, carry_out)
