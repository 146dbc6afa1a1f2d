"""A fake EVM node that says what a test wants, and passes on to a real node what the test leaves alone."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.nodes import Anvil, NodeAnsweredError

Said = dict[str, Any] | bytes
Lie = Callable[[Any], Any]


class FakeNode:
    """lies: method to what becomes of the true result. whole: method to a whole answer, as JSON or bytes."""

    def __init__(self, truth: Anvil | None = None) -> None:
        self.truth = truth
        self.lies: dict[str, Lie] = {}
        self.whole: dict[str, Callable[[int], Said]] = {"eth_chainId": lambda _: {"result": "0x7a69"}}
        self.asked: list[str] = []
        self.closes_connections = False
        self.url = ""

    def answer(self, question: dict[str, Any]) -> bytes:
        method = question["method"]
        self.asked.append(method)
        if method in self.whole:
            said = self.whole[method](question["id"])
            return said if isinstance(said, bytes) else self._json(question["id"], said)
        assert self.truth is not None, method
        try:
            said = {"result": self.truth.ask(method, *question["params"])}
        except NodeAnsweredError as error:
            return self._json(question["id"], {"error": error.args[0]})
        if method in self.lies:
            said["result"] = self.lies[method](said["result"])
        return self._json(question["id"], said)

    @staticmethod
    def _json(number: int, said: dict[str, Any]) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": number, **said}).encode()


@contextlib.contextmanager
def fake_node(truth: Anvil | None = None) -> Iterator[FakeNode]:
    fake = FakeNode(truth)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = fake.answer(question)
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            if fake.closes_connections:
                self.send_header("connection", "close")
            self.end_headers()
            # The reader may have gone away in the middle of a huge answer.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
