"""Who may call: the keys in ASSAY_API_KEYS, as bearer tokens."""

from collections.abc import Sequence
from hmac import compare_digest
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_PATHS: Final = frozenset({"/health"})


class RequireKey:
    """Answer 401 to a request without one of `keys`; without any keys, all may call."""

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self.app = app
        self.keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that may be made."""
        if scope["type"] != "http" or not self.keys or scope["path"] in OPEN_PATHS or self._knows(scope):
            await self.app(scope, receive, send)
            return
        refusal = JSONResponse({"detail": "Not authenticated"}, 401, headers={"WWW-Authenticate": "Bearer"})
        await refusal(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        given = key.strip().encode("latin-1", "replace")
        matches = [compare_digest(given, known) for known in self.keys]  # all, so that the time tells nothing
        return scheme.lower() == "bearer" and any(matches)
