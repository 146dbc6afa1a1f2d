"""Processor time of processes, as the kernel counts it (proc(5)). Only Linux tells; elsewhere it is 0."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")


def family(pid: int) -> tuple[int, ...]:
    """`pid` and every process that descends from it; only `pid` where the system has no /proc."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.glob("[0-9]*"):
        fields = _stat_fields(int(folder.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found = [pid]
    for parent in found:  # grows while it is walked
        found += children.get(parent, [])
    return tuple(found)


def used_ns(pids: Iterable[int]) -> int:
    """Time on a processor, user and system, of these processes together, in ns; ended ones count 0.

    The kernel counts in ticks of 10 ms, so take differences over a second or more.
    """
    ticks = 0
    for pid in pids:
        fields = _stat_fields(pid)
        if fields:
            ticks += int(fields[11]) + int(fields[12])
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _stat_fields(pid: int) -> list[str]:
    """Fields 3 and on of /proc/PID/stat: 1 is the parent's id, 11 and 12 are utime and stime. [] if it is
    gone.
    """
    try:
        text = (_PROC / str(pid) / "stat").read_text("ascii", "replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # the second field, the name, may hold blanks and brackets
