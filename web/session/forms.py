"""Forms: they are sent by a page of ours, to one who is signed in."""

from typing import Annotated

from fastapi import Depends, Form, HTTPException, Request

from api.http.state import CurrentState


def check_form(request: Request, state: CurrentState, token: Annotated[str, Form()] = "") -> None:
    """Refuse a form that comes from no page of the same session; without keys, or with one shown, none need be."""
    cookie = state.sessions.of(request.scope)
    is_bearer = cookie is None and "authorization" in request.headers  # without a session it was let in by its key
    if not is_bearer and not state.sessions.allows(cookie, token):
        raise HTTPException(403, "This form is of another session: load the page again, and send it from there")


OwnForm = Depends(check_form)
