"""Facts of the machine that a figure means little without."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import msgspec

SYNCS = 200
_PAGE = bytes(4_096)


class Machine(msgspec.Struct, frozen=True):
    """sync_us: median time in microseconds to append 4 KiB to a file and have it on disk (fdatasync), one
    at a time.
    """

    cores: int
    python: str
    filesystem: str
    sync_us: int


def look(folder: Path) -> Machine:
    """The machine, with the disk that holds `folder`."""
    return Machine(os.cpu_count() or 1, platform.python_version(), _filesystem(folder), _sync_us(folder))


def _filesystem(folder: Path) -> str:
    """Type of the file system that holds `folder`, "" where the system does not say (proc(5),
    /proc/mounts).
    """
    try:
        mounts = Path("/proc/mounts").read_text("utf-8").splitlines()
    except OSError:
        return ""
    place = folder.resolve()
    holding = [fields for line in mounts if place.is_relative_to((fields := line.split())[1])]
    return max(holding, key=lambda fields: len(fields[1]))[2] if holding else ""


def _sync_us(folder: Path) -> int:
    taken: list[int] = []
    probe = folder / "sync-probe"
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(SYNCS):
            began = time.monotonic_ns()
            os.write(descriptor, _PAGE)
            os.fdatasync(descriptor)
            taken.append(time.monotonic_ns() - began)
    finally:
        os.close(descriptor)
        probe.unlink()
    return sorted(taken)[SYNCS // 2] // 1_000
