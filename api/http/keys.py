"""Who may call: who has one of the keys in ASSAY_API_KEYS, as a bearer token or in a browser's session."""

from collections.abc import Sequence
from hmac import compare_digest
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import answer
from api.http.faces import face_of, is_for_people
from api.http.sessions import Sessions

LOGIN: Final = "/login"
OPEN_PATHS: Final = frozenset({"/health", LOGIN})
OPEN_PREFIXES: Final = ("/uploads/", "/static/")
"""Below them a path is itself the secret, handed out to who showed a key, or there is none to keep."""

READING: Final = frozenset({"GET", "HEAD"})


class RequireKey:
    """Answer 401 to a request without one of `keys`, or what its face says where it has none at all.

    A session is enough to read, and for the pages, whose forms are checked where they are read. A person is led to the
    login. Without any keys, all may call.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str], sessions: Sessions) -> None:
        self.app = app
        self.keys = [key.encode() for key in keys]
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that may be made."""
        if scope["type"] != "http" or not self.keys or _is_open(scope["path"]) or await self._knows(scope):
            await self.app(scope, receive, send)
            return
        await _refusal(scope)(scope, receive, send)

    async def _knows(self, scope: Scope) -> bool:
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        given = key.strip().encode("latin-1", "replace")
        matches = [compare_digest(given, known) for known in self.keys]  # all, so that the time tells nothing
        if scheme.lower() == "bearer" and any(matches):
            return True
        is_for_sessions = scope["method"] in READING or face_of(scope).errors == "page"
        return is_for_sessions and bool(await run_in_threadpool(self.sessions.of, scope))


def _refusal(scope: Scope) -> Response:
    if scope["method"] in READING and is_for_people(scope):
        query = scope.get("query_string", b"").decode("latin-1")
        to_login = f"{LOGIN}?next={quote(scope['path'] + ('?' + query if query else ''), safe='')}"
        if "hx-request" in Headers(scope=scope):  # a part of a page, which goes there as a whole
            return Response(status_code=401, headers={"HX-Redirect": to_login})
        return RedirectResponse(to_login, 303)
    status = 401 if "authorization" in Headers(scope=scope) else face_of(scope).no_key
    refusal = answer(scope, status, "Not authenticated")
    refusal.headers["WWW-Authenticate"] = "Bearer"
    return refusal


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)
