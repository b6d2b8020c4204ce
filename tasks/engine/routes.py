"""Where a job's models are asked and by whose key, and what their endpoints bear of it now."""

from collections.abc import Iterator

from core.endpoint import Endpoint, Prompt
from core.spec import Params
from store.workspace import Workspace
from tasks.endpoint.access import route_to
from tasks.endpoint.limits.bearing import Told
from tasks.endpoint.loop import IoLoop, Route
from tasks.engine.keys import Keys


class Routes:
    """The routes to the models that a job has asked so far."""

    def __init__(self, workspace: Workspace, params: Params, keys: Keys, loop: IoLoop) -> None:
        """Begin with none; the keys of each are added to `keys`."""
        self._workspace = workspace
        self._params = params
        self._keys = keys
        self._loop = loop
        self._routes: dict[str, Route] = {}
        self._told: dict[str, Told] = {}

    def to(self, endpoint: Endpoint, prompt: Prompt) -> Route:
        """Return how `endpoint` is asked with `prompt`: its URL, key and bounds."""
        route = route_to(
            endpoint,
            prompt.route,
            self._workspace.settings,
            self._keys.reveal,
            timeout_s=self._params.request_timeout_s,
            max_retries=self._params.max_retries,
            retry_window_s=self._params.retry_window_s,
            ledger=self._workspace.ledger,
        )
        self._told.setdefault(route.place, Told())
        self._routes[route.place] = route
        self._keys.add((route.api_key, *route.secrets))
        return route

    def bounds(self) -> tuple[str, ...]:
        """Return what holds up the calls now, in a sentence for each model of which there is one."""
        return tuple(said for route in list(self._routes.values()) if (said := self._loop.bearing(route).now))

    def news(self) -> Iterator[str]:
        """Yield of each model what its endpoint bears, if that has changed by much since it was said last."""
        for place, route in list(self._routes.items()):
            if news := self._told[place].news(self._loop.bearing(route)):
                yield f"{place}: {news}"
