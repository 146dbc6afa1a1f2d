"""The files that the house rules read: everything git tracks or would add."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One file: its path from the root, with forward slashes, and its text ("" where it is not UTF-8)."""

    path: str
    text: str

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of a Python file; of any other file, none."""
        return tuple(ast.walk(ast.parse(self.text))) if self.path.endswith(".py") else ()

    @property
    def stem(self) -> str:
        return Path(self.path).stem

    def within(self, *folders: str) -> bool:
        """Whether the path begins with one of these."""
        return self.path.startswith(folders)


@lru_cache(maxsize=1)
def tree() -> tuple[Source, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = sorted({path for path in listed.split("\0") if path and (ROOT / path).is_file()})
    return tuple(Source(path, (ROOT / path).read_text("utf-8", errors="replace")) for path in paths)
