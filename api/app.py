"""The application: its faces, in plain lines."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.responses import JSONResponse

from api.body import BodyLimit
from api.errors import add_error_answers
from api.keys import RequireKey
from api.nemo import v2 as nemo_v2
from api.state import CurrentState, State

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(state: State, *, lifespan: Lifespan | None = None) -> FastAPI:
    """Return the service's application, working on `state`."""
    # Events of exceptions are off: a refused body would go out with its keys.
    app = FastAPI(title="Assay", lifespan=lifespan, telemetry={"logs": False})
    app.state.assay = state
    app.add_middleware(BodyLimit, limit=state.settings.max_body)
    app.add_middleware(RequireKey, keys=[key.get_secret_value() for key in state.settings.api_keys])
    add_error_answers(app)
    app.get("/health")(health)
    app.include_router(nemo_v2.router)
    return app


def health(state: CurrentState) -> JSONResponse:
    """Say whether a job can run now: 200 if so, 503 until then."""
    return JSONResponse({"status": "healthy"}) if state.ready() else JSONResponse({"status": "starting"}, 503)
