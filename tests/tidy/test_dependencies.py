"""What is imported is declared, what is declared is locked, what runs is what is tested. Offline."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.tidy.source import ROOT, Source, tree

REQUIREMENT = re.compile(r"^([A-Za-z0-9][\w.-]*)[ ]*(?:\[[^\]]*\])?[ ]*([^;#\s\\]*)", re.MULTILINE)


def _pins(text: str) -> dict[str, str]:
    """Name and version of each requirement line, names as packages are compared."""
    return {_plain(found[1]): found[2] for found in REQUIREMENT.finditer(text)}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirements(name: str) -> dict[str, str]:
    return _pins((ROOT / "requirements" / name).read_text("utf-8"))


def _runtime() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return set(_pins("\n".join(project["dependencies"])))


def undeclared(sources: list[Source], declared: set[str]) -> list[str]:
    """Imports of packages that nobody asked for: another package brings them, today."""
    owners = packages_distributions()
    found: list[str] = []
    for source in sources:
        for node in source.nodes:
            match node:
                case ast.Import(names=names):
                    modules = [name.name for name in names]
                case ast.ImportFrom(module=str(module), level=0):
                    modules = [module]
                case _:
                    continue
            for top in {module.partition(".")[0] for module in modules} - {"penstock", "tests"}:
                if top in sys.stdlib_module_names:
                    continue
                if not {_plain(owner) for owner in owners.get(top, ())} & declared:
                    found.append(f"{source.path}: {top}")
    return found


def test_what_the_package_imports_is_declared() -> None:
    assert not undeclared([source for source in tree() if source.within("src/")], _runtime())


def test_what_the_tests_import_is_declared() -> None:
    declared = _runtime() | set(_requirements("dev.in"))
    assert not undeclared([source for source in tree() if source.within("tests/")], declared)


def test_an_undeclared_import_is_caught() -> None:
    source = Source("src/penstock/a.py", "import json\nimport penstock\nfrom idna.core import encode\n")
    assert undeclared([source], {"apsw"}) == ["src/penstock/a.py: idna"]


def test_every_declared_package_is_locked() -> None:
    wanted = _runtime() | set(_requirements("dev.in"))
    assert wanted <= set(_requirements("dev.txt")), "run `make lock`"


def test_what_runs_and_what_is_tested_are_the_same_versions() -> None:
    tested, running = _requirements("dev.txt"), _requirements("run.txt") | _requirements("uv.txt")
    assert running
    assert not {name for name, pin in running.items() if tested.get(name) != pin}, "run `make lock`"
