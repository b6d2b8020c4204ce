"""The records of jobs that come from Prefect: each run that was started for no job gets one of its own."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from core.errors import AssayError, NameTaken, ServiceError, SpecInvalid
from core.job import Failure, Job, NewJob, Progress, job_id_of, renamed, utcnow
from core.spec import EvaluationSpec
from flows.form import Asked
from flows.spec_file import FileBounds, keep_rows, read_spec
from store.workspace import Workspace

COMPLETION_S: Final = 60.0
"""How long a run waits for the service to put in what its job names."""

LOOK_S: Final = 0.1


def register(
    workspace: Workspace,
    flow_run_id: UUID,
    asked: Asked,
    *,
    spec: EvaluationSpec | None = None,
    failure: Failure | None = None,
) -> Job:
    """Record the job of a flow run, or return the one that it has already.

    A name that is taken, as by an earlier run of a schedule, gets the end of the job's id.
    """
    job_id = job_id_of(flow_run_id)
    named = spec is None and asked.spec_file is None
    label = asked.name or Path(asked.spec_file or "").stem or None
    job = NewJob(
        id=job_id,
        face="nemo-v2",
        name=asked.name or job_id,
        project=asked.project,
        target=asked.target if named else None,
        config=asked.config if named else label,
        failure=failure,
        **_specified(spec, asked),
    )
    try:
        return workspace.jobs.register(job, str(flow_run_id))
    except NameTaken:
        return workspace.jobs.register(renamed(job), str(flow_run_id))


async def completed(workspace: Workspace, job: Job, *, attempt: int, worker: str, bounds: FileBounds) -> Job:
    """Return a job once it has a specification: that of its file, or what the service puts in for names.

    A job that is cancelled first is returned without. Raises SpecInvalid if there is none to be had, and
    ServiceError if no service does its part; both are recorded as the job's failure.
    """
    if job.spec is not None:
        return job
    with workspace.folder(job.id).lock.held():  # so that the run is not taken for dead
        try:
            return await _completed(workspace, job, bounds)
        except AssayError as error:
            failure = Failure(blame=error.blame, code=error.code, message=error.message)
            workspace.jobs.report(Progress(job.id, attempt, worker, utcnow(), failure=failure))
            raise


async def _completed(workspace: Workspace, job: Job, bounds: FileBounds) -> Job:
    if (file := job.request["spec"].get("spec_file")) is not None:
        keep = keep_rows(workspace.files, job.id, bounds)
        spec = await asyncio.to_thread(read_spec, Path(file), _overrides(job.request), keep, bounds)
        workspace.jobs.complete(job.id, spec=spec, model=spec.model, request=_request(spec))
        return workspace.jobs.get(job.id)
    deadline = time.monotonic() + COMPLETION_S
    while time.monotonic() < deadline:
        job = await asyncio.to_thread(workspace.jobs.get, job.id)
        if job.failure is not None:
            raise SpecInvalid(job.failure.message)
        if job.spec is not None or job.intent in ("cancel", "delete"):
            return job
        await asyncio.sleep(LOOK_S)
    raise ServiceError(
        f"no service on {workspace.settings.home} has looked up {job.target} and {job.config}: "
        "run `assay serve` on this ASSAY_HOME, or evaluate a spec_file"
    )


def _specified(spec: EvaluationSpec | None, asked: Asked) -> dict[str, Any]:
    if spec is None:
        return {"spec": None, "request": asked.request}
    spec = spec.with_params(asked.overrides)
    return {"spec": spec, "request": _request(spec), "model": spec.model}


def _request(spec: EvaluationSpec) -> dict[str, Any]:
    return {"spec": spec.model_dump(mode="json")}


def _overrides(request: Mapping[str, Any]) -> dict[str, int]:
    return {name: value for name, value in request.items() if name != "spec"}
