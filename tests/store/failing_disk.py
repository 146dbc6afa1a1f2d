"""A disk that fails on order: an SQLite VFS over the real one, whose log cannot be written or flushed."""

from __future__ import annotations

import itertools

import apsw

_numbers = itertools.count()


class FailingDisk(apsw.VFS):
    """failing: names among "xWrite" and "xSync" that raise an I/O error now. Only the log fails.

    times: how many calls fail before the disk is well again.
    """

    def __init__(self) -> None:
        self.name = f"failing-{next(_numbers)}"
        self.failing: set[str] = set()
        self.times = 0
        self.failed = 0
        super().__init__(self.name, "")

    def break_for(self, times: int, *calls: str) -> None:
        self.failing, self.times = set(calls), times

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self, name, flags)

    def strike(self, call: str) -> None:
        if call in self.failing and self.times > 0:
            self.times -= 1
            self.failed += 1
            raise apsw.IOError(f"the test broke {call}")


class _File(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        super().__init__("", name, flags)

    def xWrite(self, content: bytes, offset: int) -> None:  # noqa: N802
        if self._is_log:
            self._disk.strike("xWrite")
        super().xWrite(content, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._is_log:
            self._disk.strike("xSync")
        super().xSync(flags)
