"""What every test shares: how Hypothesis runs, and that no test reaches beyond this machine.

Fixtures belong to the folder of the tests that use them.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections import Counter

import pytest
from _pytest.nodeid import coerce_node_id
from hypothesis import HealthCheck, settings

from tests.size import IN_FULL

# No deadline: two workers share two cores, so one slow example says nothing about the code.
settings.register_profile("dev", deadline=None)
# In CI the same examples every time, so that a red run means a changed program.
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")


class BeyondLoopbackError(Exception):
    """Not an OSError, so that no code under test takes it for a connection that failed."""


def _is_loopback(host: object) -> bool:
    if host in {None, "", b"", "localhost", b"localhost"}:
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse_other_machines(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook. Unix sockets pass; IP sockets and name look-ups pass for this machine only.

    A hook and not a patch: it also sees what asyncio and C code do through Python's sockets. What uvloop does
    below them it does not see; names and addresses of other machines are then refused by the look-up.
    """
    match event:
        case "socket.connect" | "socket.sendto" | "socket.sendmsg":
            connection, address = arguments
            if (
                getattr(connection, "family", None) not in {socket.AF_INET, socket.AF_INET6}
                or address is None
            ):
                return
            host = address[0] if isinstance(address, tuple) else address
        case "socket.getaddrinfo" | "socket.gethostbyname":
            host = arguments[0]
        case _:
            return
    if not _is_loopback(host):
        message = f"tests reach this machine only, not {host!r}"
        raise BeyondLoopbackError(message)


sys.addaudithook(_refuse_other_machines)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up what tests counted with `record_property("tally", {"kills": 1, ...})`, file by file."""
    tallies: dict[str, Counter[str]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, counted in getattr(report, "user_properties", ()):
            if name == "tally":
                tallies.setdefault(report.nodeid.split("::")[0], Counter()).update(counted)
    for file, tally in tallies.items():
        terminalreporter.write_line(
            f"{file}: " + ", ".join(f"{count} {what}" for what, count in tally.items())
        )


def pytest_report_header() -> str:
    return f"long tests: {'in full' if IN_FULL else 'short; PENSTOCK_LONG=1 runs them in full'}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of one xdist_group stay in one worker, which shares what it has started.

    pytest-xdist 3.8.0 writes the group into an attribute that pytest 9.2 reads no more.
    """
    for item in items:
        named = getattr(item, "_nodeid", None)
        if named is not None and "@" in named.rpartition("]")[2]:
            item._id = coerce_node_id(named)  # type: ignore[attr-defined]
