"""What a reply is made of, its values apart: names in their order, and the kind of each value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VENUES = Path(__file__).resolve().parents[1] / "venues"
Shape = str | tuple["Shape", ...] | tuple[tuple[str, "Shape"], ...]


def shape(value: Any) -> Shape:
    """Two values have one shape if their names, their order and their JSON types agree at every depth.

    Rows of a list must agree with each other, and count as one; a list without rows is a shape of its own.
    """
    match value:
        case dict():
            return tuple((name, shape(member)) for name, member in value.items())
        case list():
            rows = {shape(row) for row in value}
            assert len(rows) <= 1, f"rows of different shapes: {rows}"
            return ("rows", *rows)
        case bool() | None | str():
            return {bool: "boolean", type(None): "null", str: "text"}[type(value)]
        case _:
            return "integer" if isinstance(value, int) else "fraction"


def golden(venue: str, name: str) -> Any:
    """The reply that the venue's own tests pin byte for byte under this name."""
    return json.loads((VENUES / venue / "golden" / f"{name}.json").read_bytes())


def golden_names(venue: str) -> set[str]:
    return {path.stem for path in (VENUES / venue / "golden").glob("*.json")}
