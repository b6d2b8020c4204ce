"""What the routes work with, given to them by `create_app`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self, cast

from fastapi import Depends, Request

from api.http.sessions import Sessions
from api.http.wrong_keys import WrongKeys
from store.workspace import Workspace
from tasks.endpoint.forward import Forwarder


@dataclass(frozen=True)
class State(Workspace):
    """The workspace; `wake` tells the dispatcher that there is work, `ready` whether a job can run."""

    wake: Callable[[], None]
    ready: Callable[[], bool]

    @classmethod
    def over(cls, workspace: Workspace, *, wake: Callable[[], None], ready: Callable[[], bool]) -> Self:
        """Return the state of an application that works on `workspace`."""
        return cls(**vars(workspace), wake=wake, ready=ready)

    @cached_property
    def forwarder(self) -> Forwarder:
        """What passes on single calls to models."""
        return Forwarder(self.settings, self.vault.reveal, self.ledger)

    @cached_property
    def sessions(self) -> Sessions:
        """Who has come in by a browser."""
        keys = [key.get_secret_value() for key in self.settings.api_keys]
        return Sessions(keys, self.vault.fingerprint, self.ended_sessions)

    @cached_property
    def wrong_keys(self) -> WrongKeys:
        """From where wrong keys came to the login."""
        return WrongKeys()


def current_state(request: Request) -> State:
    """Return the state of the application that serves this request."""
    return cast(State, request.app.state.assay)


CurrentState = Annotated[State, Depends(current_state)]
