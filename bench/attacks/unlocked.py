"""A server without locks: pages of other sites come from it, and what they try succeeds at it."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class _Open(http.server.BaseHTTPRequestHandler):
    """Answers who reads with a page, and notes what is written."""

    writes: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer `/writes` with what was written, all else with a page."""
        self._say(json.dumps(self.writes) if self.path == "/writes" else "<!doctype html><body>open</body>")

    def do_POST(self) -> None:
        """Take note."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.writes.append(self.path)
        self._say("open")

    do_PUT = do_DELETE = do_PATCH = do_POST  # noqa: N815 - as the library calls them

    def do_OPTIONS(self) -> None:
        """Allow all."""
        self._say("")

    def _say(self, text: str) -> None:
        self.send_response(200)
        for name in ("Origin", "Methods", "Headers"):
            self.send_header(
                f"Access-Control-Allow-{name}", "authorization, content-type" if name == "Headers" else "*"
            )
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def open_server() -> Iterator[int]:
    """Serve a page that others' pages may use too; yields the port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Open) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
