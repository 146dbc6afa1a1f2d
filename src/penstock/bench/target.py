"""A server under load. Numbers its requests through all parts of a run, so that no two are the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec

from penstock.bench.loader import Assignment, Measurement
from penstock.bench.open_loader import OpenAssignment, OpenMeasurement
from penstock.bench.processes import ServerProcess, load, offer
from penstock.bench.requests import LoadAccount
from penstock.server.heads import CONNECTIONS_MAX

HOST = "127.0.0.1"
RATE_FIRST = 30_000
"""Requests signed for the first part, a second; later ones go by what the server did before."""
RATE_MARGIN = 1.5
CONNECTIONS = CONNECTIONS_MAX - 64
"""Of the open loop: what one front takes, with some left for others."""


def write_accounts(path: Path, accounts: Sequence[LoadAccount]) -> Path:
    """The loader's list. Accounts stored side by side must not ask side by side: customers do not line up by number."""
    shuffled = list(accounts)
    Random(0).shuffle(shuffled)  # noqa: S311 - an order, not a secret
    path.write_bytes(msgspec.json.encode(shuffled))
    return path


class Target:
    """accounts: as write_accounts wrote them. rate_first: see RATE_FIRST."""

    def __init__(self, server: ServerProcess, accounts: Path, rate_first: int = RATE_FIRST) -> None:
        self.server = server
        self._accounts = str(accounts)
        self._rate = rate_first
        self._next = 0

    def load(self, clients: int, warm_ms: int, measured_ms: int) -> Measurement:
        """So many clients, each waiting for its answer before it asks again."""
        requests_max = self._rate * (warm_ms + measured_ms) // 1_000 + clients
        measured = load(
            Assignment(
                host=HOST,
                port=self.server.port,
                clients=clients,
                warm_ms=warm_ms,
                measured_ms=measured_ms,
                accounts=self._accounts,
                first=self._next,
                requests_max=requests_max,
                server_pids=self.server.pids,
            )
        )
        self._next += requests_max
        self._rate = self._rate * 2 if measured.exhausted else math.ceil(measured.per_s * RATE_MARGIN) + 1_000
        return measured

    def offer(
        self,
        rate: float,
        shape: str,
        warm_ms: int,
        measured_ms: int,
        connections: int = CONNECTIONS,
        patience_ms: int | None = None,
    ) -> OpenMeasurement:
        """`rate` requests a second, whatever becomes of them. patience_ms: None for as long as it takes."""
        measured = offer(
            OpenAssignment(
                host=HOST,
                port=self.server.port,
                connections=connections,
                warm_ms=warm_ms,
                measured_ms=measured_ms,
                accounts=self._accounts,
                first=self._next,
                rate=rate,
                shape=shape,
                seed=self._next,
                server_pids=self.server.pids,
                **({} if patience_ms is None else {"patience_ms": patience_ms}),
            )
        )
        self._next += measured.requests
        return measured
