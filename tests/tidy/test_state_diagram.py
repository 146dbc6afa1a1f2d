"""The picture of the states in ARCHITECTURE.md is the table in engine/transitions.py."""

from __future__ import annotations

import re

from penstock.core.states import FINAL_STATES
from penstock.engine.transitions import TRANSITIONS
from tests.tidy.source import ROOT


def drawn_from_the_table() -> str:
    """The body of a mermaid state diagram: where a withdrawal begins, every move, every end."""
    moves = [f"    {before} --> {after}" for before in TRANSITIONS for after in sorted(TRANSITIONS[before])]
    ends = [f"    {state} --> [*]" for state in TRANSITIONS if state in FINAL_STATES]
    return "\n".join(["    [*] --> challenged", "    [*] --> held", *moves, *ends])


def test_the_picture_of_the_states_is_the_table() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    found = re.search(r"```mermaid\nstateDiagram-v2\n(.*?)\n```", page, re.DOTALL)
    assert found
    assert found[1] == drawn_from_the_table()
