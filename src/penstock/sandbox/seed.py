"""Seed data: accounts, keys, money and address books, put in through the same commands an operator uses.

Everything is idempotent: started again on the same state directory the sandbox goes on where it was, and a start that
was killed half-way is completed by the next one.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from penstock.core.acts import (
    AddBookEntry,
    CreateAccount,
    CreateKey,
    CreditDeposit,
    RecordOpening,
    SetDepositAddress,
)
from penstock.core.amounts import Units, parse_amount
from penstock.core.catalogue import Catalogue
from penstock.core.commands import Command
from penstock.core.ids import AccountId
from penstock.core.refusals import RefusalCode, Refused
from penstock.engine.rows import AccountRow
from penstock.sandbox.destinations import DEPOSIT_ADDRESSES
from penstock.store.store import Store
from penstock.venues.sandbox_account import Recipient, SandboxAccount

ACTOR = "sandbox"
RECIPIENT = Recipient("876940330", "friend@sandbox.example", "+61 412345678")
GAS_FLOAT = "500"
"""Of each network's native coin: what the sandbox's hot wallets may spend on network fees."""

HOLDINGS = {
    "BTC": "50",
    "ETH": "100",
    "USDT": "1000000",
    "USDC": "250000",
    "BNB": "100",
    "TRX": "500000",
    "SOL": "5000",
    "XRP": "100000",
}
"""What each customer's spot wallet starts with; the fund wallet has a tenth of it."""


class SandboxSecrets(msgspec.Struct, frozen=True):
    """What the first start draws and later starts keep; written before anything is seeded with it.

    seed: hex; every credential of the seeded accounts follows from it.
    """

    seed: str
    admin_token: str

    def draw(self, label: str) -> bytes:
        """32 bytes for a label, random but always the same here."""
        return hmac.digest(bytes.fromhex(self.seed), label.encode(), "sha256")

    def __repr__(self) -> str:
        return "SandboxSecrets(***)"


def sandbox_secrets(folder: Path) -> SandboxSecrets:
    """Read them, or draw and store them (mode 0600)."""
    path = folder / "secrets.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=SandboxSecrets)
    drawn = SandboxSecrets(seed=secrets.token_hex(32), admin_token=secrets.token_hex(24))
    write_private(path, msgspec.json.encode(drawn))
    return drawn


def write_private(path: Path, content: bytes) -> None:
    """Write a whole file or none of it, readable by its owner only."""
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_bytes(content)
    partial.rename(path)


def seed_sandbox(store: Store, catalogue: Catalogue, accounts: Mapping[str, SandboxAccount]) -> None:
    """Bring the accounts into being, by the name of their venue, and the one that internal transfers go to."""
    _account(store, CreateAccount(ACTOR, RECIPIENT.number, email=RECIPIENT.email, phone=RECIPIENT.phone))
    commands: list[Command] = []
    for network in catalogue.networks.values():
        float_units = parse_amount(GAS_FLOAT, catalogue.scale(network.native))
        commands.append(
            RecordOpening(ACTOR, network.native, network.code, float_units, f"opening/{network.code}")
        )
    for venue, account in accounts.items():
        commands += _customer(store, catalogue, venue, account)
    run_all(store, commands)


def _customer(store: Store, catalogue: Catalogue, venue: str, account: SandboxAccount) -> list[Command]:
    opened = CreateAccount(ACTOR, account.number, email=account.email, phone=account.phone)
    account_id = _account(store, opened)
    commands = key_and_book(ACTOR, account_id, venue, account)
    for network in catalogue.networks:
        address, memo = DEPOSIT_ADDRESSES[network]
        commands.append(SetDepositAddress(ACTOR, account_id, network, address, memo))
    for asset, amount in {**HOLDINGS, **account.extra_holdings}.items():
        commands += _deposits(catalogue, account_id, asset, amount)
    return commands


def key_and_book(actor: str, account_id: AccountId, venue: str, account: SandboxAccount) -> list[Command]:
    """What gives an account that was opened the venue's key and address book."""
    permissions = ("read", "withdraw")
    key = CreateKey(actor, account_id, venue, account.key_id, account.secret, account.passphrase, permissions)
    book = [
        AddBookEntry(
            actor,
            account_id,
            entry.kind,
            entry.asset,
            entry.network,
            entry.address,
            entry.memo,
            entry.remark,
            entry.verified,
        )
        for entry in account.book
    ]
    return [key, *book]


def _deposits(catalogue: Catalogue, account_id: AccountId, asset: str, amount: str) -> list[Command]:
    """A deposit in each wallet, said to have come over the first network that lists the asset, if one does."""
    network = next((code for (listed, code) in catalogue.listings if listed == asset), "")
    units = parse_amount(amount, catalogue.scale(asset))
    return [
        CreditDeposit(
            ACTOR, account_id, wallet, asset, network, Units(share), f"seed/{account_id}/{asset}/{wallet}"
        )
        for wallet, share in (("spot", units), ("fund", units // 10))
    ]


def _account(store: Store, command: CreateAccount) -> AccountId:
    try:
        made = store.submit(command).result()
    except Refused as refused:
        if refused.code is not RefusalCode.ALREADY_EXISTS:
            raise
        rows = store.reader().rows(AccountRow)
        return next(row.account_id for row in rows if row.account_number == command.account_number)
    assert isinstance(made, AccountRow)
    return made.account_id


def run_all(store: Store, commands: list[Command]) -> list[object]:
    """Run commands in as few commits as the writer needs; what exists already is left as it is."""
    answers: list[object] = []
    step = 1_000
    for start in range(0, len(commands), step):
        futures = [store.submit(command) for command in commands[start : start + step]]
        for future in futures:
            error = future.exception()
            if error is not None and not (
                isinstance(error, Refused) and error.code is RefusalCode.ALREADY_EXISTS
            ):
                raise error
            answers.append(None if error else future.result())
    return answers
