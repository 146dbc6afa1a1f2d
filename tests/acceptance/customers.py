"""Customers of a running sandbox, each an account of its own: what one does uses up nobody else's rate limits."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from tests.acceptance.sandbox_process import Sandbox

_NUMBERS = itertools.count(810_000_001)


@dataclass(frozen=True)
class Customer:
    """An account that its operator opened; number: its public one."""

    sandbox: Sandbox
    account_id: int
    number: str

    def key(self, venue: str, *, frozen: bool = False, **fields: object) -> tuple[str, str]:
        """A new key that may do everything unless told otherwise; returns (key id, secret)."""
        made = self.sandbox.new_key(venue=venue, account_id=self.account_id, frozen=frozen, **fields)
        return made["api_key"], made["api_secret"]

    def credit(self, asset: str, amount: str, *, wallet: str, network: str = "ethereum") -> None:
        body = {
            "asset": asset,
            "network": network,
            "amount": amount,
            "wallet": wallet,
            "reference": f"test-{secrets.token_hex(8)}",
        }
        self.sandbox.admin("POST", f"/accounts/{self.account_id}/deposits", body)

    def list_address(self, address: str, **fields: object) -> str:
        """Put an address, by default one for USDT on Ethereum, into the book; returns the entry's id."""
        body = {"kind": "standard", "asset": "USDT", "network": "ethereum", "verified": True, **fields}
        made = self.sandbox.admin(
            "POST", f"/accounts/{self.account_id}/addresses", body | {"address": address}
        )
        return str(made["entry_id"])

    def list_recipient(self, kind: str, value: str) -> None:
        """Put another account into the book. kind: account_number, email or phone."""
        body = {"kind": "recipient", "address": value, "memo": kind, "verified": True}
        self.sandbox.admin("POST", f"/accounts/{self.account_id}/addresses", body)

    def freeze(self) -> None:
        self.sandbox.admin("POST", f"/accounts/{self.account_id}/freeze", {})

    def units(self, asset: str, wallet: str) -> tuple[int, int]:
        """(available, held) as the ledger has them, in the asset's smallest units."""
        sql = "SELECT available, held FROM balances WHERE account_id = ? AND asset = ? AND wallet = ?"
        found = self.sandbox.rows(sql, self.account_id, asset, wallet)
        return (int(found[0][0]), int(found[0][1])) if found else (0, 0)

    def withdrawals(self) -> list[tuple[int, str]]:
        """(id, state) of each, oldest first."""
        sql = "SELECT withdrawal_id, state FROM withdrawals WHERE account_id = ? ORDER BY withdrawal_id"
        return [(int(number), str(state)) for number, state in self.sandbox.rows(sql, self.account_id)]


def open_account(sandbox: Sandbox, number: str | None = None, **fields: object) -> Customer:
    """A customer without money, keys or addresses. number: one that nobody has; by default a new one."""
    own = str(next(_NUMBERS)) if number is None else number
    made = sandbox.admin("POST", "/accounts", {"account_number": own, **fields})
    return Customer(sandbox, int(made["account_id"]), own)


def new_evm_address() -> str:
    """Nobody's, in lower case, which needs no checksum."""
    return "0x" + secrets.token_hex(20)


@contextlib.contextmanager
def nothing_taken_in(sandbox: Sandbox) -> Iterator[None]:
    """No row that only withdrawals add to may be added inside; accounts, keys and deposits may."""

    def rows() -> dict[str, int]:
        stored = sandbox.stored()
        return {table: stored[table] for table in ("withdrawals", "requests", "history", "attempts")}

    before = rows()
    yield
    assert rows() == before
