"""One withdrawal as its Penstock knows it: every state it went through, every transaction made for it.

A venue's API shows neither. They come from the admin API, with the token of a `sandbox.json`, or straight
from the operator's database.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import httpx2
import msgspec

from penstock.cli.terminal import Failure, database_told, usage
from penstock.core.ids import WithdrawalId

TIMEOUT_S = 10
ID_DIGITS_MAX = 19


class Told(msgspec.Struct, frozen=True):
    """A withdrawal, as far as it is shown here; confirmations_needed 0 where the source does not say.

    amount, fee: decimal text from the admin API, the ledger's smallest units as a number from a database.
    """

    withdrawal_id: int | str
    state: str
    asset: str = ""
    network: str = ""
    amount: str | int = ""
    fee: str | int = ""
    address: str = ""
    memo: str = ""
    recipient: str = ""
    reason: str = ""
    tx_hash: str = ""
    confirmations: int = 0
    confirmations_needed: int = 0


class Listed(msgspec.Struct, frozen=True):
    """A withdrawal in the operator's list. number: the id that some venues show in place of withdrawal_id, or 0."""

    withdrawal_id: str
    venue: str
    number: int


class _Listing(msgspec.Struct, frozen=True):
    withdrawals: list[Listed]


class Change(msgspec.Struct, frozen=True):
    """One change of state; at_ms: Unix milliseconds."""

    sequence: int
    state_before: str
    state_after: str
    detail: str
    at_ms: int


class Attempt(msgspec.Struct, frozen=True):
    """One transaction made for the withdrawal."""

    attempt_id: int | str
    network: str
    sender: str
    nonce: int
    state: str
    tx_hash: str
    created_ms: int


class Inside(msgspec.Struct, frozen=True):
    """The whole of it, oldest change first."""

    withdrawal: Told
    history: list[Change]
    attempts: list[Attempt]


@dataclass(frozen=True, slots=True)
class AdminApi:
    """The admin API of a Penstock."""

    http: httpx2.Client

    def withdrawal(self, withdrawal_id: str) -> Inside:
        """Raises Failure when it is not there, or the API does not answer."""
        found = self.find(withdrawal_id)
        if found is None:
            raise Failure(f"there is no withdrawal {withdrawal_id}", "penstock withdrawals list")
        return found

    def find(self, withdrawal_id: str) -> Inside | None:
        """None when it is not there. Raises Failure when the API does not answer."""
        try:
            reply = self.http.get(f"/admin/v1/withdrawals/{quote(withdrawal_id, safe='')}")
        except httpx2.HTTPError as error:
            raise Failure(
                f"the admin API does not answer: {type(error).__name__}", "check that the service is up"
            ) from None
        if reply.status_code == HTTPStatus.NOT_FOUND:
            return None
        if reply.status_code != HTTPStatus.OK:
            raise Failure(f"the admin API answered HTTP {reply.status_code}", "check the admin token")
        try:
            return msgspec.json.decode(reply.content, type=Inside)
        except msgspec.MsgspecError as error:
            raise Failure(f"the admin API's answer cannot be read: {error}") from None

    def ids_by_venue(self) -> dict[tuple[str, str], str]:
        """(venue, the id that it shows) to our id, for the newest withdrawals. Raises Failure.

        Where accounts of one venue have the same numbers, the newest is meant: for a sandbox with one account each.
        """
        try:
            reply = self.http.get("/admin/v1/withdrawals")
            listed = msgspec.json.decode(reply.content, type=_Listing).withdrawals
        except (httpx2.HTTPError, msgspec.MsgspecError) as error:
            raise Failure(f"the admin API does not list withdrawals: {type(error).__name__}") from None
        found: dict[tuple[str, str], str] = {}
        for withdrawal in listed:
            shown = str(withdrawal.number) if withdrawal.number else withdrawal.withdrawal_id
            found.setdefault((withdrawal.venue, shown), withdrawal.withdrawal_id)
        return found


@contextmanager
def admin_api(base_url: str, token: str) -> Generator[AdminApi | None]:
    """The admin API, closed at the end; None without a token."""
    if not token:
        yield None
        return
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=base_url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as http:
        yield AdminApi(http)


def from_database(target: Path | str, withdrawal_id: str) -> Inside:
    """Read the operator's own database: a state directory, or "sqlite:PATH". Raises Failure."""
    if not (withdrawal_id.isascii() and withdrawal_id.isdecimal() and len(withdrawal_id) <= ID_DIGITS_MAX):
        usage(f"a withdrawal's id is a number, not {withdrawal_id[:64]!r}")
    key = WithdrawalId(int(withdrawal_id))
    from penstock.store.ledger import open_ledger  # noqa: PLC0415  other commands do without

    with database_told(), open_ledger(target) as reader:
        withdrawal = reader.withdrawal(key)
        if withdrawal is None:
            raise Failure(f"there is no withdrawal {withdrawal_id} in {target}", "check the id and the place")
        views = {"withdrawal": withdrawal, "history": reader.history(key), "attempts": reader.attempts(key)}
        return msgspec.convert(msgspec.to_builtins(views), Inside)
