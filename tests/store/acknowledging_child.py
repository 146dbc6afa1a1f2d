"""A process that takes withdrawals as fast as it can, and prints the id of each one that was acknowledged.

Run by the durability test, which kills it. Arguments: the database's path, the number of the round, and "withdrawals",
or "answers": then each is quoted and answered at once, and printed when its answer was acknowledged.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from msgspec import structs

from penstock.core.amounts import Units
from penstock.core.commands import AnswerChallenge, Withdraw
from penstock.core.ids import TimeOrderedIds
from penstock.core.time import SystemClock
from penstock.core.views import Accepted
from penstock.engine.rows import ApiKeyRow
from penstock.store.sqlite.store import SqliteStore
from tests.store.samples import ADDRESS, RULES

IN_FLIGHT = 16
CHALLENGE_MS = 600_000
ANSWER = "signature"


def main(path: str, number: str, what: str) -> None:
    store = SqliteStore(Path(path), RULES, SystemClock(), TimeOrderedIds())
    account_id = next(key.account_id for key in store.reader().rows(ApiKeyRow) if key.key_id == "key-0")
    print("ready", flush=True)  # noqa: T201 - the parent reads it

    def say(request_id: str) -> Callable[[Future[object]], None]:
        def said(future: Future[object]) -> None:
            accepted = future.result()
            assert isinstance(accepted, Accepted)
            os.write(1, f"{request_id} {accepted.withdrawal_id}\n".encode())

        return said

    waiting: list[Future[object]] = []
    for at in range(1_000_000):
        request_id = f"{number}/{at}"
        order = Withdraw(
            account_id, "key-0", "bitmart", request_id, "", "USDT", "tron", ("spot",), Units(100), ADDRESS, ""
        )
        if what == "answers":
            store.submit(structs.replace(order, challenge_ms=CHALLENGE_MS))
            future = store.submit(
                AnswerChallenge(account_id, "key-0", "bitmart", request_id, ANSWER, True, ("spot",))
            )
        else:
            future = store.submit(order)
        future.add_done_callback(say(request_id))
        waiting.append(future)
        if len(waiting) == IN_FLIGHT:
            waiting.pop(0).result(10)


if __name__ == "__main__":
    main(*sys.argv[1:])
