"""The front process: HTTP, authentication and reading, in front of the one process that writes.

It has its own interpreter, so that taking requests and committing them use two cores; it holds no key that signs, and
reaches the store's process only over its link. Started by the service, which hands it open sockets.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
import sys
from functools import partial

import msgspec

from penstock.chains.addresses import check_address, never_paid
from penstock.config import Settings
from penstock.core.catalogue import Catalogue, Network
from penstock.core.points import point
from penstock.core.time import SystemClock
from penstock.engine.rules import Rules
from penstock.process import prepare_process, settle_memory
from penstock.rates.live import LiveRates
from penstock.rates.opening import open_rates
from penstock.server.admin import admin_app
from penstock.server.app import make_app
from penstock.server.counting import SharedCounter
from penstock.server.gate import Gate
from penstock.server.health import health_reply
from penstock.server.http import end_with, make_server, run_server
from penstock.server.keys import KEPT_MS
from penstock.server.venues import venues
from penstock.store.link.remote import RemoteStore
from penstock.store.opening import Place, open_reader
from penstock.venues.venue import World

PAYLOAD_TOO_LARGE = 413
READY = b"ready\n"


class FrontConfig(msgspec.Struct, frozen=True):
    """What a front is started with. The numbers are open file descriptors: the listening socket, the link to the
    store, and a pipe on which READY says that requests are taken. senders: our hot wallet by network. counted_alone:
    whether this is the only front, on a database that no other machine reaches: it may count requests by itself.
    """

    settings: Settings
    database: Place
    senders: dict[str, str]
    listening: int
    link: int
    ready: int
    counted_alone: bool


class AddressRules:
    """The address rules of every network, with what must never be paid there."""

    def __init__(self, catalogue: Catalogue, senders: dict[str, str]) -> None:
        self._forbidden = {code: never_paid(catalogue, code, senders) for code in catalogue.networks}

    def check(self, network: Network, address: str, memo: str) -> str:
        """The canonical text of an address that may be paid; raises Refused as chains/addresses.py does."""
        return check_address(network, address, memo, self._forbidden[network.code])


def new_trace() -> str:
    """A random UUID, version 4 (RFC 9562, section 5.4), at a quarter of what the uuid module's objects cost."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def run(config: FrontConfig) -> None:
    """Serve until SIGTERM, SIGINT, or until the store's process is gone."""
    settings = config.settings
    clock = SystemClock()
    catalogue = settings.catalogue()
    rules = Rules(catalogue, settings.policy.policy())
    addresses = AddressRules(catalogue, config.senders)
    reader = open_reader(config.database, rules, clock)
    store = RemoteStore(reader)
    rates = open_rates(
        settings.rates.table, settings.rates.exchange, settings.rates.refresh_s, catalogue, clock
    )
    world = World(catalogue, addresses.check, new_trace, clock.now_ms, rates)
    token = settings.admin_token.read()
    # Of the one secret that every process of a service has; a cursor proves itself with it, nothing else does.
    cursor_key = hmac.digest(token.reveal(), b"penstock: cursors of pages", "sha256")
    gate = Gate(
        venues(world, cursor_key),
        store,
        clock,
        settings.failed_auth_per_minute,
        limit_by_ip=settings.limit_by_ip,
        in_flight_max=settings.in_flight_max,
        catch_up=store.catch_up,
        counter=None if config.counted_alone else SharedCounter(store.take),
        # Who is alone hears of every change to a key with the outcome of the command that made it.
        keys_kept_ms=None if config.counted_alone else KEPT_MS,
    )
    admin = admin_app(store, catalogue, rules.policy, token, addresses.check, clock)

    def refusal_body(status: int, target: bytes, _reason: str) -> tuple[bytes, bytes]:
        venue = gate.venue_for(target)
        reply = venue.too_large() if status == PAYLOAD_TOO_LARGE else venue.malformed()
        return dict(reply.headers)[b"content-type"], reply.body

    started_ms = clock.monotonic_ms()
    health = partial(health_reply, reader, catalogue, clock, started_ms)
    server = make_server(make_app(gate, admin, health), refusal_body, gate.answers)
    tasks: list[asyncio.Task[None]] = []

    async def started() -> None:
        await store.open(socket.socket(fileno=config.link))
        tasks.append(end_with(server, store.lost))
        settle_memory()
        point("start.ready")
        os.write(config.ready, READY)
        os.close(config.ready)

    run_server(server, socket.socket(fileno=config.listening), started)
    if isinstance(rates, LiveRates):
        rates.stop()
    gate.close()
    reader.close()


def main() -> None:
    """Read the FrontConfig from standard input, to its end."""
    prepare_process()
    run(msgspec.json.decode(sys.stdin.buffer.read(), type=FrontConfig))


if __name__ == "__main__":
    main()
