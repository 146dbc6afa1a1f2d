"""Following one withdrawal to its end: a progress bar of confirmations on a terminal, one line per change
elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

from penstock.cli.inside import AdminApi, Inside
from penstock.cli.terminal import Exit, Failure, is_terminal
from penstock.client import Client, PenstockClientError, Status, Withdrawal

LOOK_EVERY_S = 0.5
WATCH_S_MAX = 24 * 3600
LOOK_FAILURES_MAX = 60
"""In a row; the client has repeated each look by itself already."""

FINAL = frozenset({"confirmed", "rejected", "cancelled", "expired", "failed"})
_STAGES = {Status.ACCEPTED: 0, Status.PROCESSING: 1}


@dataclass(frozen=True, slots=True)
class Sight:
    """What can be seen of a withdrawal now.

    done, total: confirmations, or stages where nobody tells confirmations. paid is meaningful when final.
    """

    state: str
    done: int
    total: int
    unit: str
    tx_id: str
    final: bool
    paid: bool

    def __str__(self) -> str:
        progress = f" {self.done}/{self.total} {self.unit}" if self.unit == "confirmations" else ""
        return f"{self.state}{progress}" + (f"  {self.tx_id}" if self.tx_id else "")


_NOTHING = Sight("unseen", 0, 1, "", "", final=False, paid=False)


def seen_from_outside(withdrawal: Withdrawal) -> Sight:
    """A venue tells a status only."""
    stage = _STAGES.get(withdrawal.status, 2)
    return Sight(
        withdrawal.status,
        stage,
        2,
        "stages",
        withdrawal.tx_id,
        withdrawal.status.is_final,
        withdrawal.status is Status.DONE,
    )


def seen_from_inside(inside: Inside, needed: Mapping[str, int]) -> Sight:
    """A Penstock tells confirmations too. needed: how many make a payment final, by network, as far as
    known.
    """
    told = inside.withdrawal
    # Where nobody says how many it takes, those that are there. A worker that looks late sees more than that.
    total = told.confirmations_needed or needed.get(told.network, 0) or max(told.confirmations, 1)
    return Sight(
        told.state,
        min(told.confirmations, total),
        total,
        "confirmations",
        told.tx_hash,
        told.state in FINAL,
        told.state == "confirmed",
    )


def looker(
    client: Client, withdrawal_id: str, admin: AdminApi | None, needed: Mapping[str, int]
) -> Callable[[], Sight]:
    """The best view there is of this withdrawal. A Penstock knows only ids that are its own, and some venues
    give small numbers instead.
    """

    def look() -> Sight:
        inside = admin.find(withdrawal_id) if admin else None
        return (
            seen_from_inside(inside, needed)
            if inside
            else seen_from_outside(client.withdrawal(withdrawal_id))
        )

    return look


def watch(
    withdrawal_id: str,
    look: Callable[[], Sight],
    *,
    venue: str,
    pause: Callable[[], None] = lambda: time.sleep(LOOK_EVERY_S),
) -> int:
    """Look until it is final. Returns OK when it was paid, FAILED when it ended otherwise.

    Raises Failure with UNKNOWN when the watch ends before the withdrawal does: stopped by hand, after a
    day, or when nothing could be seen for long. The withdrawal goes on all the same.
    """
    follow = _bar if is_terminal() else _lines
    again = f"penstock withdrawals show {withdrawal_id} --venue {venue} --watch"
    try:
        last = follow(withdrawal_id, _patiently(look, pause))
    except KeyboardInterrupt:
        raise Failure("stopped watching; the withdrawal goes on", again, code=Exit.UNKNOWN) from None
    except (Failure, PenstockClientError) as error:
        what = f"withdrawal {withdrawal_id} cannot be seen any more ({error}); it goes on"
        raise Failure(what, again, code=Exit.UNKNOWN) from None
    if not last.final:
        raise Failure(f"withdrawal {withdrawal_id} is still {last.state}", again, code=Exit.UNKNOWN)
    return Exit.OK if last.paid else Exit.FAILED


def _patiently(look: Callable[[], Sight], pause: Callable[[], None]) -> Generator[Sight]:
    """Every sight up to the final one, a day's worth at the most; passes over failures, but not too many in
    a row.
    """
    ends_s = time.monotonic() + WATCH_S_MAX
    failures = 0
    while True:
        try:
            sight = look()
        except (Failure, PenstockClientError):
            failures += 1
            if failures == LOOK_FAILURES_MAX:
                raise
        else:
            failures = 0
            yield sight
            if sight.final or time.monotonic() > ends_s:
                return
        pause()


def _lines(withdrawal_id: str, sights: Generator[Sight]) -> Sight:
    told = ""
    sight = _NOTHING
    for sight in sights:
        if str(sight) != told:
            told = str(sight)
            print(f"{withdrawal_id}  {told}", flush=True)
    return sight


def _bar(withdrawal_id: str, sights: Generator[Sight]) -> Sight:
    # Slow to import, and needed on a terminal only.
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[unit]}"),
        TimeElapsedColumn(),
    )
    sight = _NOTHING
    with Progress(*columns) as progress:
        task = progress.add_task(withdrawal_id, total=1, unit="")
        for sight in sights:
            progress.update(
                task,
                description=f"{withdrawal_id} {sight.state}",
                completed=sight.total if sight.paid else sight.done,
                total=sight.total,
                unit=sight.unit,
            )
        progress.console.print(f"{withdrawal_id} {sight.state} {sight.tx_id}".rstrip(), soft_wrap=True)
    return sight
