"""The service, seeded and running on a database of its own, for benchmarks that load nothing beside it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from penstock.bench.postgres import databases
from penstock.bench.processes import ServerProcess
from penstock.bench.run import Place
from penstock.bench.service_process import Sandbox, Service, Verdict
from penstock.bench.target import Target, write_accounts


class Running:
    """target: what to load. accepted, lost: count here what the load gave, for `verify`."""

    def __init__(self, service: Service, state: Path, target: Target) -> None:
        self._service = service
        self._state = state
        self.target = target
        self.accepted = 0
        self.lost = 0
        self.verdict: Verdict | None = None

    def count(self, accepted: int, lost: int) -> None:
        self.accepted += accepted
        self.lost += lost

    def verify(self, place: Place) -> bool:
        """Stop the server, and say whether its ledger is sound and what was accepted is stored, and nothing else.

        A request whose connection broke may have been accepted or not. A place whose ledger is not is kept.
        """
        stopped = self.target.server.stop()
        place.say("verifying the ledger")
        self.verdict = verdict = self._service.verify(self._state)
        place.say(verdict.text)
        stored = self.accepted <= verdict.withdrawals <= self.accepted + self.lost
        ok = stopped and verdict.ok and stored and verdict.attempts == 0
        place.kept |= not ok
        return ok


@contextmanager
def running(place: Place, accounts: int, clients: int, database: str | None) -> Generator[Running]:
    """With `accounts` accounts, and sending stopped. clients: as many connections PostgreSQL must bear beside ours."""
    with ExitStack() as open_things:
        url = ""
        if database is not None:
            folder = place.folder / "postgres"
            (url,) = open_things.enter_context(databases(folder, clients, database, 1)).urls
        service, state = Sandbox(url), place.folder / "state"
        place.say(f"seeding {accounts} accounts; sending is stopped for the run")
        written = write_accounts(place.folder / "accounts.json", service.seed(state, accounts))
        server = ServerProcess(service.command(state), place.folder / "service.log")
        open_things.enter_context(server)
        yield Running(service, state, Target(server, written))
