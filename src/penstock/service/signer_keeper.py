"""The signer as our child process: started, watched, started again when it ends on its own."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from pathlib import Path

import structlog

from penstock.core.refusals import Unavailable
from penstock.signer.client import SignerClient
from penstock.signer.config import ConfigRefused
from penstock.signer.launch import SignerChild

CHECK_S = 0.5
SOCKET_PATH_MAX = 100
"""Below the 107 bytes that a unix socket's path may have (unix(7))."""

_log = structlog.get_logger(__name__)


class SignerKeeper:
    """Runs the signer as a child and starts it again when it ends on its own."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._child = SignerChild(config)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="signer-keeper", daemon=True)
        self._thread.start()

    def client(self) -> SignerClient:
        return SignerClient(self._child.socket_path)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._child.stop()

    def _watch(self) -> None:
        while not self._stop.wait(CHECK_S):
            if self._child.exit_code() is None:
                continue
            _log.error("the signer ended; starting it again", exit_code=self._child.exit_code())
            try:
                self._child = SignerChild(self._config)
            except (Unavailable, ConfigRefused) as error:
                _log.error("the signer does not start", reason=str(error))


class SignerElsewhere:
    """A signer that somebody else runs: several processes share one, because one log must guard one key."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path

    def client(self) -> SignerClient:
        return SignerClient(self._socket_path)

    def stop(self) -> None:
        """Nothing: it is not ours to end."""


def short_socket_path(state_dir: Path) -> Path:
    """Where the signer's socket goes: unix socket paths are short, so a deep state directory gets one elsewhere."""
    inside = state_dir / "signer" / "signer.sock"
    if len(os.fsencode(str(inside))) <= SOCKET_PATH_MAX:
        return inside
    digest = hashlib.sha256(os.fsencode(str(state_dir))).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"penstock-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / "signer.sock"
