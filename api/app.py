"""The application: its faces, in plain lines."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.responses import JSONResponse

from api.http.body import BodyLimit
from api.http.errors import ERROR_REFUSALS, REFUSALS, add_error_answers
from api.http.keys import RequireKey
from api.http.state import CurrentState, State
from api.maniac.routes import completions as maniac_completions
from api.maniac.routes import containers as maniac_containers
from api.maniac.routes import datasets as maniac_datasets
from api.maniac.routes import evaluators as maniac_evaluators
from api.maniac.routes import runs as maniac_runs
from api.native.routes import jobs as native_jobs
from api.native.routes import samples as native_samples
from api.nemo.routes import entities as nemo_entities
from api.nemo.routes import live as nemo_live
from api.nemo.routes import namespaces as nemo_namespaces
from api.nemo.routes import platform as nemo_platform
from api.nemo.routes import v1 as nemo_v1
from api.nemo.routes import v1_results as nemo_results
from api.nemo.routes import v2 as nemo_v2
from api.nugen.routes import benchmarks as nugen_benchmarks
from api.nugen.routes import evaluations as nugen_evaluations
from api.together.routes import evaluations as together_evaluations
from api.together.routes import files as together_files
from api.together.routes import uploads as together_uploads
from api.together.routes import whoami as together_whoami
from api.together.routes.paths import OnePath

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(state: State, *, lifespan: Lifespan | None = None) -> FastAPI:
    """Return the service's application, working on `state`."""
    # Events of exceptions are off: a refused body would go out with its keys.
    app = FastAPI(title="Assay", lifespan=lifespan, telemetry={"logs": False})
    app.state.assay = state
    app.add_middleware(BodyLimit, limit=state.settings.max_body, upload_limit=state.settings.max_upload)
    app.add_middleware(RequireKey, keys=[key.get_secret_value() for key in state.settings.api_keys])
    app.add_middleware(OnePath)
    add_error_answers(app)
    app.get("/health")(health)
    for nemo in (nemo_entities, nemo_live, nemo_v1, nemo_results, nemo_platform, nemo_namespaces, nemo_v2):
        app.include_router(nemo.router, responses=REFUSALS)
    for maniac in (maniac_evaluators, maniac_runs, maniac_containers, maniac_completions, maniac_datasets):
        app.include_router(maniac.router, responses=ERROR_REFUSALS)
        app.include_router(maniac.router, prefix="/api", include_in_schema=False)  # where older clients ask
    for together in (together_evaluations, together_files, together_uploads, together_whoami):
        app.include_router(together.router, responses=ERROR_REFUSALS)
    for nugen in (nugen_evaluations, nugen_benchmarks):
        app.include_router(nugen.router, responses=REFUSALS)
    for native in (native_jobs, native_samples):
        app.include_router(native.router, responses=REFUSALS)
    return app


def health(state: CurrentState) -> JSONResponse:
    """Say whether a job can run now: 200 if so, 503 until then."""
    return JSONResponse({"status": "healthy"}) if state.ready() else JSONResponse({"status": "starting"}, 503)
