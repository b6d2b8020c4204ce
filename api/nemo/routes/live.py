"""NeMo's evaluations that are awaited: an ephemeral job, deleted once it is answered."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.http.errors import answer
from api.http.fields import JsonDict
from api.http.state import CurrentState, State
from api.http.submission import CurrentSubmission, Submission
from api.nemo import references
from api.nemo.present import v1 as present_v1
from api.nemo.present.archive import samples_json
from api.nemo.present.jobs import STATUS_V1
from api.nemo.routes import v1
from api.nemo.routes.v1_results import FACE, PREFIX
from api.nemo.schema import responses as wire
from api.nemo.schema.jobs import JobCreateV1
from core.errors import Conflict, NotFound, SpecInvalid
from core.job import TERMINAL, Job, base58_id, utcnow
from store.db.entities import StoredResult

PATIENCE_S: Final = 50.0
"""Clients wait for 60 s."""

LOOK_S: Final = 0.1
TOO_SLOW: Final = f"The evaluation was not done after {PATIENCE_S:g} s and is cancelled; create a job for it"
FORGOTTEN: Final = timedelta(seconds=2 * PATIENCE_S)
"""A live evaluation that is so old has lost the process that waited for it."""

TARGETS: Final = ("dataset", "rows")

router = APIRouter(prefix="/v1/evaluation", tags=["NeMo v1"])


@router.post("/live", response_model=wire.LiveEvaluation)
async def evaluate(
    request: Request, asked: JobCreateV1, submission: CurrentSubmission, state: CurrentState
) -> Response:
    """Evaluate rows or a small dataset, and answer with the scores and all samples once they are there."""
    job = await run_in_threadpool(_add_job, state, asked, submission)
    state.wake()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await _ending(state, job.id)
        return await run_in_threadpool(_answer, state, job.id)
    except TimeoutError:
        return answer(request.scope, 504, TOO_SLOW)
    except NotFound:
        raise Conflict("This evaluation was answered to another submission at the same request") from None
    finally:
        await run_in_threadpool(_discard, state, job)


def refuse_unless_live(body: JsonDict) -> None:
    """Raise SpecInvalid for what cannot be awaited: all but data tasks over rows or a dataset."""
    target, config = body["target"], body["config"]
    if target["type"] not in TARGETS:
        raise SpecInvalid(f"a live evaluation needs a target of type {' or '.join(TARGETS)}", field="target.type")
    if config["type"] != "custom":
        raise SpecInvalid("a live evaluation needs a config of type custom", field="config.type")
    for name, task in config["tasks"].items():
        if task["type"] != "data":
            raise SpecInvalid("a live evaluation has only tasks of type data", field=f"config.tasks.{name}.type")


def _add_job(state: State, asked: JobCreateV1, submission: Submission) -> Job:
    state.jobs.drop_ephemeral(utcnow() - FORGOTTEN)
    whole = references.expand(state, asked, asked.sealed)
    refuse_unless_live(whole.parts)
    return v1.add_job(state, asked, whole, submission, ephemeral=True)


async def _ending(state: State, job_id: str) -> None:
    """Wait until the job has ended. Raises NotFound if it is deleted meanwhile."""
    while True:
        if await run_in_threadpool(state.jobs.status, job_id) in TERMINAL:
            return
        await asyncio.sleep(LOOK_S)


def _answer(state: State, job_id: str) -> Response:
    job = state.jobs.listed(job_id, FACE)
    folder = state.folder(job_id)
    stored = StoredResult(
        id=base58_id(PREFIX), job=job_id, namespace=job.namespace, created_at=job.created_at, updated_at=job.updated_at
    )
    summaries = folder.read_summaries()
    live = wire.LiveEvaluation(
        status=STATUS_V1[job.status],
        status_details=present_v1.to_status(job, state.jobs.progress([job_id]).get(job_id)),
        result=None if summaries is None else present_v1.to_result(stored, job, summaries),
        logs={},
    )
    logs = orjson.Fragment(b"".join(samples_json(folder)))
    return Response(orjson.dumps({**live.model_dump(), "logs": logs}), media_type="application/json")


def _discard(state: State, job: Job) -> None:
    with suppress(NotFound):
        v1.discard(state, job.id)
