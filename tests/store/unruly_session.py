"""A connection that behaves as those of distributed databases may: every statement, and every commit, can fail.

It stands in for PG-wire databases that are spread over machines: they answer 40001 to any statement, and "result
unknown" to any COMMIT.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from psycopg import errors

from penstock.store.deciding import CommitInDoubt
from penstock.store.postgres.connection import open_session
from penstock.store.postgres.session import Answer, Session, Statement

_RAISE: Statement = ("DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '40001'; END $$", ())
FATES = ("serialization failure", "done, answer lost", "done, answer unknown", "not done, answer lost")


class Chaos:
    """Draws what happens, from a seed. statement, commit: in how many of a hundred it goes wrong."""

    def __init__(self, seed: int, statement: int, commit: int) -> None:
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self.statement, self.commit = statement, commit
        self.seen: Counter[str] = Counter()

    def strike_at(self, count: int) -> int | None:
        """Before which of so many statements a serialization failure is raised."""
        with self._lock:
            if self._rng.randrange(100) >= self.statement:
                return None
            self.seen["statement"] += 1
            return self._rng.randint(0, count)

    def fate(self) -> str:
        """What becomes of a commit: "", or one of FATES."""
        with self._lock:
            if self._rng.randrange(100) >= self.commit:
                return ""
            drawn = self._rng.choice(FATES)
            self.seen[drawn] += 1
            return drawn

    def opener(self) -> Callable[[str], Session]:
        return lambda url: UnrulySession(open_session(url), self)


class UnrulySession(Session):
    def __init__(self, session: Session, chaos: Chaos) -> None:
        super().__init__(session._connection)
        self._chaos = chaos

    def ask(self, statements: Sequence[Statement]) -> list[Answer]:
        return super().ask(self._struck(statements))

    def commit(self, statements: Sequence[Statement] = ()) -> None:
        # With one made up behind the last of them, COMMIT is already on its way when it fails.
        statements = self._struck(statements)
        match self._chaos.fate():
            case "serialization failure":
                super().ask(statements)
                raise errors.SerializationFailure("made up at COMMIT")
            case "done, answer lost":
                super().commit(statements)
                self.close()
                raise CommitInDoubt("08007: made up")
            case "done, answer unknown":
                super().commit(statements)
                raise CommitInDoubt("40003: made up")
            case "not done, answer lost":
                self.close()
                raise CommitInDoubt("08006: made up")
            case _:
                super().commit(statements)

    def _struck(self, statements: Sequence[Statement]) -> list[Statement]:
        at = self._chaos.strike_at(len(statements))
        return [*statements] if at is None else [*statements[:at], _RAISE, *statements[at:]]
