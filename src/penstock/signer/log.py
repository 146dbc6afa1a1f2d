"""The signer's own log: a JSON line for each signature, each holding the SHA-256 of the line before it.

It is what keeps the signer from signing two payments for one nonce, whatever the main database says; so it is
on disk before an answer leaves, and a log that is damaged, cut short or another key's is refused, never
repaired by guessing. Marks beside the keystores remember how far the log was, so that an older copy of it, or
a missing one, is noticed.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from penstock.core.intents import Intent

LINE_BYTES_MAX = 131_072
FORMAT = 1

_NOTHING = "0" * 64
_LOCK_RETRY_S = 0.05
_report = logging.getLogger("penstock.signer")


class LogRefused(Exception):
    """The log cannot be used; nothing was changed. The text says what is wrong and what a person may do."""


class LogBroken(Exception):
    """A write or sync failed: what is on disk is unknown. The process must end; its next start reads it."""


class Opening(msgspec.Struct, frozen=True, tag="opening", forbid_unknown_fields=True):
    """The first line. log_id: random, so that two logs are never mistaken for each other."""

    format: int
    log_id: str
    at_ms: int
    prev: str = _NOTHING


class Entry(msgspec.Struct, frozen=True, tag="signed", forbid_unknown_fields=True):
    """One signature. seq counts from 1; prev: SHA-256 (hex) of the line before; raw: hex without 0x.

    at_ms never falls from one entry to the next, whatever the machine's clock does.
    """

    seq: int
    prev: str
    at_ms: int
    resource: str
    intent: Intent
    tx_hash: str
    raw: str


Line = Opening | Entry


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a keystore remembers of the log it was used with: entry `seq` had the hash `head`."""

    log_id: str
    seq: int
    head: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)
_marks = msgspec.json.Decoder(Mark)


def line_hash(line: bytes) -> str:
    """SHA-256 of a line without its newline, 64 hex digits."""
    return hashlib.sha256(line).hexdigest()


class SignerLog:
    """The open log. One process has it at a time; `append` is the only way it grows."""

    def __init__(self, descriptor: int, log_id: str, entries: list[Entry], hashes: list[str]) -> None:
        """Made by `open_log`. hashes: of every line, the opening's first."""
        self._descriptor = descriptor
        self._hashes = hashes
        self.log_id = log_id
        self.entries = entries

    @property
    def head(self) -> str:
        """SHA-256 (hex) of the last line."""
        return self._hashes[-1]

    def hash_at(self, seq: int) -> str | None:
        """Hash of line `seq` (0 is the opening); None when the log is shorter."""
        return self._hashes[seq] if 0 <= seq < len(self._hashes) else None

    def append(self, *, at_ms: int, resource: str, intent: Intent, tx_hash: str, raw: bytes) -> Entry:
        """Write one entry and sync it; when this returns, it is durable. Raises LogBroken."""
        entry = Entry(
            seq=len(self._hashes),
            prev=self.head,
            at_ms=at_ms,
            resource=resource,
            intent=intent,
            tx_hash=tx_hash,
            raw=raw.hex(),
        )
        line = _encoder.encode(entry)
        assert len(line) < LINE_BYTES_MAX, len(line)
        _write_line(self._descriptor, line)
        self.entries.append(entry)
        self._hashes.append(line_hash(line))
        return entry

    def close(self) -> None:
        """Let go of the file and its lock. Twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def create_log(path: Path, at_ms: int) -> str:
    """Begin a log (0600), durable when this returns; returns its id. Raises LogRefused if one is there."""
    opening = Opening(format=FORMAT, log_id=secrets.token_hex(16), at_ms=at_ms)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise LogRefused(f"{path}: a log is there already") from None
    try:
        _write_line(descriptor, _encoder.encode(opening))
    finally:
        os.close(descriptor)
    sync_folder(path.parent)
    return opening.log_id


def open_log(path: Path, marks: Sequence[Mark] = (), *, lock_wait_ms: int = 0) -> SignerLog:
    """Read and check the whole log, and keep it open for appending, locked against a second signer.

    marks: what the keystores remember of the log; each must be found in it.
    A last line without its end was never answered (an answer follows the sync of the whole line): it is
    completed when it is whole but for the newline, and cut off when it does not parse. Raises LogRefused when
    the log is missing, in use, not that of the marks, or not what this program wrote.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LogRefused(
            f"{path}: no log. A signer without its log could sign a payment twice. Bring the log back, or, "
            "for a key that has never signed, begin one with --init"
        ) from None
    try:
        lock(descriptor, path, lock_wait_ms)
        *lines, torn = path.read_bytes().split(b"\n")
        whole = _parses(torn)
        log = _checked(descriptor, [*lines, torn] if whole else lines, path)
        for mark in marks:
            _find_mark(log, mark, path)
        if torn:
            _mend(descriptor, torn, whole=whole, keep=sum(len(line) + 1 for line in lines))
    except BaseException:
        os.close(descriptor)
        raise
    return log


def _find_mark(log: SignerLog, mark: Mark, path: Path) -> None:
    if mark.log_id != log.log_id:
        raise LogRefused(f"{path}: this is log {log.log_id}; the key was used with log {mark.log_id}")
    if log.hash_at(mark.seq) != mark.head:
        raise LogRefused(
            f"{path}: the log had {mark.seq} entries or more, and entry {mark.seq} is missing or another "
            "here: an older copy, or cut short. Bring the newest log back"
        )


def mark_path(keystore: Path) -> Path:
    """Where the mark of a keystore lies: beside it."""
    return keystore.with_name(keystore.name + ".used")


def read_mark(keystore: Path) -> Mark | None:
    """The mark of a keystore; None when its key was never used. Raises LogRefused when it cannot be read."""
    try:
        return _marks.decode(mark_path(keystore).read_bytes())
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LogRefused(f"{mark_path(keystore)}: not a mark: {error}") from None


def write_mark(keystore: Path, mark: Mark) -> None:
    """Replace the mark. A power cut leaves the old or the new one, whole. Raises LogBroken."""
    path = mark_path(keystore)
    fresh = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_line(descriptor, _encoder.encode(mark))
        finally:
            os.close(descriptor)
        fresh.replace(path)
    except OSError as error:
        raise LogBroken(f"{type(error).__name__} {error.errno}") from error


def lock(descriptor: int, path: Path, wait_ms: int = 0) -> None:
    """Take the file for this process alone. Raises LogRefused when another keeps it for `wait_ms`.

    The wait is for a predecessor that is just ending.
    """
    until = time.monotonic_ns() + wait_ms * 1_000_000
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic_ns() >= until:
                raise LogRefused(f"{path}: another signer is using it") from None
            time.sleep(_LOCK_RETRY_S)
        else:
            return


def sync_folder(folder: Path) -> None:
    """Make a new or renamed name in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_line(descriptor: int, line: bytes) -> None:
    whole = line + b"\n"
    try:
        written = os.write(descriptor, whole)
        if written != len(whole):
            raise LogBroken(f"{written} of {len(whole)} bytes written")
        os.fsync(descriptor)
    except OSError as error:
        raise LogBroken(f"{type(error).__name__} {error.errno}") from error


def _parses(torn: bytes) -> bool:
    try:
        _decoder.decode(torn)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _mend(descriptor: int, torn: bytes, *, whole: bool, keep: int) -> None:
    if whole:
        # Completing it keeps a signature that was made on record.
        _report.warning("log: the last line lacked its newline and is completed")
        _write_line(descriptor, b"")
    else:
        _report.warning("log: a torn last line of %d bytes was never answered and is cut off", len(torn))
        os.ftruncate(descriptor, keep)
        os.fsync(descriptor)


def _checked(descriptor: int, lines: list[bytes], path: Path) -> SignerLog:
    if not lines:
        raise LogRefused(f"{path}: not even the opening line is whole: this is no log of ours")
    hashes: list[str] = []
    entries: list[Entry] = []
    log_id = ""
    at_ms = 0
    for number, line in enumerate(lines):
        found = _read_line(line, number, path)
        if found.prev != (hashes[-1] if hashes else _NOTHING):
            raise LogRefused(
                f"{path}: line {number + 1} does not follow from the line before it: edited or cut"
            )
        if isinstance(found, Opening) != (number == 0) or found.at_ms < at_ms:
            raise LogRefused(f"{path}: line {number + 1} is out of its place")
        if isinstance(found, Opening):
            log_id = found.log_id
        elif found.seq == number:
            entries.append(found)
        else:
            raise LogRefused(f"{path}: line {number + 1} counts {found.seq}")
        at_ms = found.at_ms
        hashes.append(line_hash(line))
    return SignerLog(descriptor, log_id, entries, hashes)


def _read_line(line: bytes, number: int, path: Path) -> Line:
    try:
        found = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LogRefused(f"{path}: line {number + 1} is not what this program wrote: {error}") from None
    if _encoder.encode(found) != line:
        raise LogRefused(f"{path}: line {number + 1} is not as this program writes it")
    if isinstance(found, Opening) and found.format != FORMAT:
        raise LogRefused(f"{path}: format {found.format}; this program reads {FORMAT}")
    return found
