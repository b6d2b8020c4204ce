"""One path for each route, whatever base URL a client was given.

The newest client adds `/v1` itself: given one that has it already, it asks for `/v1/v1/...`. And no path with a slash
at its end is redirected: the clients take a redirect for the place to upload to.
"""

import re
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.faces import Face, owner

PATHS: Final = re.compile(r"/v1/(v1|evaluations?|files|whoami)(/|$)|/v3/whoami/?$|/uploads/")
"""All paths of Together's."""

DOUBLED: Final = re.compile(r"/v1(?=/v1(/|$)|/v3/whoami)")


def canonical(path: str, faces: Sequence[Face]) -> str:
    """Return the path of the route that a request is meant for; other faces come before."""
    path = DOUBLED.sub("", path) if DOUBLED.match(path) else path
    return path.rstrip("/") if owner(faces, path).paths is PATHS else path


class OnePath:
    """Pass requests on by their canonical paths."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Change the path of a request."""
        if scope["type"] == "http":
            scope = {**scope, "path": canonical(scope["path"], scope["app"].state.faces)}
        await self.app(scope, receive, send)
