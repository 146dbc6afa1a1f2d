"""An AlphaPo merchant of a running sandbox: an account with a key and money, and what it asks."""

from __future__ import annotations

import contextlib
import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

from tests.acceptance.alphapo_requests import ACCOUNTS, INFO, WITHDRAWAL, KeyPair
from tests.acceptance.customers import Customer, open_account
from tests.acceptance.raw_http import Answer, Connection, ask
from tests.acceptance.sandbox_process import Sandbox

Refused = Callable[[bytes], Answer]
EVM = "0x8304eC68CeB2aE737dAE5b73FA67F0ccB84865C3"
SPOT = {"BTC": "2", "ETH": "5", "USDT": "5000", "XRP": "500", "TRX": "500", "BNB": "5", "EUR": "2000"}
HOME = {
    "BTC": "bitcoin",
    "ETH": "ethereum",
    "USDT": "tron",
    "XRP": "ripple",
    "TRX": "tron",
    "BNB": "bsc",
    "USDC": "ethereum",
}
_FOREIGN = itertools.count(1)


@dataclass(frozen=True)
class Merchant:
    """customer: the account. Each request goes over a connection of its own."""

    customer: Customer
    keys: KeyPair

    @property
    def sandbox(self) -> Sandbox:
        return self.customer.sandbox

    def with_key(self, **fields: object) -> Merchant:
        """The same merchant with a further key."""
        return replace(self, keys=KeyPair(*self.customer.key("alphapo", **fields)))

    def credit(self, asset: str, amount: str) -> None:
        """Fiat comes over no network."""
        body = {"asset": asset, "amount": amount, "wallet": "spot", "reference": secrets.token_hex(8)}
        if asset in HOME:
            body["network"] = HOME[asset]
        self.sandbox.admin("POST", f"/accounts/{self.customer.account_id}/deposits", body)

    # ---- requests ----

    def send(self, raw: bytes, source: str = "127.0.0.1") -> Answer:
        with closing(Connection(self.sandbox.port, source)) as connection:
            return connection.exchange(raw)

    def post(self, path: str, members: object = None, source: str = "127.0.0.1") -> Answer:
        """members None: no body at all."""
        return self.send(self.keys.request(path, as_body(members)), source)

    def withdrawal(self, **changes: object) -> bytes:
        """A withdrawal that would be taken; a change to None leaves the member out."""
        return self.keys.request(WITHDRAWAL, as_body(members_of(changes)))

    def withdraw(self, **changes: object) -> dict[str, Any]:
        """Taken in; what the create says of it."""
        made: dict[str, Any] = data(self.send(self.withdrawal(**changes)), 201)
        return made

    def info_request(self, members: object = None, **query: str) -> bytes:
        target = INFO + ("?" + urlencode(query) if query else "")
        return self.keys.request(target, as_body(members), "GET")

    def info(self, **named: object) -> dict[str, Any]:
        """The transaction by a body on GET; it must be there."""
        answer = self.send(self.info_request(named))
        assert answer.status == 200, answer.body
        found: dict[str, Any] = json.loads(answer.body)
        return found

    # ---- what there is ----

    def balances(self) -> dict[str, Fraction]:
        """By currency code, as the venue tells them."""
        rows = data(self.post(ACCOUNTS))
        return {row["currency"]: Fraction(row["balance"]) for row in rows}

    def units(self) -> dict[str, tuple[int, int]]:
        """(available, held) of every asset in the ledger."""
        return {asset: self.customer.units(asset, "spot") for asset in SPOT}

    def states(self) -> list[str]:
        return [state for _, state in self.customer.withdrawals()]


def new_merchant(sandbox: Sandbox, **holdings: str) -> Merchant:
    """holdings: by asset; without any, some of everything."""
    customer = open_account(sandbox)
    merchant = Merchant(customer, KeyPair(*customer.key("alphapo")))
    for asset, amount in (holdings or SPOT).items():
        merchant.credit(asset, amount)
    return merchant


def new_foreign_id() -> str:
    return f"wd-{next(_FOREIGN)}-{secrets.token_hex(4)}"


def members_of(changes: dict[str, object]) -> dict[str, object]:
    members: dict[str, object] = {
        "currency": "USDTE",
        "amount": "25",
        "address": EVM,
        "foreign_id": new_foreign_id(),
        "end_user_reference": "user-42",
    } | changes
    return {name: value for name, value in members.items() if value is not None}


def as_body(members: object) -> bytes:
    if members is None:
        return b""
    return members if isinstance(members, bytes) else json.dumps(members).encode()


def data(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, (answer.status, answer.body)
    found = json.loads(answer.body)
    assert list(found) == ["data"], found
    return found["data"]


def faults(answer: Answer) -> dict[str, str]:
    """What was wrong with the request: one sentence a field."""
    found = json.loads(answer.body)
    assert (answer.status, list(found)) == (400, ["errors"]), (answer.status, found)
    assert all(isinstance(sentence, str) for sentence in found["errors"].values())
    return dict(found["errors"])


def turned_away(answer: Answer) -> tuple[int, str, str]:
    """(HTTP status, code, text) where the caller or the form of the request was wrong."""
    found = json.loads(answer.body)
    assert list(found) == ["error", "code"], found
    return answer.status, found["code"], found["error"]


@contextlib.contextmanager
def refusing(merchant: Merchant, seconds: list[float]) -> Iterator[Refused]:
    """What sends requests that must be refused: nothing may be stored for them, and connections stay sane.

    seconds: gets the time that each took to be answered.
    """
    before, funds = merchant.sandbox.stored(), merchant.units()

    def send(raw: bytes) -> Answer:
        answer = ask(merchant.sandbox, raw)
        seconds.append(answer.seconds)
        assert 400 <= answer.status < 500, answer.body
        return answer

    yield send
    assert (merchant.sandbox.stored(), merchant.units()) == (before, funds)
