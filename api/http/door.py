"""Requests of browsers: refused where they come from another site, or under a name that is not the service's."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import answer
from core.door import Door


class OwnPages:
    """Answer 403 to what a door refuses."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that is let in."""
        if scope["type"] == "http" and (refusal := self.door.refusal(scope["headers"], scope["method"])):
            await answer(scope, 403, refusal)(scope, receive, send)
            return
        await self.app(scope, receive, send)
