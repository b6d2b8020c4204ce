"""One call to a model outside of any job, which goes where the settings say."""

import asyncio
from typing import Final

from core.endpoint import Endpoint
from core.errors import NotFound, SpecInvalid
from store.workspace import Workspace
from tasks.endpoint import Lane, Policy, Reply, Route, io_loop, route_url
from tasks.place import place_of

PARALLELISM: Final = 32
"""Calls at a time."""

PATIENCE_S: Final = 5.0
"""How long a call waits for an endpoint that asked to be left alone: whoever made it can wait and try again."""


class Forwarder:
    """Passes calls on to models, a few at a time and each once; beside jobs, whose limits are their own."""

    def __init__(self, workspace: Workspace) -> None:
        """Begin with no call."""
        self._workspace = workspace
        self._lane = Lane(PARALLELISM)

    def route(self, model: str) -> Route:
        """Return how a model is asked to chat. Raises NotFound for one that the settings have no URL for."""
        try:
            place = place_of(Endpoint(model=model), self._workspace.settings)
        except SpecInvalid as error:
            raise NotFound(error.message) from error
        return Route(
            url=route_url(place.url, "chat/completions"),
            model=model,
            api_key=self._workspace.vault.reveal(place.reference) if place.reference else place.key,
            max_retries=0,
            retry_window_s=PATIENCE_S,
            concurrency=place.model.concurrency,
            requests_per_minute=place.model.requests_per_minute,
        )

    async def ask(self, route: Route, request: bytes) -> Reply:
        """Make one call; whatever goes wrong is an outcome of the reply."""
        settings = self._workspace.settings
        loop = io_loop(Policy(allow=settings.allow_endpoints, private=settings.on_loopback))
        return await asyncio.wrap_future(loop.submit(loop.ask(route, request, lane=self._lane, role="target")))
