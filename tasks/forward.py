"""One call to a model outside of any job, which goes where the settings say."""

import asyncio
from typing import Final

from core.errors import NotFound
from core.settings import ModelSettings
from store.workspace import Workspace
from tasks.endpoint import Lane, Policy, Reply, Route, io_loop, route_url

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

    def url(self, model: str) -> str:
        """Return where a model is asked. Raises NotFound for one that the settings have no URL for."""
        settings = self._workspace.settings
        url = settings.models.get(model, ModelSettings()).url or settings.default_endpoint
        if url is None:
            raise NotFound(f"Model {model!r} has no URL: set ASSAY_DEFAULT_ENDPOINT or the model's url")
        return url

    def route(self, model: str) -> Route:
        """Return how a model is asked to chat. Raises NotFound as `url` does."""
        settings = self._workspace.settings
        own = settings.models.get(model, ModelSettings())
        key = None
        if own.api_key_env:
            key = self._workspace.vault.reveal(f"env:{own.api_key_env}")
        elif settings.default_api_key and own.url is None:
            key = settings.default_api_key.get_secret_value()
        return Route(
            url=route_url(self.url(model), "chat/completions"),
            model=model,
            api_key=key,
            max_retries=0,
            retry_window_s=PATIENCE_S,
            concurrency=own.concurrency,
            requests_per_minute=own.requests_per_minute,
        )

    async def ask(self, route: Route, request: bytes) -> Reply:
        """Make one call; whatever goes wrong is an outcome of the reply."""
        settings = self._workspace.settings
        loop = io_loop(Policy(allow=settings.allow_endpoints, private=settings.on_loopback))
        return await asyncio.wrap_future(loop.submit(loop.ask(route, request, lane=self._lane, role="target")))
