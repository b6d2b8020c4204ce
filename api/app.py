"""The application: its faces, in plain lines."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.responses import JSONResponse

from api.body import BodyLimit
from api.errors import ERROR_REFUSALS, REFUSALS, add_error_answers
from api.keys import RequireKey
from api.maniac import completions as maniac_completions
from api.maniac import containers as maniac_containers
from api.maniac import datasets as maniac_datasets
from api.maniac import evaluators as maniac_evaluators
from api.maniac import runs as maniac_runs
from api.native import routes as native_jobs
from api.native import samples as native_samples
from api.nemo import entities as nemo_entities
from api.nemo import live as nemo_live
from api.nemo import platform as nemo_platform
from api.nemo import v1 as nemo_v1
from api.nemo import v1_results as nemo_results
from api.nemo import v2 as nemo_v2
from api.nugen import benchmarks as nugen_benchmarks
from api.nugen import evaluations as nugen_evaluations
from api.state import CurrentState, State
from api.together import evaluations as together_evaluations
from api.together import files as together_files
from api.together import uploads as together_uploads
from api.together import whoami as together_whoami
from api.together.paths import OnePath

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
    for nemo in (nemo_entities, nemo_live, nemo_v1, nemo_results, nemo_platform, nemo_v2):
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
