"""The login, where keys are set: a key is shown once, and a cookie is had for it."""

import asyncio
import math
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.http.sessions import COOKIE, LASTS_S
from api.http.state import CurrentState, State
from web.render import page
from web.session.forms import OwnForm

router = APIRouter(include_in_schema=False)

HOME: Final = "/"
WRONG_TAKES_S: Final = 0.2
NO_KEY: Final = "This is no key of the service."
TOO_MANY: Final = "Too many wrong keys came from your address: try again in {} s."


@router.get("/login")
def show_login(request: Request, state: CurrentState, next: str = HOME) -> Response:
    """Show the form for a key; without keys there is nothing to sign in to."""
    if not state.sessions.are_needed or state.sessions.of(request.scope):
        return RedirectResponse(local(next), 303)
    return page(request, "login.html", next=local(next), problem=None)


@router.post("/login")
async def log_in(
    request: Request, state: CurrentState, key: Annotated[str, Form()] = "", next: Annotated[str, Form()] = HOME
) -> Response:
    """Begin a session for one who has a key, and go on where they wanted to; others wait before they can try again."""
    address = request.client.host if request.client else ""
    if wait_s := state.wrong_keys.wait_s(address):
        refusal = page(request, "login.html", 429, next=local(next), problem=TOO_MANY.format(math.ceil(wait_s)))
        refusal.headers["Retry-After"] = str(math.ceil(wait_s))
        return refusal
    cookie = state.sessions.begin(key)
    if cookie is None:
        state.wrong_keys.add(address)
        await asyncio.sleep(WRONG_TAKES_S)
        return page(request, "login.html", 401, next=local(next), problem=NO_KEY)
    response = RedirectResponse(local(next), 303)
    secure = _is_secure(request, state)
    response.set_cookie(COOKIE, cookie, max_age=LASTS_S, httponly=True, samesite="strict", secure=secure)
    return response


@router.post("/logout", dependencies=[OwnForm])
def log_out(request: Request, state: CurrentState) -> Response:
    """End the session: its cookie opens nothing any more, wherever it was copied to."""
    if cookie := state.sessions.of(request.scope):
        state.ended_sessions.add(*state.sessions.named(cookie))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def local(path: str) -> str:
    """Return a path of this service as it is, and the first page instead of anything else."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_local else HOME


def _is_secure(request: Request, state: State) -> bool:
    return request.url.scheme == "https" or (state.settings.public_url or "").startswith("https:")
