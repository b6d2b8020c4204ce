"""The application: its faces, in plain lines."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute

from api.http.aside import Aside
from api.http.body import BodyLimit, QueryLimit
from api.http.described import describe
from api.http.door import OwnPages
from api.http.errors import ERROR_REFUSALS, REFUSALS, add_error_answers
from api.http.keys import RequireKey
from api.http.state import CurrentState, State
from api.maniac.face import MANIAC
from api.metrics import show_metrics
from api.native.face import NATIVE
from api.nemo.face import NEMO
from api.nugen.face import NUGEN
from api.together.face import TOGETHER
from api.together.routes.paths import OnePath
from web.errors import error_page
from web.pages import PAGES, STATIC
from web.render import compile_templates

FACES: Final = (NEMO, MANIAC, TOGETHER, NUGEN, PAGES, NATIVE)
"""The faces, in the order in which a path is looked for in them."""


def _routes() -> list[BaseRoute]:
    """Return the routes of all faces, ready to be found.

    FastAPI makes them ready when a path is first looked for among them, which takes half a second of a process: it
    is nobody's request that waits for that, and all applications of a process have the same routes.
    """
    every = APIRouter()
    for face in FACES:
        for router in face.routers:
            every.include_router(router, responses=ERROR_REFUSALS if face.errors == "error" else REFUSALS)
            if face.also_below:
                every.include_router(router, prefix=face.also_below, include_in_schema=False)
    for route in every.routes:
        route.matches({"type": "http", "method": "GET", "path": "/", "headers": []})
    return every.routes


ROUTES: Final = _routes()

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(state: State, *, lifespan: Lifespan | None = None, apart: bool = False) -> FastAPI:
    """Return the service's application, working on `state`; one that is `apart` reads large bodies itself."""
    # Events of exceptions are off: a refused body would go out with its keys.
    app = FastAPI(title="Assay", lifespan=lifespan, telemetry={"logs": False}, docs_url=None, redoc_url=None)
    app.state.assay, app.state.faces, app.state.error_page = state, FACES, error_page
    aside = None if apart else Aside(state.settings, state.wake)
    app.add_middleware(BodyLimit, limit=state.settings.max_body, upload_limit=state.settings.max_upload, aside=aside)
    keys = [key.get_secret_value() for key in state.settings.api_keys]
    app.add_middleware(RequireKey, keys=keys, sessions=state.sessions)
    app.add_middleware(QueryLimit)
    app.add_middleware(OnePath)
    app.add_middleware(OwnPages, door=state.settings.door)
    add_error_answers(app)
    app.get("/health")(health)
    app.get("/metrics", include_in_schema=False)(show_metrics)
    app.router.routes.extend(ROUTES)
    app.mount("/static", STATIC)
    describe(app, version("assay-evals"))
    if not apart:
        compile_templates()
    return app


def health(state: CurrentState) -> JSONResponse:
    """Say whether a job can run now: 200 if so, 503 until then."""
    return JSONResponse({"status": "healthy"}) if state.ready() else JSONResponse({"status": "starting"}, 503)
