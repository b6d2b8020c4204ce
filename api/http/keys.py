"""Who may call: the keys in ASSAY_API_KEYS, as bearer tokens."""

from collections.abc import Sequence
from hmac import compare_digest
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import answer
from api.http.faces import face_of

OPEN_PATHS: Final = frozenset({"/health"})


OPEN_PREFIX: Final = "/uploads/"
"""Below it a path is itself the secret, handed out to who showed a key."""


class RequireKey:
    """Answer 401 to a request without one of `keys`, or what its face says where it has none at all.

    Without any keys, all may call.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self.app = app
        self.keys = [key.encode() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that may be made."""
        if scope["type"] != "http" or not self.keys or _is_open(scope["path"]) or self._knows(scope):
            await self.app(scope, receive, send)
            return
        status = 401 if "authorization" in Headers(scope=scope) else face_of(scope).no_key
        refusal = answer(scope, status, "Not authenticated")
        refusal.headers["WWW-Authenticate"] = "Bearer"
        await refusal(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        given = key.strip().encode("latin-1", "replace")
        matches = [compare_digest(given, known) for known in self.keys]  # all, so that the time tells nothing
        return scheme.lower() == "bearer" and any(matches)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIX)
