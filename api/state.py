"""What the routes work with, given to them by `create_app`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request

from core.settings import Settings
from store.entities import Entities, Results
from store.jobs import Jobs
from store.secrets import Vault


@dataclass(frozen=True, slots=True)
class State:
    """The stores behind the routes; `wake` tells the dispatcher that there is work, `ready` whether a job can run."""

    settings: Settings
    jobs: Jobs
    vault: Vault
    targets: Entities
    configs: Entities
    results_table: Results
    results: Path
    wake: Callable[[], None]
    ready: Callable[[], bool]


def current_state(request: Request) -> State:
    """Return the state of the application that serves this request."""
    return cast(State, request.app.state.assay)


CurrentState = Annotated[State, Depends(current_state)]
