"""What the rules are told at start, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.core.catalogue import Catalogue
from penstock.core.ids import Ids
from penstock.core.time import UnixMs
from penstock.engine.row import Row

HOUSE_ACCOUNT = 0
"""The account whose balances are our own: the gas float of each network, in the wallet "gas/<network>"."""

TRANSFER_REFERENCE = "transfer/"
"""What the reference of a deposit begins with that a transfer made; no deposit from outside may use it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's choices. daily_quota_sat: per account and UTC day, None for no quota.

    deposit_wallet: where deposits and incoming transfers arrive. wallets: those an account has.
    approval_from_usd: withdrawals worth this much (at core/catalogue.py PRICE_SCALE) or more wait for approval, and
    those of assets without a price; None: none does. rate_age_max_ms: an older rate converts nothing.
    """

    daily_quota_sat: int | None = None
    approval_from_usd: int | None = None
    rate_age_max_ms: int = 60_000
    deposit_wallet: str = "spot"
    wallets: tuple[str, ...] = ("spot", "fund")


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything a decision may lean on beside the snapshot and the command."""

    catalogue: Catalogue
    policy: Policy


@dataclass(slots=True)
class Decision:
    """What to write, in this order, and what to answer. Both take effect together or not at all."""

    writes: list[Row]
    answer: object


@dataclass(frozen=True, slots=True)
class Moment:
    """When a decision is taken, and where its new ids come from: the only outside things a rule may use."""

    now_ms: UnixMs
    ids: Ids

    def new_id(self) -> int:
        return self.ids.next(self.now_ms)
