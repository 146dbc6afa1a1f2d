from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.intents import decode_intent
from penstock.core.refusals import Unavailable
from penstock.signer import log as signer_log
from penstock.signer.config import read_config
from penstock.signer.launch import SignerChild
from penstock.signer.log import LogBroken, LogRefused, Mark, create_log, mark_path, open_log, write_mark
from penstock.signer.messages import Reason, RefusedAnswer, SignedAnswer, SignRequest
from penstock.signer.process import Signer, initialise
from tests.signer.samples import BASE, OTHER_PAYEE, SIM_BASE, START_MS, transfer

replace = msgspec.structs.replace


def fill(path: Path, entries: int) -> bytes:
    """A log with so many entries; returns its text."""
    create_log(path, START_MS)
    log = open_log(path)
    for nonce in range(entries):
        intent = replace(SIM_BASE, nonce=nonce)
        log.append(at_ms=START_MS + nonce, resource=f"r{nonce}", intent=intent, tx_hash="h", raw=b"\x01\x02")
    log.close()
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_a_log_reads_back_what_was_written(path: Path) -> None:
    fill(path, 3)
    log = open_log(path)
    assert [entry.intent.nonce for entry in log.entries] == [0, 1, 2]
    assert [entry.seq for entry in log.entries] == [1, 2, 3]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    log.close()


def test_every_changed_byte_is_noticed(path: Path) -> None:
    text = fill(path, 2)
    for place in range(len(text)):
        path.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
        if place == len(text) - 1:
            # Without its end the last line is torn; with other bytes behind it, it no longer parses.
            continue
        if text.rindex(b"\n", 0, -1) < place:
            # In the last line nothing follows that holds its hash: the mark does.
            mark = Mark(*whole_mark(text))
            with pytest.raises(LogRefused):
                open_log(path, [mark])
        else:
            with pytest.raises(LogRefused):
                open_log(path)


def whole_mark(text: bytes) -> tuple[str, int, str]:
    lines = text.splitlines()
    return msgspec.json.decode(lines[0])["log_id"], len(lines) - 1, signer_log.line_hash(lines[-1])


@pytest.mark.parametrize("removed", [0, 1, 2])
def test_a_removed_line_is_noticed(path: Path, removed: int) -> None:
    lines = fill(path, 3).splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:removed] + lines[removed + 1 :]))
    with pytest.raises(LogRefused):
        open_log(path)


def test_swapped_lines_are_noticed(path: Path) -> None:
    first, second, third = fill(path, 2).splitlines(keepends=True)
    path.write_bytes(first + third + second)
    with pytest.raises(LogRefused):
        open_log(path)


def test_an_older_copy_is_noticed_by_the_mark(path: Path) -> None:
    text = fill(path, 2)
    mark = Mark(*whole_mark(text))
    path.write_bytes(b"".join(text.splitlines(keepends=True)[:-1]))
    open_log(path).close()
    with pytest.raises(LogRefused, match="older copy"):
        open_log(path, [mark])


def test_another_log_is_noticed_by_the_mark(path: Path, tmp_path: Path) -> None:
    mark = Mark(*whole_mark(fill(tmp_path / "other", 1)))
    fill(path, 1)
    with pytest.raises(LogRefused, match="the key was used with log"):
        open_log(path, [mark])


@given(st.data())
def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("torn") / "log"
    text = fill(path, 2)
    *whole, last = text.splitlines(keepends=True)
    kept = b"".join(whole)
    torn_at = data.draw(st.integers(1, len(last) - 1))
    path.write_bytes(kept + last[:torn_at])
    log = open_log(path)
    # All but the newline is the whole entry: what was signed stays on record.
    completed = torn_at == len(last) - 1
    assert len(log.entries) == (2 if completed else 1)
    log.append(at_ms=START_MS + 9, resource="r", intent=SIM_BASE, tx_hash="h", raw=b"")
    log.close()
    log = open_log(path)
    assert len(log.entries) == (3 if completed else 2)
    log.close()


def test_zeros_left_by_a_power_cut_are_cut_off(path: Path) -> None:
    text = fill(path, 1)
    path.write_bytes(text + b"\x00" * 300)
    open_log(path).close()
    assert path.read_bytes() == text


def test_a_torn_line_that_was_answered_is_not_cut_off(path: Path) -> None:
    text = fill(path, 2)
    mark = Mark(*whole_mark(text))
    path.write_bytes(text[:-40])
    with pytest.raises(LogRefused):
        open_log(path, [mark])
    assert path.read_bytes() == text[:-40]


@pytest.mark.parametrize("text", [b"", b"\n", b"{}\n", b"\xff\n", b'{"type":"opening"'])
def test_what_is_no_log_is_refused(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    with pytest.raises(LogRefused):
        open_log(path)
    assert path.read_bytes() == text


def test_one_log_has_one_signer(path: Path) -> None:
    fill(path, 0)
    first = open_log(path)
    with pytest.raises(LogRefused, match="another signer"):
        open_log(path, lock_wait_ms=20)
    first.close()
    open_log(path).close()


def test_a_log_is_never_begun_over_another(path: Path) -> None:
    text = fill(path, 1)
    with pytest.raises(LogRefused):
        create_log(path, START_MS)
    assert path.read_bytes() == text


def test_a_failed_sync_is_no_success(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, "no")

    fill(path, 0)
    log = open_log(path)
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(LogBroken):
        log.append(at_ms=START_MS, resource="r", intent=SIM_BASE, tx_hash="h", raw=b"")
    assert log.entries == []
    log.close()


def test_the_line_is_synced_before_the_answer_exists(
    inside: Callable[[], Signer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = inside()
    synced: list[bytes] = []
    real = os.fsync

    def watch(descriptor: int) -> None:
        real(descriptor)
        synced.append((tmp_path / "signer.log").read_bytes())

    monkeypatch.setattr(os, "fsync", watch)
    answer = signer.answer(SignRequest(BASE))
    assert isinstance(answer, SignedAnswer)
    assert answer.raw.encode() in synced[0]


UNWARNED_OF_FILE_SIZES = """
import signal, sys
from penstock.signer.__main__ import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sys.exit(main(sys.argv[1:]))
"""


def test_a_log_that_cannot_be_written_ends_the_process_without_an_answer(config: Path) -> None:
    # The limit makes the kernel refuse what goes beyond the log's present size, as a full disk would.
    command = (
        "/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-c", UNWARNED_OF_FILE_SIZES,
    )  # fmt: skip
    child = SignerChild(config, command=command)
    with child.client() as client, pytest.raises(Unavailable):
        client.sign(BASE)
    assert child.wait() == 1
    child.stop()
    with SignerChild(config) as again, again.client() as client:
        assert client.status().signed == 0
        assert client.sign(BASE).raw


def test_an_edited_log_is_not_started_with(config: Path) -> None:
    log = Path(read_config(config).log)
    with SignerChild(config) as child, child.client() as client:
        client.sign(BASE)
        client.sign(replace(BASE, nonce=1))
    text = log.read_bytes()
    log.write_bytes(text.replace(b'"nonce":0', b'"nonce":7'))
    with pytest.raises(Unavailable, match="did not start"):
        SignerChild(config)
    log.write_bytes(text)
    SignerChild(config).stop()


@pytest.mark.parametrize("damage", ["missing", "older", "new"])
def test_a_log_that_is_not_the_newest_is_not_started_with(config: Path, tmp_path: Path, damage: str) -> None:
    log = Path(read_config(config).log)
    with SignerChild(config) as child, child.client() as client:
        client.sign(BASE)
        shutil.copy(log, tmp_path / "backup")
        client.sign(replace(BASE, nonce=1))
    match damage:
        case "missing":
            log.unlink()
        case "older":
            shutil.copy(tmp_path / "backup", log)
        case _:
            log.unlink()
            create_log(log, START_MS)
    with pytest.raises(Unavailable, match="did not start"):
        SignerChild(config)
    with pytest.raises(LogRefused, match="has a log already"):
        initialise(read_config(config), START_MS)


def test_a_torn_line_is_mended_at_the_start_and_its_intent_signed_as_before(config: Path) -> None:
    log = Path(read_config(config).log)
    with SignerChild(config) as child, child.client() as client:
        client.sign(BASE)
    keystore = Path(next(iter(read_config(config).keys.values())).keystore)
    mark = mark_path(keystore).read_bytes()
    before = log.read_bytes()
    with SignerChild(config) as child, child.client() as client:
        signed = client.sign(replace(BASE, nonce=1))
    # As a crash in the middle of the write would leave it: half a line, and the mark of the entry before.
    log.write_bytes(before + log.read_bytes()[len(before) :][:100])
    mark_path(keystore).write_bytes(mark)
    with SignerChild(config) as child, child.client() as client:
        assert client.status().signed == 1
        assert client.sign(replace(BASE, nonce=1)) == signed


def test_with_the_log_alone_a_second_intent_is_refused(inside: Callable[[], Signer]) -> None:
    # There is no database in this test at all: whatever it says, or does not say any more, changes nothing.
    inside().answer(SignRequest(BASE))
    answer = inside().answer(SignRequest(replace(BASE, data=transfer(OTHER_PAYEE, 1))))
    assert isinstance(answer, RefusedAnswer)
    assert answer.reason is Reason.NONCE_TAKEN


def test_a_crash_between_entry_and_mark_is_no_hindrance(config: Path) -> None:
    keystore = Path(next(iter(read_config(config).keys.values())).keystore)
    before = mark_path(keystore).read_bytes()
    with SignerChild(config) as child, child.client() as client:
        signed = client.sign(BASE)
    mark_path(keystore).write_bytes(before)
    with SignerChild(config) as child, child.client() as client:
        assert client.sign(BASE) == signed


def test_a_mark_is_replaced_whole(tmp_path: Path) -> None:
    keystore = tmp_path / "k"
    for seq in range(3):
        write_mark(keystore, Mark("a", seq, "b"))
        assert signer_log.read_mark(keystore) == Mark("a", seq, "b")
    mark_path(keystore).write_bytes(b"{")
    with pytest.raises(LogRefused):
        signer_log.read_mark(keystore)


def test_the_log_tells_everything_that_was_signed(inside: Callable[[], Signer], tmp_path: Path) -> None:
    answer = inside().answer(SignRequest(BASE))
    assert isinstance(answer, SignedAnswer)
    line = msgspec.json.decode((tmp_path / "signer.log").read_bytes().splitlines()[1])
    assert decode_intent(msgspec.json.encode(line["intent"])) == BASE
    assert (line["raw"], line["tx_hash"], line["at_ms"]) == (answer.raw, answer.tx_hash, START_MS)
