"""One path for each route, whatever base URL a client was given.

The newest client adds `/v1` itself: given one that has it already, it asks for `/v1/v1/...`. And no path with a slash
at its end is redirected: the clients take a redirect for the place to upload to.
"""

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.faces import owner_of

DOUBLED: Final = re.compile(r"/v1(?=/v1(/|$)|/v3/whoami)")


def canonical(path: str) -> str:
    """Return the path of the route that a request is meant for."""
    path = DOUBLED.sub("", path) if DOUBLED.match(path) else path
    return path.rstrip("/") if owner_of(path) == "together" else path


class OnePath:
    """Pass requests on by their canonical paths."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Change the path of a request."""
        if scope["type"] == "http":
            scope = {**scope, "path": canonical(scope["path"])}
        await self.app(scope, receive, send)
