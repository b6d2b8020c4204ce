"""One call to a model outside of any job, which goes where the settings say."""

import asyncio
from collections.abc import Callable
from typing import Final

from core.endpoint import Endpoint, SecretRef
from core.errors import NotFound, SpecInvalid
from core.settings import Settings
from tasks.endpoint.access import route_to
from tasks.endpoint.limits.ledger import Ledger
from tasks.endpoint.loop import JobLimit, Policy, Reply, Route, io_loop

PARALLELISM: Final = 32
"""Calls at a time."""

PATIENCE_S: Final = 5.0
"""How long a call waits for an endpoint that asked to be left alone: whoever made it can wait and try again."""


class Forwarder:
    """Passes calls on to models, a few at a time and each once; beside jobs, whose limits are their own."""

    def __init__(self, settings: Settings, reveal: Callable[[SecretRef], str], ledger: Ledger | None = None) -> None:
        """Begin with no call; `reveal` returns the key behind a reference, and models' bounds are in the `ledger`."""
        self._settings, self._reveal, self._ledger = settings, reveal, ledger
        self._limit = JobLimit(PARALLELISM)

    def route(self, model: str) -> Route:
        """Return how a model is asked to chat. Raises NotFound for one that the settings have no URL for."""
        endpoint = Endpoint(model=model)
        try:
            return route_to(
                endpoint,
                "chat/completions",
                self._settings,
                self._reveal,
                max_retries=0,
                retry_window_s=PATIENCE_S,
                ledger=self._ledger,
            )
        except SpecInvalid as error:
            raise NotFound(error.message) from error

    async def ask(self, route: Route, request: bytes) -> Reply:
        """Make one call; whatever goes wrong is an outcome of the reply."""
        loop = io_loop(Policy(allow=self._settings.allow_endpoints, private=self._settings.on_loopback))
        return await asyncio.wrap_future(loop.submit(loop.ask(route, request, limit=self._limit, role="target")))
