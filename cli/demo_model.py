"""A scripted model on loopback, for the demo: it answers trivia, and grades answers."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from flows.demo import ROWS as ANSWERED

ROWS = [{name: row[name] for name in ("question", "answer", "topic")} for row in ANSWERED]


def reply_to(prompt: str) -> str:
    """Answer a question of `ROWS`, some wrongly, or grade an answer from 0 to 4."""
    if "SCORE:" in prompt:
        expected, given = re.findall(r"^(?:Reference|Answer): (.*)$", prompt, re.MULTILINE)
        return f"The answer is {'right' if expected in given else 'wrong'}.\nSCORE: {4 if expected in given else 1}"
    return next((row["said"] for row in ANSWERED if row["question"] in prompt), "I do not know.")


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = reply_to(request["messages"][-1]["content"])
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}
        body = json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Keep quiet about a connection that a worker left when it was stopped."""


@contextmanager
def scripted_model() -> Iterator[str]:
    """Serve the model on a free port of this machine; yields its base URL."""
    with _Server(("127.0.0.1", 0), _Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
