"""An object store that speaks the protocol of S3, for tests alone: moto's, which keeps objects in memory.

It runs in an environment of its own, in which moto is (`make .venv/objects/installed`), listens on the address
that is its argument, and prints its port.
"""

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

_turn = threading.Lock()
_answer = DomainDispatcherApplication(create_backend_app)


def one_at_a_time(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer requests one after the other: moto looks whether an object is there, and then puts it."""
    with _turn:
        return _answer(environment, start)


if __name__ == "__main__":
    server = make_server(sys.argv[1], 0, one_at_a_time, threaded=True)
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()
