"""The places to send from, shared out so that a receiver that hangs holds up its own account and not the others."""

from __future__ import annotations

from collections import Counter

from penstock.core.ids import AccountId, WithdrawalId
from penstock.engine.rows import OutboxRow


class Slots:
    """At most `total` events under way, `per_account` of one account, one of each withdrawal.

    An account whose last attempt failed is *ailing*: it gets one slot, and all ailing accounts together half of them,
    so that the others always find some free however many receivers hang. Not for several threads at once.
    """

    def __init__(self, total: int, per_account: int) -> None:
        self._total = total
        self._per_account = per_account
        self._under_way: dict[WithdrawalId, AccountId] = {}
        self._of_account: Counter[AccountId] = Counter()
        self._ailing: set[AccountId] = set()

    @property
    def full(self) -> bool:
        return len(self._under_way) >= self._total

    def under_way(self) -> frozenset[WithdrawalId]:
        return frozenset(self._under_way)

    def closed(self) -> frozenset[AccountId]:
        """Accounts that would get no slot now, even though others may be free."""
        at_bound = {account for account in self._of_account if self._at_bound(account)}
        return frozenset(at_bound | self._ailing if self._ailing_share_is_full() else at_bound)

    def take(self, event: OutboxRow) -> bool:
        """Whether the event may start now; it then holds a slot until `free`."""
        account = event.account_id
        if self.full or event.withdrawal_id in self._under_way or self._at_bound(account):
            return False
        if account in self._ailing and self._ailing_share_is_full():
            return False
        self._under_way[event.withdrawal_id] = account
        self._of_account[account] += 1
        return True

    def free(self, event: OutboxRow, *, well: bool | None) -> None:
        """The event's attempt is over. well: whether the account's receiver took it; None: it was not asked."""
        account = self._under_way.pop(event.withdrawal_id)
        self._of_account[account] -= 1
        if not self._of_account[account]:
            del self._of_account[account]
        if well:
            self._ailing.discard(account)
        elif well is False:
            self._ailing.add(account)

    def _at_bound(self, account: AccountId) -> bool:
        return self._of_account[account] >= (1 if account in self._ailing else self._per_account)

    def _ailing_share_is_full(self) -> bool:
        used = sum(self._of_account[account] for account in self._ailing)
        return used >= self._total // 2
