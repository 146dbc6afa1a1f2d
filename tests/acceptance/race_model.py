"""What must have come of the race, worked out in plain dictionaries from what its clients were told.

"done" is a fact; "refused" and "nothing" mean that nothing happened; only where the answer itself said that nobody
knows may the database have it either way. What no answer tells is taken from the rows: which payments are final, where
the chain has to agree, and which wallet BitMart's withdrawals were paid from.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.acceptance.one_listing import UNIT
from tests.acceptance.race_clients import DONE, DOUBT
from tests.acceptance.race_rows import NOBODY, Stored, Withdrawal
from tests.acceptance.race_world import APPROVAL_FROM_USD, OPENING_USD

Told = dict[str, Any]
Id = tuple[int, str, str]
"""(account, venue, id)"""

WALLETS = {"alphapo": ("spot",), "bitmart": ("spot", "fund"), "zoomex": ("fund",)}
"""Where each venue's withdrawals are paid from; BitMart's from the second where the first has too little."""

GIVEN_BACK = {"decline": "rejected", "cancel": "cancelled"}
ON_ITS_WAY = {"approved", "planned", "signed", "sent", "mined", "confirmed"}


@dataclass
class Judge:
    """told: every line of every client. Each method yields one sentence for each thing that is wrong."""

    told: list[Told]
    stored: Stored

    def __post_init__(self) -> None:
        self.rows = {(row.account, row.venue, row.known): row for row in self.stored.withdrawals}
        self.asked: dict[Id, list[Told]] = defaultdict(list)
        for line in self._lines("withdraw"):
            self.asked[line["account"], line["venue"], line["id"]].append(line)
        self.acts: dict[int, list[str]] = defaultdict(list)
        for withdrawal, act, _ in self.stored.decisions:
            self.acts[withdrawal].append(act)

    def faults(self) -> list[str]:
        checks = (
            self.winners,
            self.decisions,
            self.states,
            self.deposits,
            self.balances,
            self.payments,
            self.looks,
        )
        return [fault for check in checks for fault in check()]

    def _lines(self, kind: str, *heard: str) -> Iterator[Told]:
        return (one for one in self.told if one["kind"] == kind and (not heard or one["heard"] in heard))

    def winners(self) -> Iterator[str]:
        """One winner for each id, and no withdrawal that nobody was told of."""
        won: set[tuple[int, str, str]] = set()
        for (account, venue, wanted), lines in self.asked.items():
            done = [line for line in lines if line["heard"] == DONE]
            if not done:
                continue
            names = {line["known"] for line in done}
            units = {line["units"] for line in done}
            won |= {(account, venue, name) for name in names}
            row = self.rows.get((account, venue, done[0]["known"]))
            # AlphaPo takes an id once; the others answer a repeat with the first withdrawal.
            if len(names) > 1 or len(units) > 1 or (venue == "alphapo" and len(done) > 1):
                yield f"{venue} {wanted} of {account} was won more than once: {names}, {units}"
            elif row is None:
                yield f"{venue} {wanted} of {account} was accepted as {names} and is not there"
            elif (
                {row.units} != units or row.request_id not in {"", wanted} or row.wallet not in WALLETS[venue]
            ):
                yield f"{venue} {wanted} of {account} was accepted for {units} and is {row}"
        doubted = {(line["account"], line["units"]) for line in self._lines("withdraw", DOUBT)}
        for name, row in self.rows.items():
            if name not in won and (row.account, row.units) not in doubted:
                yield f"nobody was told of {row}"
        ids = Counter(
            (row.account, row.venue, row.request_id) for row in self.stored.withdrawals if row.request_id
        )
        yield from (f"{one} is stored {count} times" for one, count in ids.items() if count > 1)

    def decisions(self) -> Iterator[str]:
        """What was decided is what somebody heard to be done, and once for each withdrawal."""
        done = {(line["withdrawal"], line["act"], line["actor"]) for line in self._lines("decide", DONE)}
        doubted = {(line["withdrawal"], line["act"], line["actor"]) for line in self._lines("decide", DOUBT)}
        stored = Counter(self.stored.decisions)
        yield from (f"{one} was done and left no trace" for one in done - stored.keys())
        yield from (f"{one} was done and nobody was told" for one in stored.keys() - done - doubted)
        yield from (f"{one} was done {count} times" for one, count in stored.items() if count > 1)
        for withdrawal, acts in self.acts.items():
            if acts.count("approve") > 1 or len(self._ends(withdrawal)) > 1:
                yield f"withdrawal {withdrawal} was decided more than once: {acts}"

    def _ends(self, withdrawal: int) -> list[str]:
        return [act for act in self.acts.get(withdrawal, ()) if act in GIVEN_BACK]

    def is_given_back(self, row: Withdrawal) -> bool:
        return bool(self._ends(row.withdrawal_id))

    def states(self) -> Iterator[str]:
        """Each withdrawal stands where the decisions about it have put it."""
        for row in self.stored.withdrawals:
            ends, approved = self._ends(row.withdrawal_id), "approve" in self.acts.get(row.withdrawal_id, ())
            asks = row.units >= APPROVAL_FROM_USD * UNIT
            if ends:
                may = {GIVEN_BACK[ends[0]]}
            elif asks:
                may = ON_ITS_WAY if approved else {"awaiting_approval"}
            else:
                may = ON_ITS_WAY - {"approved"} | {"held"}
            if row.state not in may or (approved and not asks):
                yield f"decided {self.acts.get(row.withdrawal_id)}: {row}"

    def deposits(self) -> Iterator[str]:
        done = {line["reference"] for line in self._lines("deposit", DONE)}
        doubted = {line["reference"] for line in self._lines("deposit", DOUBT)}
        stored = {name: count for name, count in self.stored.deposits.items() if name.startswith("race-")}
        yield from (f"deposit {name} was credited and is not there" for name in done - stored.keys())
        yield from (f"deposit {name} is there and nobody was told" for name in stored.keys() - done - doubted)
        yield from (
            f"deposit {name} was credited {count} times" for name, count in stored.items() if count > 1
        )

    def balances(self) -> Iterator[str]:
        available: Counter[tuple[int, str]] = Counter()
        held: Counter[tuple[int, str]] = Counter()
        for place in self.stored.balances:
            available[place] = OPENING_USD * UNIT
        credited = {
            line["reference"]: line
            for line in self._lines("deposit", DONE, DOUBT)
            if line["heard"] == DONE or line["reference"] in self.stored.deposits
        }
        for line in credited.values():
            available[line["account"], line["wallet"]] += line["units"]
        for account, wallet, units, row in self._debits():
            if row is None or not self.is_given_back(row):
                available[account, wallet] -= units
                held[account, wallet] += 0 if row is not None and row.state == "confirmed" else units
        for place in available.keys() | self.stored.balances.keys():
            expected = available[place], held[place]
            if self.stored.balances.get(place) != expected:
                yield f"{place} should be {expected} and is {self.stored.balances.get(place)}"
            if min(expected) < 0:
                yield f"{place} was overdrawn: {expected}"

    def _debits(self) -> Iterator[tuple[int, str, int, Withdrawal | None]]:
        """(account, wallet, units, row) of every id that was won, as its winners were told; of the rest the rows."""
        told: set[tuple[int, str, str]] = set()
        for (account, venue, _), lines in self.asked.items():
            done = next((line for line in lines if line["heard"] == DONE), None)
            if done is not None:
                name = (account, venue, done["known"])
                told.add(name)
                row = self.rows.get(name)
                yield account, row.wallet if row else WALLETS[venue][0], done["units"], row
        for name, row in self.rows.items():
            if name not in told:
                yield row.account, row.wallet, row.units, row

    def payments(self) -> Iterator[str]:
        """The chain paid what is confirmed, once, and nothing that was given back."""
        received: Counter[int] = Counter()
        for row in self.stored.withdrawals:
            count = self.stored.paid[row.withdrawal_id]
            received[row.account] += count * row.net
            if count > 1 or (count and self.is_given_back(row)) or (not count and row.state == "confirmed"):
                yield f"paid {count} times: {row}"
        if self.stored.paid[NOBODY]:
            yield f"{self.stored.paid[NOBODY]} payments that no attempt tells of"
        for account, units in self.stored.received.items():
            if received[account] != units:
                yield f"account {account} received {units} on the chain, by its payments {received[account]}"

    def looks(self) -> Iterator[str]:
        yield from (
            f"a balance below zero was seen: {one}" for one in self._lines("look") if float(one["lowest"]) < 0
        )

    def figures(self) -> dict[str, int]:
        """How much of a race it was."""
        counts: Counter[str] = Counter()
        for line in self.told:
            counts["_".join((line["kind"], line.get("heard", "")))] += 1
        tried = Counter(line["withdrawal"] for line in self._lines("decide"))
        counts["ids_won"] = sum(any(line["heard"] == DONE for line in lines) for lines in self.asked.values())
        counts["ids_shared"] = sum(len(lines) > 1 for lines in self.asked.values())
        counts["decided"] = len(self.acts)
        counts["decisions_contested"] = sum(count > 1 for count in tried.values())
        counts["given_back"] = sum(map(self.is_given_back, self.stored.withdrawals))
        counts["confirmed"] = sum(row.state == "confirmed" for row in self.stored.withdrawals)
        return {name.rstrip("_"): count for name, count in sorted(counts.items())}
