"""Millions of paid withdrawals for the benchmarks, made by the engine's own rules and put in in bulk.

They look as after a month of use: in order of time and not of accounts, some accounts asking far more often than
others, each withdrawal held and confirmed. A deposit for each account pays for its own, so balances stay as they were.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from penstock.core.amounts import Units, parse_amount
from penstock.core.commands import Withdraw
from penstock.core.ids import AccountId, TimeOrderedIds
from penstock.core.states import State
from penstock.core.time import DAY_MS, Clock, SystemClock, UnixMs
from penstock.engine.intake import new_withdrawal
from penstock.engine.ledger import FEES, Leg, available_of, custody, held_of, post
from penstock.engine.moves import moved
from penstock.engine.requests import remembered, taken
from penstock.engine.row import Row
from penstock.engine.rows import (
    AccountRow,
    ApiKeyRow,
    BalanceRow,
    CounterRow,
    DepositRow,
    QuotaRow,
    WithdrawalRow,
)
from penstock.engine.rules import Moment, Rules
from penstock.engine.worth import worth_of
from penstock.sandbox.bench_accounts import ASSET, NETWORK
from penstock.sandbox.bulk import open_bulk
from penstock.sandbox.destinations import EVM_RECEIVER
from penstock.sandbox.setup import sandbox_settings
from penstock.store.opening import Place, open_reader
from penstock.venues.alphapo.echo import Echo

DAYS = 30
"""They lie in this many days before today, so that nobody's quota of today is used."""
CHUNK = 20_000
AMOUNT = "10.01"
WALLET = "spot"
CONFIRMATIONS = 12
_SEED = 4
_BEGIN_OF = {"bitmart": "", "alphapo": "bench-"}
"""What the caller's own request ids begin with, before 0, 1, 2 for each account; "": the venue has none."""
_EXTRA = {"bitmart": "", "alphapo": Echo("USDTE", "USDTE", (6, 6)).encoded()}


@dataclass(slots=True)
class _Customer:
    account: AccountRow
    key: ApiKeyRow
    balance: BalanceRow
    ids: array[int] = field(default_factory=lambda: array("q"))


class _Making:
    """Makes the rows of one withdrawal after the other. used: quota by account and day."""

    def __init__(self, rules: Rules, rng: Random) -> None:
        self._rules = rules
        self._rng = rng
        self._ids = TimeOrderedIds(node=0)
        self._amount = parse_amount(AMOUNT, rules.catalogue.scale(ASSET))
        self._listing = rules.catalogue.listing(ASSET, NETWORK)
        self._sat = rules.catalogue.btc_value(ASSET, self._amount)
        self.used: dict[tuple[AccountId, int], int] = defaultdict(int)

    def paid(self, customer: _Customer, at_ms: UnixMs) -> Iterator[Row]:
        """A withdrawal that was accepted, held and paid at `at_ms`; its balance is not among the rows."""
        moment = Moment(at_ms, self._ids)
        command = self._command(customer, at_ms)
        worth = worth_of(command, self._listing, moment, self._rules)
        withdrawal = new_withdrawal(
            moment,
            account_id=command.account_id,
            venue=command.venue,
            asset=ASSET,
            network=NETWORK,
            wallet=WALLET,
            worth=worth,
            address=command.address,
            number=len(customer.ids) + 1 if command.numbered else 0,
            request_id=command.request_id if command.business else "",
            extra=command.extra,
            notify=False,
        )
        customer.ids.append(withdrawal.withdrawal_id)
        self.used[command.account_id, at_ms // DAY_MS] += self._sat
        yield from _kept(taken(moment, customer.balance, withdrawal))
        yield from remembered(command, withdrawal.withdrawal_id, moment)
        legs: list[Leg] = [
            (held_of(customer.balance), ASSET, -worth.amount),
            (custody(NETWORK), ASSET, worth.net),
            (FEES, ASSET, worth.fee),
        ]
        yield from post(moment, "settle", [leg for leg in legs if leg[2]], withdrawal.withdrawal_id)
        facts = {"tx_hash": f"0x{self._rng.getrandbits(256):064x}", "confirmations": CONFIRMATIONS}
        paid, rows = moved(moment, withdrawal, State.CONFIRMED, "stored for a benchmark", **facts)
        yield paid
        yield from _kept(rows)

    def _command(self, customer: _Customer, at_ms: UnixMs) -> Withdraw:
        begin = _BEGIN_OF[customer.key.venue]
        signed = f"{at_ms}:{self._rng.getrandbits(256):064x}"
        return Withdraw(
            account_id=customer.account.account_id,
            key_id=customer.key.key_id,
            venue=customer.key.venue,
            request_id=f"{begin}{len(customer.ids)}" if begin else signed,
            business="{}" if begin else "",
            asset=ASSET,
            network=NETWORK,
            wallets=(WALLET,),
            amount=self._amount,
            address=EVM_RECEIVER,
            memo="",
            any_address=True,
            numbered=bool(begin),
            extra=_EXTRA[customer.key.venue],
        )

    def deposit(self, customer: _Customer, at_ms: UnixMs) -> Iterator[Row]:
        """What pays for all of a customer's withdrawals."""
        moment = Moment(at_ms, self._ids)
        units = Units(self._amount * len(customer.ids))
        reference = f"bench/stored/{customer.account.account_number}"
        legs: list[Leg] = [(custody(NETWORK), ASSET, -units), (available_of(customer.balance), ASSET, units)]
        yield from post(moment, "deposit", legs, reference=reference)
        account_id = customer.account.account_id
        yield DepositRow(reference, moment.new_id(), account_id, ASSET, NETWORK, WALLET, units, "", "", at_ms)


def _kept(rows: Sequence[Row]) -> Iterator[Row]:
    """Without balances, which come out as they were, and withdrawals in a state that they did not stay in."""
    return (row for row in rows if not isinstance(row, BalanceRow | WithdrawalRow))


def store_withdrawals(
    state_dir: Path,
    url: str,
    wanted: Mapping[str, int],
    tell: Callable[[int], None],
    clock: Clock | None = None,
) -> dict[str, array[int]]:
    """Give the accounts of each venue so many paid withdrawals, each account at least one where it is not 0.

    Nothing may run on the database, and none of its accounts may have withdrawals. url: of a PostgreSQL; "" for SQLite
    in state_dir. wanted: by venue, bitmart or alphapo. tell: called with how many there are so far. The database is
    left as use leaves it: written out, and on PostgreSQL vacuumed and analysed. Returns the withdrawals' ids by account
    number, oldest first. The request ids of AlphaPo's are "bench-0", "bench-1" and so on for each account.
    """
    settings = sandbox_settings(state_dir, 0, None)
    rules = Rules(settings.catalogue(), settings.policy.policy())
    place = Place(str(state_dir), url)
    clock = clock or SystemClock()
    customers = _customers(place, rules, clock)
    rng = Random(_SEED)  # noqa: S311 - test data, not a secret
    making = _Making(rules, rng)
    until_ms = clock.now_ms() // DAY_MS * DAY_MS - 1
    since_ms = until_ms - DAYS * DAY_MS
    total = sum(wanted.values())
    with open_bulk(place) as bulk:
        waiting: dict[type[Row], list[Row]] = defaultdict(list)
        for number, customer in enumerate(_askers(customers, wanted, rng)):
            at_ms = UnixMs(since_ms + (until_ms - since_ms) * number // total)
            for row in making.paid(customer, at_ms):
                waiting[type(row)].append(row)
            if (number + 1) % CHUNK == 0:
                bulk.add(waiting)
                waiting.clear()
                tell(number + 1)
        asked = [customer for of_venue in customers.values() for customer in of_venue if customer.ids]
        for customer in asked:
            for row in (*making.deposit(customer, UnixMs(until_ms)), *_counter(customer)):
                waiting[type(row)].append(row)
        if rules.policy.daily_quota_sat is not None:
            waiting[QuotaRow] = [QuotaRow(*day, used) for day, used in making.used.items()]
        bulk.add(waiting)
        if total % CHUNK:
            tell(total)
    return {customer.account.account_number: customer.ids for customer in asked}


def _counter(customer: _Customer) -> list[Row]:
    numbered = bool(_BEGIN_OF[customer.key.venue])
    return [CounterRow(customer.account.account_id, len(customer.ids))] if numbered else []


def _customers(place: Place, rules: Rules, clock: Clock) -> dict[str, list[_Customer]]:
    """Every account with a key of a venue, and what is in its wallet."""
    reader = open_reader(place, rules, clock)
    try:
        accounts = {row.account_id: row for row in reader.rows(AccountRow)}
        balances = {row.key: row for row in reader.rows(BalanceRow)}
        found: dict[str, list[_Customer]] = defaultdict(list)
        for key in reader.rows(ApiKeyRow):
            balance = balances[key.account_id, ASSET, WALLET]
            found[key.venue].append(_Customer(accounts[key.account_id], key, balance))
    finally:
        reader.close()
    return found


def _askers(
    customers: Mapping[str, list[_Customer]], wanted: Mapping[str, int], rng: Random
) -> Iterator[_Customer]:
    """Whose turn it is, sum(wanted) times: first everybody once, then at random.

    The square of an even draw: of a hundred customers the first asks ten times as often as the average.
    """
    left: dict[str, int] = {}
    for venue, count in wanted.items():
        everybody = list(customers[venue])
        if count == 0:
            continue
        assert count >= len(everybody), f"{count} withdrawals for {len(everybody)} accounts of {venue}"
        rng.shuffle(everybody)
        yield from everybody
        left[venue] = count - len(everybody)
    turns = [venue for venue, count in left.items() for _ in range(count)]
    if len(left) > 1:
        rng.shuffle(turns)
    shuffled = {venue: rng.sample(customers[venue], len(customers[venue])) for venue in left}
    for venue in turns:
        of_venue = shuffled[venue]
        yield of_venue[int(len(of_venue) * rng.random() ** 2)]
