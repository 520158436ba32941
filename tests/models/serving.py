"""A real HTTP server on the loopback, for the time of a test."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any


class Served:
    """What came in, and what goes wrong: `troubles` are taken one by one, for each request the next.

    A trouble is a number (a status), a pair (status, headers), "drop" (the connection is closed without an answer) or
    bytes (sent as they are instead of JSON).
    """

    def __init__(self, answer: Callable[[Any], Any], troubles: Any = ()) -> None:
        self.answer, self.troubles = answer, list(troubles)
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""


@contextlib.contextmanager
def serving(answer: Callable[[Any], Any], troubles: Any = ()) -> Iterator[Served]:
    """A server that answers JSON with `answer(JSON)`."""
    served = Served(answer, troubles)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.bodies.append(body)
            served.headers.append(dict(self.headers))
            trouble = served.troubles.pop(0) if served.troubles else 200
            if trouble == "drop":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            content = trouble if isinstance(trouble, bytes) else b""
            status, headers = (200, {}) if content else trouble if isinstance(trouble, tuple) else (trouble, {})
            if status == 200 and not content:
                content = json.dumps(served.answer(body)).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}/predict"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
