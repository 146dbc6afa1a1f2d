"""The signing process: opens keys and log, listens on a unix socket, answers one request at a time.

The order of a signature is the whole point: decide by the log, sign, read the bytes back, log, sync, answer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import stat
import struct
from collections.abc import Callable, MutableMapping
from pathlib import Path

import msgspec

from penstock.core.intents import Intent
from penstock.core.points import point
from penstock.core.time import Clock
from penstock.signer.config import ConfigRefused, SignerConfig
from penstock.signer.guard import Guard, Payer
from penstock.signer.inspection import Mismatch, inspect
from penstock.signer.keystore import create_keystore, create_password, load_keystore, read_password
from penstock.signer.limits import EvmLimits
from penstock.signer.log import (
    Entry,
    LogBroken,
    LogRefused,
    Mark,
    SignerLog,
    create_log,
    lock,
    mark_path,
    open_log,
    read_mark,
    write_mark,
)
from penstock.signer.messages import (
    LENGTH,
    AddressAnswer,
    AddressRequest,
    Answer,
    FrameTooLarge,
    HasSignedAnswer,
    HasSignedRequest,
    Reason,
    RefusedAnswer,
    Request,
    SignedAnswer,
    SignerRefused,
    SignRequest,
    StatusAnswer,
    StatusRequest,
    body_length,
    frame,
    read_request,
)
from penstock.signer.signatures import SigningKey

CONNECTIONS_MAX = 64
IDLE_S_MAX = 600.0
"""How long a connection may say nothing; clients open another without notice."""
FRAME_S_MAX = 10.0
"""How long the rest of a begun frame, or taking an answer, may take."""

_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7), SO_PEERCRED)
_report = logging.getLogger("penstock.signer")


def create_keys(config: SignerConfig, *, secret: bytes | None, scrypt_n: int) -> None:
    """Make the keystores that are missing, and the password files that they name.

    secret: 32 bytes, to bring in a known key, with one keystore missing; None draws keys.
    Raises KeystoreRefused, also for a password in the environment that is not there.
    """
    for key in config.keys.values():
        keystore, password = Path(key.keystore), Path(key.password.file)
        if keystore.exists():
            continue
        if key.password.file and not password.exists():
            create_password(password)
        create_keystore(keystore, read_password(key.password, os.environ), secret=secret, scrypt_n=scrypt_n)


def initialise(config: SignerConfig, at_ms: int) -> str:
    """Begin the log of keys that have never signed, and mark the keystores with it; returns the log's id.

    Raises LogRefused when there is a log, or a mark that says there was one.
    """
    keystores = [Path(key.keystore) for key in config.keys.values()]
    for keystore in keystores:
        if not keystore.exists():
            raise LogRefused(f"{keystore}: no keystore; make it first")
        if read_mark(keystore) is not None:
            raise LogRefused(
                f"{mark_path(keystore)}: this key has a log already. Bring that log back: what it signed "
                "may still be paid"
            )
    if not Path(config.log).exists():
        create_log(Path(config.log), at_ms)
    log = open_log(Path(config.log))
    # An empty log without marks is what a crash in the middle of this function leaves.
    if log.entries:
        log.close()
        raise LogRefused(f"{config.log}: a log with entries is there already")
    for keystore in keystores:
        write_mark(keystore, _mark_of(log))
    log.close()
    return log.log_id


class Signer:
    """Keys, guard and log together. `answer` is the only way in."""

    def __init__(
        self, config: SignerConfig, keys: dict[str, SigningKey], log: SignerLog, clock: Clock
    ) -> None:
        """Made by `open_signer`. keys: by the configuration's names."""
        self._config = config
        self._keys = keys
        self._log = log
        self._clock = clock
        self._addresses = {
            network: keys[limits.key].evm_address
            if isinstance(limits, EvmLimits)
            else keys[limits.key].simulated_address
            for network, limits in config.networks.items()
        }
        self._guard = Guard(
            {network: Payer(limits, self._addresses[network]) for network, limits in config.networks.items()}
        )
        for entry in log.entries:
            self._guard.record(entry)

    def answer(self, request: Request) -> Answer:
        """Raises LogBroken: the process must end without another word, since what is on disk is unknown."""
        try:
            match request:
                case SignRequest(intent=intent):
                    return self._sign(intent)
                case AddressRequest(network=network):
                    return self._address(network)
                case HasSignedRequest(network=network, nonce=nonce):
                    return HasSignedAnswer(self._guard.has_signed(network, nonce))
                case StatusRequest():
                    return StatusAnswer(
                        self._log.log_id, len(self._log.entries), self._log.head, self._addresses
                    )
        except SignerRefused as refused:
            _report.warning("refused: %s", refused)
            return RefusedAnswer(refused.reason, refused.detail, refused.signed_before)

    def _address(self, network: str) -> AddressAnswer:
        address = self._addresses.get(network)
        if address is None:
            raise SignerRefused(Reason.NETWORK_UNKNOWN, f"network {network[:64]!r} is not configured")
        return AddressAnswer(address)

    def _sign(self, intent: Intent) -> SignedAnswer:
        decided = self._guard.decide(intent, self._clock.now_ms())
        if isinstance(decided, Entry):
            return SignedAnswer(decided.raw, decided.tx_hash, again=True)
        key_name = self._config.networks[intent.network].key
        raw, tx_hash = self._signed_and_read_back(intent, self._keys[key_name])
        point("signer.signed")
        entry = self._log.append(
            at_ms=decided.at_ms, resource=decided.resource, intent=intent, tx_hash=tx_hash, raw=raw
        )
        self._guard.record(entry)
        point("signer.logged")
        write_mark(Path(self._config.keys[key_name].keystore), _mark_of(self._log))
        _report.info("signed: entry %d, %s nonce %d, %s", entry.seq, intent.network, intent.nonce, tx_hash)
        return SignedAnswer(entry.raw, tx_hash, again=False)

    def _signed_and_read_back(self, intent: Intent, key: SigningKey) -> tuple[bytes, str]:
        try:
            raw = key.sign(intent)
            return raw, inspect(raw, intent, key.public_key)
        except (Mismatch, ValueError) as error:
            _report.error("SELF-CHECK FAILED: %s nonce %d: %s", intent.network, intent.nonce, error)
            raise SignerRefused(
                Reason.SELF_CHECK_FAILED, "what was signed does not read as what was asked"
            ) from None


def open_signer(
    config: SignerConfig, environment: MutableMapping[str, str], clock: Clock, lock_wait_ms: int = 0
) -> Signer:
    """Decrypt the keys and open the log. Variables that held passwords are removed from `environment`.

    The keystores stay locked until the process ends, so no second signer uses a key with another log.
    Raises KeystoreRefused and LogRefused.
    """
    keystores = {name: Path(key.keystore) for name, key in config.keys.items()}
    keys = {
        name: load_keystore(keystores[name], read_password(key.password, environment))
        for name, key in config.keys.items()
    }
    for key in config.keys.values():
        environment.pop(key.password.env, None)
    for keystore in keystores.values():
        # Kept open on purpose, and never closed: the lock lasts as long as the descriptor.
        lock(os.open(keystore, os.O_RDONLY | os.O_CLOEXEC), keystore, lock_wait_ms)
    marks = {name: read_mark(keystore) for name, keystore in keystores.items()}
    log = open_log(
        Path(config.log), [mark for mark in marks.values() if mark is not None], lock_wait_ms=lock_wait_ms
    )
    for name, mark in marks.items():
        if mark is None:
            write_mark(keystores[name], _mark_of(log))
    return Signer(config, keys, log, clock)


def _mark_of(log: SignerLog) -> Mark:
    return Mark(log_id=log.log_id, seq=len(log.entries), head=log.head)


class Server:
    """The socket's side: who may ask, how long a frame may take, when to stop."""

    def __init__(self, signer: Signer, config: SignerConfig) -> None:
        self._signer = signer
        self._path = config.socket
        self._uids = {os.geteuid(), *config.client_uids}
        self._open_to_group = bool(config.client_uids)
        self._open: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._broken: LogBroken | None = None

    def stop(self) -> None:
        """Have `run` return. Nothing is awaited between reading a request and logging: none is left half."""
        self._stop.set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Listen until `stop`. ready: called once clients can connect. Raises LogBroken and ConfigRefused."""
        self._clear_the_path()
        before = os.umask(0o117 if self._open_to_group else 0o177)
        try:
            server = await asyncio.start_unix_server(self._connected, self._path)
        finally:
            os.umask(before)
        ready()
        await self._stop.wait()
        server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._clear_the_path()
        if self._broken is not None:
            raise self._broken

    def _clear_the_path(self) -> None:
        # The log's lock is ours, so a socket that lies here belongs to no living signer.
        path = Path(self._path)
        if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
            raise ConfigRefused(f"socket: {path} is there and no socket")
        path.unlink(missing_ok=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = _peer_uid(writer)
        if uid not in self._uids or len(self._open) >= CONNECTIONS_MAX:
            _report.warning("a connection of user %d is turned away", uid)
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                body = await _next_frame(reader)
                point("signer.request_read")
                writer.write(frame(self._answer(body)))
                await asyncio.wait_for(writer.drain(), FRAME_S_MAX)
                point("signer.answered")
        except (OSError, EOFError, TimeoutError) as error:
            _report.debug("a connection ended: %s", type(error).__name__)
        except FrameTooLarge as error:
            _report.warning("a connection is dropped: %s", error)
        except LogBroken as error:
            _report.critical("LOG BROKEN: %s. Ending, so that the next start reads what is on disk", error)
            self._broken = error
            self.stop()
        except Exception:  # noqa: BLE001 - the boundary loop of this process
            # A bug of ours costs this connection, not the others: their requests are as safe as before.
            _report.exception("a request failed")
        finally:
            writer.close()

    def _answer(self, body: bytes) -> Answer:
        try:
            request = read_request(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return RefusedAnswer(Reason.REQUEST_MALFORMED, str(error)[:256])
        return self._signer.answer(request)


async def _next_frame(reader: asyncio.StreamReader) -> bytes:
    first = await asyncio.wait_for(reader.readexactly(1), IDLE_S_MAX)
    async with asyncio.timeout(FRAME_S_MAX):
        return await reader.readexactly(body_length(first + await reader.readexactly(LENGTH.size - 1)))


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    connection: socket.socket = writer.get_extra_info("socket")
    _pid, uid, _gid = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    assert isinstance(uid, int)
    return uid


async def serve(
    signer: Signer, config: SignerConfig, ready: Callable[[], None], *, until_stdin_closes: bool
) -> None:
    """Run the server until SIGTERM, SIGINT or, when asked, the end of standard input (the parent's death)."""
    server = Server(signer, config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    if until_stdin_closes:

        def read_on() -> None:
            if not os.read(0, 4096):
                loop.remove_reader(0)
                server.stop()

        loop.add_reader(0, read_on)
    await server.run(ready)


def forbid_core_dumps() -> None:
    """A core file would hold the keys."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
