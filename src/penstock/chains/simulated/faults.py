"""What goes wrong on a simulated chain: by chance from its seed, or as planned by a script."""

from __future__ import annotations

import msgspec

from penstock.chains.simulated.transaction import double_sha256

_PERMILLE = 1_000


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Chances in parts per thousand, rolled from the seed, so that the same run meets the same faults.

    Per new transaction: silent (not taken, no answer), lose_answer (taken, no answer), drop (answered, then
    forgotten), lie (taken, another hash answered), stick (never mined until replaced), fail (mined, not
    paid). Per block with transactions at risk: reorg, of 1 to reorg_depth_max blocks; every second one
    loses them.
    """

    silent: int = 0
    lose_answer: int = 0
    drop: int = 0
    lie: int = 0
    stick: int = 0
    fail: int = 0
    reorg: int = 0
    reorg_depth_max: int = 3

    def __post_init__(self) -> None:
        chances = (self.silent, self.lose_answer, self.drop, self.lie, self.stick, self.fail, self.reorg)
        assert all(0 <= chance <= _PERMILLE for chance in chances), chances
        assert self.reorg_depth_max >= 1, self.reorg_depth_max


class Planned(msgspec.Struct, forbid_unknown_fields=True):
    """Faults that a script ordered and that are still to come: counts of new transactions, and a silence."""

    lose_answer: int = 0
    drop: int = 0
    lie: int = 0
    stick: int = 0
    fail: int = 0
    silent_until_ms: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """What happens to one new transaction."""

    silent: bool
    lose_answer: bool
    drop: bool
    lie: bool
    stick: bool
    fail: bool


def outcome_of(faults: Faults, planned: Planned, seed: int, arrival: int) -> Outcome:
    """Fates of the transaction that came as number `arrival`; uses up one of each planned fault."""

    def strikes(label: str, permille: int) -> bool:
        return chance(seed, f"{label} {arrival}", _PERMILLE) < permille

    outcome = Outcome(
        silent=strikes("silent", faults.silent),
        lose_answer=planned.lose_answer > 0 or strikes("lose", faults.lose_answer),
        drop=planned.drop > 0 or strikes("drop", faults.drop),
        lie=planned.lie > 0 or strikes("lie", faults.lie),
        stick=planned.stick > 0 or strikes("stick", faults.stick),
        fail=planned.fail > 0 or strikes("fail", faults.fail),
    )
    if not outcome.silent:
        planned.lose_answer = max(planned.lose_answer - 1, 0)
        planned.drop = max(planned.drop - 1, 0)
        planned.lie = max(planned.lie - 1, 0)
        planned.stick = max(planned.stick - 1, 0)
        planned.fail = max(planned.fail - 1, 0)
    return outcome


def chance(seed: int, label: str, below: int) -> int:
    """A number of 0 to below - 1 that depends on nothing but the seed and the label."""
    return int.from_bytes(double_sha256(f"{seed} {label}".encode())[:8], "big") % below
