"""The application: its faces, in plain lines."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.responses import JSONResponse

from api.body import BodyLimit
from api.errors import REFUSALS, add_error_answers
from api.keys import RequireKey
from api.native import routes as native_jobs
from api.native import samples as native_samples
from api.nemo import entities as nemo_entities
from api.nemo import live as nemo_live
from api.nemo import platform as nemo_platform
from api.nemo import v1 as nemo_v1
from api.nemo import v1_results as nemo_results
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
    for nemo in (nemo_entities, nemo_live, nemo_v1, nemo_results, nemo_platform, nemo_v2):
        app.include_router(nemo.router, responses=REFUSALS)
    for native in (native_jobs, native_samples):
        app.include_router(native.router, responses=REFUSALS)
    return app


def health(state: CurrentState) -> JSONResponse:
    """Say whether a job can run now: 200 if so, 503 until then."""
    return JSONResponse({"status": "healthy"}) if state.ready() else JSONResponse({"status": "starting"}, 503)
