"""The house rules that a machine can check, each with samples it must catch and samples it must not.

A rule looks at one file at a time. What concerns several (migrations, pages, locks) is in `test_tree.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.tidy.source import Source

SRC_LINES_MAX = 400
TEST_LINES_MAX = 600
FUNCTION_LINES_MAX = 60

# Where a float is right: durations, rates and shares of time. Money never passes through these.
FLOAT_ALLOWED = ("src/penstock/cli/bench", "src/penstock/bench/", "src/penstock/server/metrics")
# What keeps a file of its own beside the store: the signer's log, the simulated chain, the sandbox.
SQL_ALLOWED = (
    "src/penstock/store/",
    "src/penstock/signer/log",
    "src/penstock/chains/simulated",
    "src/penstock/sandbox/",
)
COMMIT_ALLOWED = SQL_ALLOWED
# The sandbox makes the keys that it then hands to its signer.
# The customer's own wallet key, in the customer's own client: never loaded by a server process.
KEYS_ALLOWED = (
    "src/penstock/signer/",
    "src/penstock/sandbox/",
    "src/penstock/venues/sunx/client_wallet.py",
)

Finding = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`find` yields (line, what is wrong). `caught` and `clean` are samples: a path and a text."""

    name: str
    find: Callable[[Source], Iterator[Finding]]
    caught: tuple[tuple[str, str], ...]
    clean: tuple[tuple[str, str], ...]


def _calls(source: Source) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call: `x.commit(...)` gives "x.commit", `f().commit()` "?.commit"."""
    for node in source.nodes:
        if isinstance(node, ast.Call):
            yield node.lineno, _dotted(node.func)


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=owner, attr=name):
            return f"{_dotted(owner)}.{name}"
        case _:
            return "?"


def long_files(source: Source) -> Iterator[Finding]:
    limit = {"src/": SRC_LINES_MAX, "tests/": TEST_LINES_MAX}.get(source.path.partition("/")[0] + "/")
    lines = source.text.count("\n")
    if limit and source.path.endswith(".py") and lines > limit:
        yield lines, f"{lines} lines, at most {limit}"


def long_functions(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"


def floats(source: Source) -> Iterator[Finding]:
    if source.within("src/") and not source.within(*FLOAT_ALLOWED):
        yield from ((line, "float() loses money") for line, name in _calls(source) if name == "float")


def clock_reads(source: Source) -> Iterator[Finding]:
    if not source.within("src/") or source.path == "src/penstock/core/time.py":
        return
    for line, name in _calls(source):
        if re.search(r"(^|\.)(time\.time(_ns)?|(datetime|date)\.(now|utcnow|today))$", name):
            yield line, f"{name}() outside core/time.py: pass the time in"


def commits(source: Source) -> Iterator[Finding]:
    if source.within("src/") and not source.within(*COMMIT_ALLOWED):
        yield from (
            (line, "only the store commits") for line, name in _calls(source) if name.endswith(".commit")
        )


def prints(source: Source) -> Iterator[Finding]:
    if source.within("src/") and not source.within("src/penstock/cli/"):
        yield from (
            (line, "only the command line prints") for line, name in _calls(source) if name == "print"
        )


_SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|PRAGMA\s"
    r"|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|TRIGGER|VIEW)\s|BEGIN\s+(IMMEDIATE|EXCLUSIVE))",
    re.DOTALL,
)


def sql_outside_the_store(source: Source) -> Iterator[Finding]:
    if not source.within("src/") or source.within(*SQL_ALLOWED):
        return
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQL.match(node.value):
            yield node.lineno, "SQL stands in store/ only"


_UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")


def unfinished_marks(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if found := _UNFINISHED.search(line):
            yield number, f"{found[0]}: finish it, or say in an issue what is left"


def swallowed_errors(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        match node:
            case ast.ExceptHandler(
                type=caught, body=[ast.Pass() | ast.Continue() | ast.Expr(ast.Constant())]
            ):
                if caught is None or _dotted(caught) in {"Exception", "BaseException"}:
                    yield node.lineno, "an error of any kind is swallowed without a word"
            case ast.Call(func=called, args=arguments) if _dotted(called).endswith("suppress"):
                if {_dotted(argument) for argument in arguments} & {"Exception", "BaseException"}:
                    yield node.lineno, "an error of any kind is suppressed without a word"


def switched_off_tests(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and _dotted(node) in {
            "pytest.mark.skip",
            "pytest.mark.skipif",
            "pytest.mark.xfail",
        }:
            yield node.lineno, f"{_dotted(node)}: a test runs or is deleted"


_HOSTS = "|".join(
    re.escape(".".join(parts))
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("golang", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
    )
)
_REGISTRY = re.compile(rf"(?<![\w-])(?:[\w-]+\.)*(?:{_HOSTS})\b", re.IGNORECASE)
_MACHINE = re.compile(r"(?<![\w.~$}/-])/(?:work|root|home|Users|tmp)/[\w.-]+")


def registry_hosts(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if found := _REGISTRY.search(line):
            yield number, f"{found[0]}: which registry is used is each machine's own setting"


def machine_paths(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if found := _MACHINE.search(line):
            yield number, f"{found[0]}: a path of one machine"


def keys_outside_the_signer(source: Source) -> Iterator[Finding]:
    if not source.within("src/") or source.within(*KEYS_ALLOWED):
        return
    for node in source.nodes:
        names = [name.name for name in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        if "PrivateKey" in names or {"eth_account", "eth_keyfile", "eth_keys"} & {
            module.partition(".")[0],
            *names,
        }:
            yield node.lineno, "only the signer's process touches key bytes"


_EMPTY_NAMES = re.compile(r"(^|_)(utils?|helpers?|managers?|common|info|data|misc)(_|$)")


def empty_names(source: Source) -> Iterator[Finding]:
    if source.within("src/", "tests/") and source.path.endswith(".py"):
        for part in source.path.removesuffix(".py").split("/"):
            if _EMPTY_NAMES.search(part):
                yield 1, f"{part!r} says nothing: name the thing"


_A_FUNCTION = "def f() -> None:\n" + "    x = 1\n" * FUNCTION_LINES_MAX
_A_MODULE = "src/penstock/engine/holds.py"

RULES = (
    Rule(
        "files are short",
        long_files,
        caught=(
            (_A_MODULE, "x = 1\n" * (SRC_LINES_MAX + 1)),
            ("tests/t.py", "x = 1\n" * (TEST_LINES_MAX + 1)),
        ),
        clean=((_A_MODULE, "x = 1\n" * SRC_LINES_MAX), ("docs/long.md", "x\n" * 5_000)),
    ),
    Rule(
        "functions are short",
        long_functions,
        caught=((_A_MODULE, _A_FUNCTION),),
        clean=((_A_MODULE, _A_FUNCTION.replace("    x = 1\n", "", 1)),),
    ),
    Rule(
        "no float where money passes",
        floats,
        caught=((_A_MODULE, 'x = float("1")\n'),),
        clean=((f"{FLOAT_ALLOWED[0]}.py", 'x = float("1")\n'), (_A_MODULE, "def f(x: float) -> None: ...\n")),
    ),
    Rule(
        "one clock",
        clock_reads,
        caught=(
            (_A_MODULE, "import time\nx = time.time()\n"),
            (_A_MODULE, "import time\nx = time.time_ns()\n"),
            (_A_MODULE, "import datetime\nx = datetime.datetime.now()\n"),
        ),
        clean=(("src/penstock/core/time.py", "x = time.time_ns()\n"), (_A_MODULE, "x = time.monotonic()\n")),
    ),
    Rule(
        "only the store commits",
        commits,
        caught=((_A_MODULE, "tx.commit()\n"), (_A_MODULE, "open_it().commit()\n")),
        clean=(("src/penstock/store/writer.py", "tx.commit()\n"),),
    ),
    Rule(
        "only the command line prints",
        prints,
        caught=((_A_MODULE, "print(1)\n"),),
        clean=(("src/penstock/cli/main.py", "print(1)\n"),),
    ),
    Rule(
        "SQL stands in the store",
        sql_outside_the_store,
        caught=(
            (_A_MODULE, 'x = "SELECT a, b FROM holds WHERE id = ?"\n'),
            (_A_MODULE, 'x = f"INSERT INTO holds VALUES {y}"\n'),
            (_A_MODULE, 'x = "UPDATE holds SET a = 1"\n'),
        ),
        clean=(
            ("src/penstock/store/holds.py", 'x = "DELETE FROM holds"\n'),
            (_A_MODULE, 'x = "Select one"\n'),
        ),
    ),
    Rule(
        "only the signer touches keys",
        keys_outside_the_signer,
        caught=(
            ("src/penstock/workers/a.py", "from coincurve import PrivateKey\n"),
            ("src/penstock/chains/a.py", "import eth_account\n"),
            ("src/penstock/service.py", "from eth_keyfile.keyfile import decode_keyfile_json\n"),
        ),
        clean=(
            ("src/penstock/signer/a.py", "from coincurve import PrivateKey\n"),
            ("src/penstock/chains/a.py", "from coincurve import PublicKey\n"),
        ),
    ),
    Rule(
        "nothing is left for later",
        unfinished_marks,
        caught=((_A_MODULE, "# TO" + "DO: the rest\n"), ("docs/a.md", "FIX" + "ME\n")),
        clean=((_A_MODULE, "# nothing to do\n"),),
    ),
    Rule(
        "no error is swallowed",
        swallowed_errors,
        caught=(
            (_A_MODULE, "try:\n    f()\nexcept Exception:\n    pass\n"),
            (_A_MODULE, "try:\n    f()\nexcept:\n    ...\n"),
            (_A_MODULE, "with contextlib.suppress(Exception):\n    f()\n"),
        ),
        clean=(
            (_A_MODULE, "try:\n    f()\nexcept FileNotFoundError:\n    pass\n"),
            (_A_MODULE, "try:\n    f()\nexcept Exception:\n    log()\n"),
        ),
    ),
    Rule(
        "no test is switched off",
        switched_off_tests,
        caught=(
            ("tests/t.py", "@pytest.mark.skip\ndef test_a(): ...\n"),
            ("tests/t.py", "x = pytest.mark.xfail(y)\n"),
        ),
        clean=(("tests/t.py", "@pytest.mark.parametrize('a', [1])\ndef test_a(a): ...\n"),),
    ),
    Rule(
        "no registry is named",
        registry_hosts,
        caught=(
            ("README.md", "see https://" + "pypi" + ".org/simple\n"),
            ("a.lock", "registry." + "npmjs" + ".org\n"),
        ),
        clean=(("README.md", "npm and pip, from docs.example.org\n"),),
    ),
    Rule(
        "no path of one machine",
        machine_paths,
        caught=(
            ("README.md", "cd /" + "root/x\n"),
            ("a.py", '"/' + 'tmp/state"\n'),
            ("a.toml", "a=/" + "home/me\n"),
        ),
        clean=(("a.py", '"/account/v1/wallet"\n'), ("a.md", "docs/work/it and https://host/work/it\n")),
    ),
    Rule(
        "module names say what is inside",
        empty_names,
        caught=(
            ("src/penstock/core/utils.py", ""),
            ("src/penstock/helpers/a.py", ""),
            ("tests/common_data.py", ""),
        ),
        clean=(("src/penstock/core/amounts.py", ""), ("src/penstock/core/database.py", "")),
    ),
)
