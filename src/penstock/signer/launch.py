"""Setting a signer up in a folder of its own, and running it as a child process."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from penstock.core.refusals import Unavailable
from penstock.core.secret import Secret
from penstock.signer.client import SignerClient
from penstock.signer.config import KeyConfig, SecretPlace, SignerConfig, read_config, write_config
from penstock.signer.limits import NetworkLimits

PLAY_SCRYPT_N = 2**14
"""Some 50 ms at each start. Keys that hold value take the default of `--create-keys`."""

KEY = "hot"
"""The name of the one key that `set_up` makes; the limits handed to it name it."""

READY_S_MAX = 30.0
STOP_S_MAX = 10.0
COMMAND = (sys.executable, "-m", "penstock.signer")


class SetUpFailed(Exception):
    """The child that makes keys and log ended without having made them; the text is what it said."""


def set_up(
    folder: Path,
    networks: dict[str, NetworkLimits],
    *,
    secret: Secret | None = None,
    scrypt_n: int = PLAY_SCRYPT_N,
    socket_path: Path | None = None,
) -> Path:
    """Make a signer's folder (0700) with password, key and empty log; returns its configuration.

    networks: by code, each naming the key KEY. scrypt_n: the keystore's work factor, a power of two.
    secret: 32 bytes of a known key (a test node's funded one); None draws one in a child, so that we never
    see it. socket_path: where that folder's own path is too long for a socket.
    For play money: the password lies beside the key. Raises SetUpFailed, also when it was set up before.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "signer.json"
    if path.exists():
        raise SetUpFailed(f"{path} is there already")
    key = KeyConfig(keystore="key.json", password=SecretPlace(file="password"))
    socket = "signer.sock" if socket_path is None else str(socket_path.absolute())
    config = SignerConfig(socket=socket, log="signer.log", keys={KEY: key}, networks=networks)
    # Under its own name only when all is made: a set-up that was killed is simply done again.
    begun = path.with_name("signer-new.json")
    write_config(begun, config)
    options = ["--config", str(begun), "--init", "--create-keys", "--scrypt-n", str(scrypt_n)]
    made = subprocess.run(
        [*COMMAND, *options, *([] if secret is None else ["--key-from-stdin"])],
        input=b"" if secret is None else secret.reveal().hex().encode(),
        capture_output=True,
        check=False,
        timeout=READY_S_MAX,
    )
    if made.returncode:
        raise SetUpFailed(made.stderr.decode(errors="replace").strip())
    begun.replace(path)
    return path


class SignerChild:
    """A signer that runs as our child and ends with us, even when we are killed."""

    def __init__(
        self,
        config: Path,
        *,
        environment: Mapping[str, str] | None = None,
        stderr: IO[bytes] | int | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """Start it and wait until it listens. Raises Unavailable when it does not; its stderr says why.

        environment: of the child, ours when None. stderr: as subprocess takes it. command: what runs it.
        """
        self.socket_path = Path(read_config(config).socket)
        reading, writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [*command, "--config", str(config), "--until-stdin-closes", "--ready-fd", str(writing)],
                # We never write to it: the kernel closes it when we end, and with that the child ends.
                stdin=subprocess.PIPE,
                stderr=stderr,
                pass_fds=(writing,),
                env=None if environment is None else dict(environment),
            )
        finally:
            os.close(writing)
        try:
            heard = select.select([reading], [], [], READY_S_MAX)[0] and os.read(reading, 16)
        finally:
            os.close(reading)
        if not heard:
            self.kill()
            raise Unavailable(f"the signer did not start (exit code {self._process.returncode})")

    @property
    def pid(self) -> int:
        return self._process.pid

    def client(self) -> SignerClient:
        """A new client of it; close it yourself."""
        return SignerClient(self.socket_path)

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def wait(self, timeout_s: float = STOP_S_MAX) -> int:
        """Wait for its end; returns the exit code. Raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout_s)

    def stop(self) -> int:
        """SIGTERM, and wait; SIGKILL when that takes too long. Returns the exit code; twice is harmless."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self._close()

    def kill(self) -> int:
        """SIGKILL, as a crash would; returns the exit code."""
        self._process.kill()
        code = self._process.wait(STOP_S_MAX)
        self._close()
        return code

    def _close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
