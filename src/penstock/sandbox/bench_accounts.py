"""Many accounts for the intake benchmark, put into a fresh state directory through the operator's commands."""

from __future__ import annotations

from pathlib import Path

import msgspec

from penstock.core.acts import AddBookEntry, AddressKind, CreateAccount, CreateKey, CreditDeposit, SetControl
from penstock.core.amounts import Units, parse_amount
from penstock.core.commands import Command
from penstock.core.ids import TimeOrderedIds
from penstock.core.time import SystemClock
from penstock.engine.lanes import SENDING
from penstock.engine.rows import AccountRow
from penstock.engine.rules import Rules
from penstock.sandbox.destinations import EVM_RECEIVER
from penstock.sandbox.seed import run_all
from penstock.sandbox.setup import sandbox_settings
from penstock.store.sqlite.store import DATABASE_NAME, SqliteStore
from penstock.venues.bitmart.currencies import CurrencyNames

ACTOR = "bench"
ASSET = "USDT"
NETWORK = "ethereum"
BALANCE = "1000000"
FIRST_NUMBER = 10_000_000


class BenchAccount(msgspec.Struct, frozen=True):
    """An account that may pay `currency` (BitMart's name) to `address`; the secrets are worth nothing."""

    api_key: str
    api_secret: str
    memo: str
    currency: str
    address: str


def seed_bench(state_dir: Path, accounts: int) -> list[BenchAccount]:
    """Make `accounts` funded accounts with a key and a verified address each, and stop sending.

    The benchmark measures intake: with sending stopped nothing is planned or signed beside it. `penstock sandbox` then
    starts on the same directory.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = sandbox_settings(state_dir, 0, None)
    catalogue = settings.catalogue()
    rules = Rules(catalogue, settings.policy.policy())
    store = SqliteStore(state_dir / DATABASE_NAME, rules, SystemClock(), TimeOrderedIds())
    try:
        run_all(store, [SetControl(ACTOR, SENDING, stopped=True, reason="intake benchmark")])
        created = run_all(
            store, [CreateAccount(ACTOR, str(FIRST_NUMBER + index)) for index in range(accounts)]
        )
        made = [row for row in created if isinstance(row, AccountRow)]
        assert len(made) == accounts, "a fresh directory is needed"
        units = parse_amount(BALANCE, catalogue.scale(ASSET))
        run_all(store, [command for account in made for command in _equipment(account, units)])
    finally:
        store.close()
    currency = CurrencyNames(catalogue).write(ASSET, NETWORK)
    return [BenchAccount(_key(account), _secret(account), ACTOR, currency, EVM_RECEIVER) for account in made]


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
