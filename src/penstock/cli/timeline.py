"""The states of several withdrawals, side by side: a live table on a terminal, one line per change
elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.table import Table

from penstock.cli.inside import Change, Inside
from penstock.cli.watching import FINAL
from penstock.client import Client, Status

STATES = ("held", "planned", "signed", "sent", "mined", "confirmed")


@dataclass(slots=True)
class Followed:
    """One withdrawal on the timeline. venue_id: the id that its venue gave. client: to ask that venue with.

    inside, status: as last seen; lines_told: what `news` has given out.
    """

    title: str
    venue: str
    venue_id: str
    client: Client
    inside: Inside | None = None
    status: Status | None = None
    lines_told: list[str] = field(default_factory=list[str])

    @property
    def is_over(self) -> bool:
        """Final in the ledger, and the venue's API says so too."""
        return self._state in FINAL and self.status is not None and self.status.is_final

    @property
    def is_paid(self) -> bool:
        return self._state == "confirmed" and self.status is Status.DONE

    @property
    def _state(self) -> str:
        return self.inside.withdrawal.state if self.inside else ""


def live_table(followed: Sequence[Followed], needed: Mapping[str, int]) -> Table:
    """needed: confirmations that make a payment final, by network."""
    table = Table(
        title="withdrawals through five venues' APIs, as one ledger sees them", title_justify="left"
    )
    table.add_column("withdrawal", no_wrap=True)
    for state in STATES:
        table.add_column(state, justify="right")
    table.add_column("venue says")
    for withdrawal in followed:
        table.add_row(
            withdrawal.title,
            *(_reached(withdrawal.inside, state, needed) for state in STATES),
            withdrawal.status or "",
        )
    return table


def _reached(inside: Inside | None, state: str, needed: Mapping[str, int]) -> str:
    """When the state was reached, counted from the first; for mined the confirmations too."""
    if inside is None or not inside.history:
        return ""
    began_ms = inside.history[0].at_ms
    reached = [change for change in inside.history if change.state_after == state]
    if not reached:
        return ""
    text = seconds(reached[-1].at_ms - began_ms)
    return f"{text} {confirmations(inside, needed)}" if state == "mined" else text


def confirmations(inside: Inside, needed: Mapping[str, int]) -> str:
    """Such as "3/12", or "3" where nobody says how many it takes."""
    told = inside.withdrawal
    total = told.confirmations_needed or needed.get(told.network, 0)
    return f"{min(told.confirmations, total)}/{total}" if total else str(told.confirmations)


def seconds(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000 // 10:02d}s"


def news(withdrawal: Followed, needed: Mapping[str, int]) -> list[str]:
    """What is to be told of it that was not told before, one line each."""
    inside = withdrawal.inside
    if inside is None:
        return []
    began_ms = inside.history[0].at_ms if inside.history else 0
    lines = [_line(withdrawal.title, change, began_ms) for change in inside.history]
    if inside.withdrawal.state == "mined":
        lines.append(
            f"{withdrawal.title}  {'':8}  {'mined':10}  {confirmations(inside, needed)} confirmations"
        )
    if withdrawal.is_over:
        lines.append(f"{withdrawal.title}  {'':8}  {'venue says':10}  {withdrawal.status}")
    fresh = [line for line in lines if line not in withdrawal.lines_told]
    withdrawal.lines_told.extend(fresh)
    return fresh


def _line(title: str, change: Change, began_ms: int) -> str:
    at = f"+{seconds(change.at_ms - began_ms)}"
    return f"{title}  {at:>8}  {change.state_after:10}  {change.detail}".rstrip()
