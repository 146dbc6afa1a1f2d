"""The clients of the race: many processes, forked from this one, that ask for the same things at the same time.

`python -m tests.acceptance.race_clients PLAN`, where PLAN is a JSON file (`Plan`). Each process keeps one connection to
a server, and writes what it was told to a file of its own beside the plan, one JSON object a line:

    withdraw  account, venue, id, units (what is to be debited), heard, known (the venue's name of it)
    decide    withdrawal, act, actor, heard
    deposit   account, wallet, reference, units, heard
    look      account, lowest (of all that a balance sheet shows)

heard is one of HEARD. What these add up to is judged elsewhere (race_model.py); here nothing is.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.alphapo_requests import ACCOUNTS, WITHDRAWAL, KeyPair
from tests.acceptance.calls import now_ms
from tests.acceptance.one_listing import FEE_UNITS, UNIT, amount_text
from tests.acceptance.raw_http import Answer, Connection, apply_request
from tests.acceptance.zoomex_requests import CREATE, Key, demo

SHARERS = 4
"""How many requests ask for each id, most of them from different processes."""

DONE, REFUSED, NOTHING, DOUBT = "done", "refused", "nothing", "doubt"
HEARD = (DONE, REFUSED, NOTHING, DOUBT)
"""Done; refused for good reason; not even looked at (busy, or asked too often); nobody knows."""

# What each venue says, on its page, where the answer is not that it was accepted.
ZOOMEX = {10014: REFUSED, 131212: REFUSED, 10006: NOTHING, 10016: NOTHING, 10018: NOTHING, 10000: DOUBT}
BITMART = {60008: REFUSED, 61004: REFUSED, 30013: NOTHING, 30017: NOTHING, 30014: NOTHING, 60051: DOUBT}
ALPHAPO_REFUSES = {"The foreign id has already been taken.", "Not enough money on balance"}
ALPHAPO = {"too_many_requests": NOTHING, "service_unavailable": NOTHING, "outcome_unknown": DOUBT}
ADMIN = {200: DONE, 201: DONE, 409: REFUSED, 503: NOTHING}

STILL_OPEN = ("held", "awaiting_approval", "approved")
ACTS = ("approve", "approve", "decline", "cancel")
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Plan:
    """accounts: as RaceWorld.accounts. hot_ms: how long all turn to one account before they turn to the next."""

    folder: str
    ports: list[int]
    token: str
    clients: int
    seconds: float
    seed: int
    accounts: list[dict[str, Any]]
    hot_ms: int = 150

    def write(self) -> Path:
        path = Path(self.folder) / "plan.json"
        path.write_text(json.dumps(asdict(self)))
        return path


class Tickets:
    """Numbers that all processes take from one counter for each account: SHARERS in a row mean the same id."""

    def __init__(self, accounts: int) -> None:
        self._lock = _fork.Lock()
        self._taken = _fork.Array("q", accounts, lock=False)
        self._began_ms = _fork.Array("q", accounts, lock=False)

    def take(self, account: int) -> tuple[int, int, int]:
        """(number of the id, place among its sharers, when the first of them came)."""
        with self._lock:
            number, place = divmod(self._taken[account], SHARERS)
            self._taken[account] += 1
            if place == 0:
                self._began_ms[account] = now_ms()
            return number, place, self._began_ms[account]


@dataclass(frozen=True)
class Wish:
    """A withdrawal to ask for. units: what it would debit."""

    venue: str
    id: str
    units: int
    raw: bytes


def wish(account: dict[str, Any], number: int, place: int, began_ms: int) -> Wish:
    """What the ticket stands for: the same for every sharer, but for an amount that some of them change.

    Every amount is its own, by its last digits. AlphaPo and Zoomex debit their fee beside the amount.
    """
    amount = (15 + number * 7_919 % 50) * UNIT + number * SHARERS
    address = account["address"]
    venue = ("alphapo", "bitmart", "alphapo", "zoomex", "alphapo", "bitmart")[number % 6]
    if venue == "bitmart":
        # The venue has no id of the caller's: the same request is the same bytes, its time included.
        body = json.dumps(
            {"currency": "USDT-ERC20", "amount": amount_text(amount), "address": address}
        ).encode()
        raw = apply_request(_one(account["bitmart"], number), body, timestamp=str(began_ms))
        return Wish(venue, f"race{number}", amount, raw)
    if venue == "zoomex":
        amount += place == SHARERS - 1
        key = Key(account["zoomex"][0]["api_key"], account["zoomex"][0]["api_secret"])
        members = {"coin": "USDT", "chain": "ETH", "address": address, "requestId": f"race{number}"}
        raw = demo(CREATE, key, members | {"amount": amount_text(amount)}).raw
    else:
        amount += place % 2
        key_pair = _one(account["alphapo"], number + place)
        members = {"currency": "USDTE", "amount": amount_text(amount), "address": address}
        body = json.dumps(members | {"foreign_id": f"race{number}", "end_user_reference": "racer"}).encode()
        raw = KeyPair(key_pair["api_key"], key_pair["api_secret"]).request(WITHDRAWAL, body)
    return Wish(venue, f"race{number}", amount + FEE_UNITS, raw)


def _one(keys: list[dict[str, str]], number: int) -> dict[str, str]:
    return keys[number % len(keys)]


def heard(venue: str, answer: Answer) -> tuple[str, str]:
    """(one of HEARD, the venue's name of the withdrawal or ""). Raises KeyError for what nobody should hear here."""
    told = json.loads(answer.body)
    if venue == "alphapo":
        if answer.status == 201:
            return DONE, str(told["data"]["id"])
        if answer.status == 400 and set(told["errors"].values()) <= ALPHAPO_REFUSES:
            return REFUSED, ""
        return ALPHAPO[told["code"]], ""
    if venue == "zoomex":
        return (
            (DONE, str(told["result"]["withdraw_id"]))
            if told["retCode"] == 0
            else (ZOOMEX[told["retCode"]], "")
        )
    return (DONE, str(told["data"]["withdraw_id"])) if told["code"] == 1000 else (BITMART[told["code"]], "")


class Client:
    """One process: asks, decides, pays in and looks, in turns drawn from its own seed."""

    def __init__(self, plan: Plan, number: int, withdrawals: Tickets, deposits: Tickets) -> None:
        self._plan = plan
        self._name = f"client-{number}"
        self._draw = random.Random(f"{plan.seed}/{number}")
        self._withdrawals = withdrawals
        self._deposits = deposits
        self._port = plan.ports[number % len(plan.ports)]
        self._connection = Connection(self._port)
        self._acts = 0

    def run(self, until_s: float) -> None:
        turns: list[Callable[[int], None]] = [self.withdraw, self.decide, self.deposit, self.look]
        with (
            (Path(self._plan.folder) / f"{self._name}.jsonl").open("w") as self._file,
            closing(self._connection),
        ):
            while time.monotonic() < until_s:
                (turn,) = self._draw.choices(turns, (50, 38, 8, 4))
                turn(self._account())

    def _account(self) -> int:
        """Mostly the one that all turn to now."""
        count = len(self._plan.accounts)
        hot = now_ms() // self._plan.hot_ms % count
        return hot if self._draw.random() < 0.7 else self._draw.randrange(count)

    def withdraw(self, account: int) -> None:
        wanted = wish(self._plan.accounts[account], *self._withdrawals.take(account))
        verdict, known = heard(wanted.venue, self._exchange(wanted.raw))
        self._note(
            "withdraw",
            account=account,
            venue=wanted.venue,
            id=wanted.id,
            units=wanted.units,
            heard=verdict,
            known=known,
        )

    def decide(self, account: int) -> None:
        """Act on one of the newest withdrawals, as everybody else does; now and then on one that is over."""
        account_id = self._plan.accounts[account]["account_id"]
        query = (
            "state=awaiting_approval&limit=4"
            if self._draw.random() < 0.7
            else f"account_id={account_id}&limit=6"
        )
        rows = self._admin("GET", f"/withdrawals?{query}")[1]["withdrawals"]
        wanted = [row for row in rows if row["state"] in STILL_OPEN or self._draw.random() < 0.05]
        if not wanted:
            return
        withdrawal, act = self._draw.choice(wanted)["withdrawal_id"], self._draw.choice(ACTS)
        self._acts += 1
        actor = f"{self._name}-{self._acts}"
        body = {"reason": actor} if act == "decline" else {}
        verdict, _ = self._admin("POST", f"/withdrawals/{withdrawal}/{act}", body, actor)
        self._note("decide", withdrawal=int(withdrawal), act=act, actor=actor, heard=verdict)

    def deposit(self, account: int) -> None:
        number, _, _ = self._deposits.take(account)
        wallet = "fund" if number % 5 == 0 else "spot"
        units = (30 + number % 60) * UNIT
        reference = f"race-{account}-{number}"
        body = {"asset": "USDT", "network": "ethereum", "amount": amount_text(units), "wallet": wallet}
        place = f"/accounts/{self._plan.accounts[account]['account_id']}/deposits"
        verdict, _ = self._admin("POST", place, body | {"reference": reference})
        self._note("deposit", account=account, wallet=wallet, reference=reference, units=units, heard=verdict)

    def look(self, account: int) -> None:
        """At the operator's balance sheet, or at the venue's."""
        one = self._plan.accounts[account]
        if self._draw.random() < 0.5:
            rows = self._admin("GET", f"/accounts/{one['account_id']}/balances")[1]["balances"]
            shown = [row[name] for row in rows for name in ("available", "held")]
        else:
            pair = self._draw.choice(one["alphapo"])
            raw = KeyPair(pair["api_key"], pair["api_secret"]).request(ACCOUNTS)
            shown = [row["balance"] for row in json.loads(self._exchange(raw).body).get("data", ())]
        self._note("look", account=account, lowest=min(shown, key=float, default="0"))

    def _admin(self, method: str, path: str, body: object = None, actor: str = "") -> tuple[str, Any]:
        """(one of HEARD, the answer)."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} /admin/v1{path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self._plan.token}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            f"X-Actor: {actor or self._name}",
        ]
        answer = self._exchange("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        told = json.loads(answer.body)
        if answer.status == 500 and told["error"]["code"] == "in_doubt":
            return DOUBT, told
        return ADMIN[answer.status], told

    def _exchange(self, raw: bytes) -> Answer:
        """An answer must come: no server dies in this race, so a lost one is a fault, and ends the client."""
        answer = self._connection.exchange(raw)
        if answer.closed:
            self._connection.close()
            self._connection = Connection(self._port)
        return answer

    def _note(self, kind: str, **told: object) -> None:
        self._file.write(json.dumps({"kind": kind, **told}) + "\n")


def main(path: str) -> int:
    """Fork the clients, and wait for them; 1 where one failed. Its error is on stderr then."""
    plan = Plan(**json.loads(Path(path).read_text()))
    withdrawals, deposits = Tickets(len(plan.accounts)), Tickets(len(plan.accounts))
    until_s = time.monotonic() + plan.seconds

    def run(number: int) -> None:
        Client(plan, number, withdrawals, deposits).run(until_s)

    clients = [_fork.Process(target=run, args=(number,)) for number in range(plan.clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return int(any(client.exitcode for client in clients))


if __name__ == "__main__":
    # So many processes would leave the servers, and `penstock verify` beside them, little of a small machine.
    os.nice(5)
    sys.exit(main(sys.argv[1]))
