"""What a figure should reach, and whether it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec


class Aim(msgspec.Struct, frozen=True):
    """A bound on one figure of a line: at least or at most so much."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def text(self) -> str:
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"

    def met_by(self, value: object) -> bool:
        """A figure that is missing meets nothing."""
        if not isinstance(value, int | float):
            return False
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


def judged(line: Mapping[str, object], aims: Sequence[Aim]) -> dict[str, object]:
    """The line with "aim", the bounds by figure, and "met": whether all of them hold. Both None without an aim."""
    return {
        **line,
        "aim": {aim.figure: aim.text for aim in aims} if aims else None,
        "met": all(aim.met_by(line.get(aim.figure)) for aim in aims) if aims else None,
    }
