"""A hub on loopback, which may answer whatever a test wants."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

COMMIT = "a" * 40
ROWS = b'{"n": 1}\n{"n": 2}\n'
RESOLVED = "/datasets/org/ds/resolve/"
DIGESTS = {"ETag": f'"{"e" * 64}"', "X-Repo-Commit": COMMIT}

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


@dataclass
class Hub:
    """A hub on loopback with one dataset of one file; `twist` may answer in its place."""

    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    twist: Callable[[str, Answer], Answer] = lambda _, answer: answer

    def answer(self, path: str) -> Answer:
        if path.startswith(RESOLVED):
            found: Answer = (200, DIGESTS, ROWS) if path.endswith("/d.jsonl") else (404, {}, b"")
        elif path.startswith("/api/datasets/org/ds/revision/"):
            found = (200, {"Content-Type": "application/json"}, json.dumps({"id": "org/ds", "sha": COMMIT}).encode())
        elif path.startswith("/api/datasets/org/ds/tree/"):
            entries = [
                {"type": "file", "path": name, "oid": "b" * 40, "size": len(ROWS)} for name in ("d.jsonl", "z/d.jsonl")
            ]
            found = (200, {"Content-Type": "application/json"}, json.dumps(entries).encode())
        else:
            found = (404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b"{}")
        return self.twist(path, found)


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            hub.asked.append((self.path, self.headers.get("Authorization")))
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


BAD_NAMES = ["../../../../out", "/tmp/assay-out", "..", "e1", "a" * 31, "a" * 200, "a" * 40 + "/x", "%2e%2e", "\\..\\x"]
"""What is no digest, and must not become the name of a file."""
