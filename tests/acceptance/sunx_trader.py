"""A SunX customer of a running sandbox: an account with a key, a wallet of its own, and USDT."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from tests.acceptance.customers import Customer, open_account
from tests.acceptance.raw_http import Answer, Connection, ask
from tests.acceptance.sandbox_process import Sandbox
from tests.acceptance.sunx_requests import (
    APPLY,
    BALANCE,
    CONFIRM,
    RECORDS,
    ApiKey,
    Call,
    Wallet,
    get,
    post,
)

FEE_UNITS = 1_000_000
"""What the sandbox charges for USDT on TRON."""
ERROR_MEMBERS = ["status", "error-code", "error-msg", "err-code", "err-msg", "data", "ts"]
Verdict = tuple[int, str, str]
Refused = Callable[["Call | bytes"], Answer]


@dataclass(frozen=True)
class Trader:
    """customer: the account. Each call is made on a connection of its own, `host` in its Host header."""

    customer: Customer
    key: ApiKey
    wallet: Wallet

    @property
    def sandbox(self) -> Sandbox:
        return self.customer.sandbox

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.sandbox.port}"

    def with_key(self, **fields: object) -> Trader:
        """The same customer with a further key."""
        access_key, secret = self.customer.key("sunx", **fields)
        return replace(self, key=ApiKey(access_key, secret))

    # ---- calls, not sent yet ----

    def apply_call(self, **changes: object) -> Call:
        """An apply that would be answered with a quote; a change to None leaves the member out."""
        members: dict[str, object] = {
            "address": self.wallet.address,
            "currency": "usdt",
            "chain": "trc20usdt",
            "amount": "8.799999",
            "fee": "0",
        }
        kept = {name: value for name, value in (members | changes).items() if value is not None}
        return post(APPLY, self.key, self.host, kept)

    def body_call(self, body: bytes) -> Call:
        return post(APPLY, self.key, self.host, body)

    def confirm_call(self, nonce: object, signature: object) -> Call:
        return post(CONFIRM, self.key, self.host, {"nonce": nonce, "signature": signature})

    def records_call(self, **parameters: str) -> Call:
        return get(RECORDS, self.key, self.host, **({"type": "withdraw"} | parameters))

    def balance_call(self) -> Call:
        return get(BALANCE, self.key, self.host)

    # ---- calls made ----

    def send(self, call: Call | bytes, source: str = "127.0.0.1") -> Answer:
        raw = call if isinstance(call, bytes) else call.signed(self.key)
        with closing(Connection(self.sandbox.port, source)) as connection:
            return connection.exchange(raw)

    def quote(self, **changes: object) -> dict[str, Any]:
        """nonce, content and expired-at."""
        return data(self.send(self.apply_call(**changes)))

    def confirmed(self, quote: dict[str, Any], signature: str = "") -> dict[str, Any]:
        """order-id and status."""
        signed = signature or self.wallet.by_hand(quote["content"])
        return data(self.send(self.confirm_call(quote["nonce"], signed)))

    def records(self, **parameters: str) -> list[dict[str, Any]]:
        """Withdrawals, unless asked for deposits."""
        rows: list[dict[str, Any]] = data(self.send(self.records_call(**parameters)))
        return rows

    def units(self) -> tuple[int, int]:
        """(available, held) in the ledger."""
        return self.customer.units("USDT", "spot")


def new_trader(
    sandbox: Sandbox, usdt: str = "1000", wallet: Wallet | None = None, **account: object
) -> Trader:
    """account: further fields of the account, as the admin API has them."""
    customer = open_account(sandbox, **account)
    own = wallet or Wallet(secrets.token_hex(32))
    customer.list_address(own.address, network="tron")
    if usdt != "0":
        customer.credit("USDT", usdt, wallet="spot", network="tron")
    access_key, secret = customer.key("sunx")
    return Trader(customer, ApiKey(access_key, secret), own)


def stored(sandbox: Sandbox) -> dict[str, int]:
    """Rows that tell of withdrawals and money. History apart: a quote grows old by itself."""
    return {table: count for table, count in sandbox.stored().items() if table != "history"}


@contextlib.contextmanager
def refusing(trader: Trader, seconds: list[float]) -> Iterator[Refused]:
    """What sends requests that must be refused: nothing may be stored for them, and connections stay sane.

    seconds: gets the time that each took to be answered.
    """
    before, funds = stored(trader.sandbox), trader.units()

    def send(call: Call | bytes) -> Answer:
        answer = ask(trader.sandbox, call if isinstance(call, bytes) else call.signed(trader.key))
        seconds.append(answer.seconds)
        assert answer.status < 500
        return answer

    yield send
    assert (stored(trader.sandbox), trader.units()) == (before, funds)


def told(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)
    return found


def data(answer: Answer) -> Any:
    """What the wallet group says on success: nothing but these two members, which clients rely on."""
    found = told(answer)
    assert (answer.status, list(found), found["status"]) == (200, ["status", "data"], "ok"), found
    return found["data"]


def verdict(answer: Answer) -> Verdict:
    """(HTTP status, code, text) of a refusal, which says all of it twice, for two kinds of clients."""
    found = told(answer)
    assert list(found) == ERROR_MEMBERS, found
    assert (found["status"], found["data"], type(found["ts"])) == ("error", None, int)
    assert (found["err-code"], found["err-msg"]) == (found["error-code"], found["error-msg"])
    return answer.status, found["error-code"], found["error-msg"]


def code(answer: Answer) -> str:
    """The error's code alone, where the HTTP status is 200, as it is for all that this venue refuses."""
    status, found, _ = verdict(answer)
    assert status == 200, (status, found)
    return found
