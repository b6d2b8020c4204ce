"""What is attacked: a service with a home of its own, and what stands around it that no attack may reach."""

import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx

from bench.victims import Service, free_port
from tests.scripted import ScriptedEndpoint
from tests.tasks.datasets.hub import Hub, serving

T = TypeVar("T")

OPERATOR_TOKEN: Final = "hf_operator_0123456789abcdef"
"""What the operator's environment has for the hub; no attack may have it sent anywhere."""


class Try(NamedTuple):
    """An attempt: what it was, and what it achieved, if anything."""

    name: str
    success: str | None = None


class Canary:
    """A server on loopback that nobody has reason to call; `visits` are what connections to it began with."""

    def __init__(self) -> None:
        """Listen on any free port."""
        self.visits: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(1.0)
                self.visits.append(b"")
                self.visits[-1] = connection.recv(1_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")


@dataclass
class Site:
    """A service, and the endpoint and the hub that its settings allow it to ask; `most` bounds the tries of an area."""

    url: str
    home: Path
    http: httpx.Client
    endpoint: ScriptedEndpoint
    hub: Hub
    canary: Canary
    prefect_url: str
    sign_in: tuple[str, str]
    most: int | None = None
    notes: list[str] = field(default_factory=list)

    def some(self, each: Sequence[T]) -> list[T]:
        """Return all, or as many as are to be tried, evenly spread."""
        if self.most is None or len(each) <= self.most:
            return list(each)
        return [each[number * len(each) // self.most] for number in range(self.most)]

    def prefect(self, **how: Any) -> httpx.Client:
        """Return a client of Prefect's server that is not signed in unless `auth` says so."""
        return httpx.Client(base_url=self.prefect_url, timeout=30, trust_env=False, **how)


@contextmanager
def attacked(steady_url: str) -> Iterator[tuple[Site, int]]:
    """Run a service that may ask one hub, one endpoint and the one at `steady_url`.

    Yields it, and the process of its supervisor.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-attacks-")))
        endpoint = stack.enter_context(ScriptedEndpoint())
        hub = stack.enter_context(serving(Hub()))
        canary = Canary()
        stack.callback(canary.close)
        home = folder / "outside" / "home"
        home.mkdir(parents=True)
        running = Service(home, free_port(), _settings(endpoint, hub, steady_url))
        stack.callback(running.stop)
        http = stack.enter_context(httpx.Client(base_url=running.url, timeout=120, trust_env=False))
        user, _, password = (home / "prefect" / "sign-in").read_text().strip().partition(":")
        prefect = running.said("Prefect") + "/api"
        yield Site(running.url, home, http, endpoint, hub, canary, prefect, (user, password)), running.pid


def _settings(endpoint: ScriptedEndpoint, hub: Hub, steady_url: str) -> dict[str, str]:
    allowed = [urlsplit(url).netloc for url in (endpoint.url, steady_url)]
    return {
        "ASSAY_ALLOW_ENDPOINTS": ",".join(allowed),
        "ASSAY_HUBS": hub.url,
        "HF_TOKEN": OPERATOR_TOKEN,
        "ASSAY_DEFAULT_ENDPOINT": endpoint.url,
    }
