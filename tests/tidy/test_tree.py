"""House rules that concern several files. Each check is a function, tried on a bad sample too."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from posixpath import normpath

from tests.tidy.source import tree

MIGRATION = re.compile(r"src/penstock/store/migrations/(?P<database>\w+)/(?P<number>\d{4})_[a-z0-9_]+\.sql")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def _paths() -> list[str]:
    return [source.path for source in tree()]


def broken_migrations(paths: list[str]) -> list[str]:
    """Numbers run 0001, 0002, ... without a gap or a double, and every database has the same ones."""
    numbers: dict[str, list[int]] = {}
    for path in paths:
        if path.startswith("src/penstock/store/migrations/") and path.endswith(".sql"):
            found = MIGRATION.fullmatch(path)
            if not found:
                return [f"{path}: not <database>/NNNN_name.sql"]
            numbers.setdefault(found["database"], []).append(int(found["number"]))
    broken = [
        f"{name}: {has}" for name, has in numbers.items() if sorted(has) != list(range(1, len(has) + 1))
    ]
    if len({len(has) for has in numbers.values()}) > 1:
        broken.append(f"databases differ: { ({name: len(has) for name, has in numbers.items()}) }")
    return broken


def test_migrations_are_numbered_without_gaps() -> None:
    assert not broken_migrations(_paths())


def test_a_gap_a_double_a_bad_name_and_a_missing_twin_are_caught() -> None:
    here = "src/penstock/store/migrations"
    for bad in (
        ["sqlite/0001_a.sql", "sqlite/0003_b.sql"],
        ["sqlite/0001_a.sql", "sqlite/0001_b.sql"],
        ["sqlite/first.sql"],
        ["sqlite/0001_a.sql", "sqlite/0002_b.sql", "postgres/0001_a.sql"],
    ):
        assert broken_migrations([f"{here}/{name}" for name in bad]), bad
    assert not broken_migrations([f"{here}/sqlite/0001_a.sql", f"{here}/postgres/0001_a.sql"])


def undocumented_venues(paths: list[str]) -> set[str]:
    """Venue folders without a page in docs/venues/."""
    venues = {found[1] for path in paths if (found := re.match(r"src/penstock/venues/(\w+)/", path))}
    return {venue for venue in venues if f"docs/venues/{venue}.md" not in paths}


def test_every_venue_has_its_page() -> None:
    assert not undocumented_venues(_paths())


def test_a_venue_without_a_page_is_caught() -> None:
    assert undocumented_venues(["src/penstock/venues/nowhere/auth.py", "docs/venues/bitmart.md"]) == {
        "nowhere"
    }


def dead_links(pages: dict[str, str], exists: set[str]) -> list[str]:
    """Links inside the repository that lead nowhere. `exists` holds files and folders."""
    return [
        f"{path}: {target}"
        for path, text in pages.items()
        for target in LINK.findall(text)
        if normpath(PurePosixPath(path).parent / target.partition("#")[0]) not in exists
    ]


def test_links_between_documents_lead_somewhere() -> None:
    paths = _paths()
    exists = {str(parent) for path in paths for parent in (PurePosixPath(path), *PurePosixPath(path).parents)}
    assert not dead_links(
        {source.path: source.text for source in tree() if source.path.endswith(".md")}, exists
    )


def test_a_dead_link_is_caught() -> None:
    assert dead_links({"docs/a.md": "[b](b.md) [c](../c.md) [w](https://x.org)"}, {"c.md"}) == [
        "docs/a.md: b.md"
    ]
