"""Between the store and its PostgreSQL: a socket that cuts a connection at its COMMIT, as a network may."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from urllib.parse import quote

_SOCKET = ".s.PGSQL.5432"
_COMMIT = b"COMMIT\0"
_BYTES = 1 << 16


class CuttingProxy:
    """Forwards to the socket in `server`. cut: "before" or "after" for the next COMMIT, "" for none.

    "before": COMMIT never reaches the server. "after": it does, and its answer is lost.
    """

    def __init__(self, server: Path) -> None:
        self.cut = ""
        self.cuts = 0
        self._server = server
        self._folder = Path(tempfile.mkdtemp(prefix="cut-"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / _SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self._folder), safe='')}"

    def close(self) -> None:
        # shutdown() ends a waiting accept(), close() alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        shutil.rmtree(self._folder)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server / _SOCKET))
                link = _Link(self, client, server)
                threading.Thread(target=link.to_server, daemon=True).start()
                threading.Thread(target=link.to_client, daemon=True).start()


class _Link:
    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._mute = False

    def to_server(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(_BYTES):
                if self._proxy.cut and _COMMIT in data:
                    how, self._proxy.cut = self._proxy.cut, ""
                    self._proxy.cuts += 1
                    if how == "before":
                        break
                    self._mute = True
                self._server.sendall(data)
        if not self._mute:
            self._end()

    def to_client(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(_BYTES):
                if self._mute:
                    # The server has answered: its commit is done.
                    break
                self._client.sendall(data)
        self._end()

    def _end(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
