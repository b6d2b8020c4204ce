"""Forms: they are sent by a page of ours, to one who is signed in."""

from typing import Annotated

from fastapi import Depends, Form, HTTPException, Request

from api.http.state import CurrentState


def check_form(request: Request, state: CurrentState, token: Annotated[str, Form()] = "") -> None:
    """Refuse a form that comes from no page of the same session; without keys, or with one shown, none need be."""
    is_bearer = "authorization" in request.headers  # which no page of another site can send, and was checked before
    if not is_bearer and not state.sessions.allows(state.sessions.of(request.scope), token):
        raise HTTPException(403, "This form is of another session: load the page again, and send it from there")


OwnForm = Depends(check_form)
