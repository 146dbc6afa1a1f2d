"""The middle of a batch, the same on every database: which rows its commands need, and each decision in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from penstock.core.commands import Command
from penstock.core.ids import Ids
from penstock.core.refusals import Refused
from penstock.core.time import UnixMs
from penstock.engine.decide import ROUNDS_MAX, collect_needs, decide, is_complete_after_one_round
from penstock.engine.rules import Decision, Moment, Rules
from penstock.engine.snapshot import Needs, Snapshot
from penstock.store.delivery import Outcome

_log = structlog.get_logger(__name__)

Load = Callable[[Snapshot, Needs], None]
"""Reads what is needed from the database into the snapshot."""


class CommitInDoubt(Exception):
    """COMMIT did not come back clean: what was written may or may not be there."""


class Deciding:
    """Decides the commands of a batch, reading rows by `load` as it becomes known which they need."""

    def __init__(self, rules: Rules, ids: Ids, load: Load) -> None:
        self._rules = rules
        self._ids = ids
        self._load = load

    def load(self, snapshot: Snapshot, commands: Sequence[Command], now_ms: UnixMs) -> None:
        """Have the snapshot know all that the commands need, as far as it can be known before they are decided."""
        for _ in range(ROUNDS_MAX):
            needs = Needs()
            for command in commands:
                collect_needs(command, snapshot, needs, self._rules, now_ms)
            if not snapshot.missing(needs):
                return
            self._load(snapshot, needs)
            commands = [command for command in commands if not is_complete_after_one_round(command)]
        assert not commands, "a command needs more rounds than ROUNDS_MAX"

    def decide(self, snapshot: Snapshot, commands: Sequence[Command], now_ms: UnixMs) -> list[Outcome]:
        """One outcome per command, exceptions as values; what they wrote is in the snapshot."""
        moment = Moment(now_ms, self._ids)
        outcomes: list[Outcome] = []
        for command in commands:
            try:
                decision = self._decide_one(snapshot, command, moment)
            except Refused as refused:
                outcomes.append(refused)
                continue
            except Exception as bug:  # noqa: BLE001 - the boundary of one command
                # One command's bug must neither take its neighbours down nor be answered as if nothing were
                # wrong.
                _log.exception("decision failed", command=type(command).__name__)
                outcomes.append(bug)
                continue
            for row in decision.writes:
                snapshot.put(row)
            outcomes.append(decision.answer)
        return outcomes

    def _decide_one(self, snapshot: Snapshot, command: Command, moment: Moment) -> Decision:
        try:
            return decide(snapshot, command, moment, self._rules)
        except KeyError:
            # An earlier command of this batch made a row that leads on to others (to the balance of an
            # account opened just now, say), and nobody could ask for those before.
            self.load(snapshot, [command], moment.now_ms)
            return decide(snapshot, command, moment, self._rules)
