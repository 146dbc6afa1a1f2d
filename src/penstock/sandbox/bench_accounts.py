"""Many accounts for the intake benchmark, put into a fresh state directory through the operator's commands."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from penstock.core.acts import AddBookEntry, AddressKind, CreateAccount, CreateKey, CreditDeposit, SetControl
from penstock.core.amounts import Units, parse_amount
from penstock.core.catalogue import Catalogue
from penstock.core.commands import Command
from penstock.core.ids import TimeOrderedIds
from penstock.core.time import SystemClock
from penstock.engine.lanes import SENDING
from penstock.engine.rows import AccountRow
from penstock.engine.rules import Rules
from penstock.sandbox.accounts import MAKERS
from penstock.sandbox.destinations import DESTINATIONS, EVM_RECEIVER
from penstock.sandbox.seed import RECIPIENT, SandboxSecrets, key_and_book, run_all
from penstock.sandbox.setup import sandbox_settings
from penstock.store.opening import Place, open_store
from penstock.store.store import Store
from penstock.venues.bitmart.currencies import CurrencyNames
from penstock.venues.sandbox_account import SandboxAccount

ACTOR = "bench"
ASSET = "USDT"
NETWORK = "ethereum"
BALANCE = "1000000"
FIRST_NUMBER = 10_000_000
BENCH_SEED = "00" * 32
"""Worth nothing, and the same in every run."""


class BenchAccount(msgspec.Struct, frozen=True):
    """An account that may pay `currency` (BitMart's name) to `address`; the secrets are worth nothing."""

    api_key: str
    api_secret: str
    memo: str
    currency: str
    address: str


def seed_bench(state_dir: Path, accounts: int, url: str = "") -> list[BenchAccount]:
    """Make `accounts` funded accounts with a key and a verified address each, and stop sending. url: of a PostgreSQL.

    The benchmark measures intake: with sending stopped nothing is planned or signed beside it. `penstock sandbox` then
    starts on the same directory.
    """
    with _stopped(state_dir, url) as (store, catalogue):
        created = run_all(
            store, [CreateAccount(ACTOR, str(FIRST_NUMBER + index)) for index in range(accounts)]
        )
        made = [row for row in created if isinstance(row, AccountRow)]
        assert len(made) == accounts, "a fresh directory is needed"
        units = parse_amount(BALANCE, catalogue.scale(ASSET))
        run_all(store, [command for account in made for command in _equipment(account, units)])
    currency = CurrencyNames(catalogue).write(ASSET, NETWORK)
    return [BenchAccount(_key(account), _secret(account), ACTOR, currency, EVM_RECEIVER) for account in made]


@contextmanager
def _stopped(state_dir: Path, url: str) -> Generator[tuple[Store, Catalogue]]:
    """A fresh sandbox's store, in which sending is stopped, and its catalogue."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = sandbox_settings(state_dir, 0, None)
    catalogue = settings.catalogue()
    rules = Rules(catalogue, settings.policy.policy())
    store = open_store(Place(str(state_dir), url), rules, SystemClock(), TimeOrderedIds())
    try:
        run_all(store, [SetControl(ACTOR, SENDING, stopped=True, reason="intake benchmark")])
        yield store, catalogue
    finally:
        store.close()


def _key(account: AccountRow) -> str:
    return f"bench-{account.account_number}"


def _secret(account: AccountRow) -> str:
    return f"not-secret-{account.account_number}"


def _equipment(account: AccountRow, units: Units) -> list[Command]:
    account_id = account.account_id
    reference = f"bench/{account.account_number}"
    return [
        CreateKey(ACTOR, account_id, "bitmart", _key(account), _secret(account), ACTOR, ("read", "withdraw")),
        AddBookEntry(
            ACTOR, account_id, AddressKind.STANDARD, ASSET, NETWORK, EVM_RECEIVER, "", "", verified=True
        ),
        CreditDeposit(ACTOR, account_id, "spot", ASSET, NETWORK, units, reference),
    ]


def seed_venues(
    state_dir: Path, wanted: Mapping[str, int], url: str = ""
) -> dict[str, list[dict[str, object]]]:
    """As `seed_bench`, with so many accounts for each venue. Returns their sections of sandbox.json."""
    drawn = SandboxSecrets(seed=BENCH_SEED, admin_token="")
    sections: dict[str, list[dict[str, object]]] = {}
    with _stopped(state_dir, url) as (store, catalogue):
        units = parse_amount(BALANCE, catalogue.scale(ASSET))
        run_all(store, [CreateAccount(ACTOR, RECIPIENT.number, email=RECIPIENT.email, phone=RECIPIENT.phone)])
        first = FIRST_NUMBER
        for venue, count in wanted.items():
            accounts = [_numbered(drawn, catalogue, venue, first + index) for index in range(count)]
            first += count
            created = run_all(store, [CreateAccount(ACTOR, account.number) for account in accounts])
            made = [row for row in created if isinstance(row, AccountRow)]
            assert len(made) == count, "a fresh directory is needed"
            pairs = zip(made, accounts, strict=True)
            run_all(
                store, [command for row, account in pairs for command in _outfit(row, venue, account, units)]
            )
            sections[venue] = [dict(account.section) for account in accounts]
    return sections


def _numbered(drawn: SandboxSecrets, catalogue: Catalogue, venue: str, number: int) -> SandboxAccount:
    """The venue's sandbox account under another number, with credentials of its own."""
    make = MAKERS[venue]
    account = make(lambda label: drawn.draw(f"{number}/{label}"), catalogue, DESTINATIONS[:1], RECIPIENT)
    section = {**account.section, "account_id": str(number)}
    key_id = str(number) if account.key_id == account.number else account.key_id
    return msgspec.structs.replace(account, number=str(number), key_id=key_id, section=section)


def _outfit(row: AccountRow, venue: str, account: SandboxAccount, units: Units) -> list[Command]:
    deposits = [
        CreditDeposit(
            ACTOR, row.account_id, wallet, ASSET, NETWORK, units, f"bench/{account.number}/{wallet}"
        )
        for wallet in ("spot", "fund")
    ]
    return [*key_and_book(ACTOR, row.account_id, venue, account), *deposits]
