"""Seed data: accounts, keys, money and address books, put in through the same commands an operator uses.

Everything is idempotent: started again on the same state directory the sandbox goes on where it was, and a start that
was killed half-way is completed by the next one.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from penstock.core.amounts import Units, parse_amount
from penstock.core.catalogue import Catalogue
from penstock.core.commands import (
    AddBookEntry,
    AddressKind,
    Command,
    CreateAccount,
    CreateKey,
    CreditDeposit,
    RecordOpening,
    SetDepositAddress,
)
from penstock.core.ids import AccountId
from penstock.core.refusals import RefusalCode, Refused
from penstock.engine.rows import AccountRow
from penstock.sandbox.destinations import DEPOSIT_ADDRESSES, DESTINATIONS
from penstock.store.store import Store

ACTOR = "sandbox"
CUSTOMER_NUMBER = "876940329"
RECIPIENT_NUMBER = "876940330"
RECIPIENT_EMAIL = "friend@sandbox.example"
RECIPIENT_PHONE = "+61 412345678"
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
"""What the customer's spot wallet starts with; the fund wallet has a tenth of it."""


class SandboxSecrets(msgspec.Struct, frozen=True):
    """What the first start draws and later starts keep; written before anything is seeded with it."""

    api_key: str
    api_secret: str
    memo: str
    admin_token: str

    def __repr__(self) -> str:
        return f"SandboxSecrets(api_key={self.api_key!r}, ***)"


def sandbox_secrets(folder: Path) -> SandboxSecrets:
    """Read them, or draw and store them (mode 0600)."""
    path = folder / "secrets.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=SandboxSecrets)
    drawn = SandboxSecrets(
        api_key=secrets.token_hex(20),
        api_secret=secrets.token_hex(32),
        memo="sandbox",
        admin_token=secrets.token_hex(24),
    )
    write_private(path, msgspec.json.encode(drawn))
    return drawn


def write_private(path: Path, content: bytes) -> None:
    """Write a whole file or none of it, readable by its owner only."""
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_bytes(content)
    partial.rename(path)


def seed_sandbox(store: Store, catalogue: Catalogue, drawn: SandboxSecrets) -> AccountId:
    """Bring the seeded accounts into being. Returns the customer's account id."""
    customer = _account(store, CreateAccount(ACTOR, CUSTOMER_NUMBER, email="customer@sandbox.example"))
    recipient = CreateAccount(ACTOR, RECIPIENT_NUMBER, email=RECIPIENT_EMAIL, phone=RECIPIENT_PHONE)
    _account(store, recipient)
    permissions = ("read", "withdraw")
    commands: list[Command] = [
        CreateKey(ACTOR, customer, "bitmart", drawn.api_key, drawn.api_secret, drawn.memo, permissions)
    ]
    for network in catalogue.networks.values():
        float_units = parse_amount(GAS_FLOAT, catalogue.scale(network.native))
        commands.append(
            RecordOpening(ACTOR, network.native, network.code, float_units, f"opening/{network.code}")
        )
        address, memo = DEPOSIT_ADDRESSES[network.code]
        commands.append(SetDepositAddress(ACTOR, customer, network.code, address, memo))
    commands += _deposits(catalogue, customer)
    commands += [
        AddBookEntry(
            ACTOR,
            customer,
            AddressKind.STANDARD,
            entry.asset,
            entry.network,
            entry.address,
            entry.memo,
            entry.remark,
            entry.verified,
        )
        for entry in DESTINATIONS
    ]
    run_all(store, commands)
    return customer


def _deposits(catalogue: Catalogue, customer: AccountId) -> list[Command]:
    """One deposit an asset and wallet, said to have come over the first network that lists the asset."""
    commands: list[Command] = []
    for asset, amount in HOLDINGS.items():
        network = next(code for (listed, code) in catalogue.listings if listed == asset)
        units = parse_amount(amount, catalogue.scale(asset))
        for wallet, share in (("spot", units), ("fund", units // 10)):
            reference = f"seed/{customer}/{asset}/{wallet}"
            commands.append(CreditDeposit(ACTOR, customer, wallet, asset, network, Units(share), reference))
    return commands


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
