"""From the core's words to those of NeMo's first version: a job, its status and its result."""

from collections.abc import Sequence
from typing import Final

from api.http.fields import JsonDict
from api.nemo.present import jobs as present
from api.nemo.present.jobs import STATUS_V1, to_time
from api.nemo.schema import responses as wire
from core.job import ListedJob, Progress
from core.result import Summary
from store.db.entities import NewResult, StoredResult
from store.secrets import mask

ENTITY: Final[JsonDict] = {
    "schema_version": "1.0",
    "id": None,
    "description": None,
    "type_prefix": None,
    "namespace": "default",
    "project": None,
    "created_at": None,
    "updated_at": None,
    "custom_fields": {},
    "ownership": None,
    "name": None,
    "type": None,
}
TARGET: Final = ENTITY | dict.fromkeys(("cached_outputs", "model", "retriever", "rag", "rows", "dataset"))
CONFIG: Final = ENTITY | dict.fromkeys(("params", "tasks", "groups"))
TASK: Final[JsonDict] = dict.fromkeys(("type", "params", "metrics", "dataset"))


def to_job(job: ListedJob, progress: Progress | None, result_id: str | None) -> wire.JobV1:
    """Return the job as its client sees it, its target and config in full and with nulls."""
    target, config = mask(job.request["target"]), mask(job.request["config"])
    if isinstance(config.get("tasks"), dict):
        # Those of a config that cannot be carried out may be anything.
        tasks = config["tasks"].items()
        config["tasks"] = {name: {**TASK, **task} if isinstance(task, dict) else task for name, task in tasks}
    details = {} if STATUS_V1[job.status] == "created" else present.status_details(job, progress)
    masked = mask({"ownership": job.ownership, "custom_fields": job.custom_fields or {}})
    return wire.JobV1(
        id=job.id,
        namespace=job.namespace,
        description=job.description,
        project=job.project,
        created_at=to_time(job.created_at),
        updated_at=to_time(job.updated_at),
        target=TARGET | {"type_prefix": "eval-target"} | target,
        config=CONFIG | {"type_prefix": "eval-config"} | config,
        result=result_id if has_begun(job, progress) else None,
        output_files_url=job.request.get("output_files_url"),
        status=STATUS_V1[job.status],
        status_details=wire.StatusDetails(**details),
        **masked,
    )


def to_status(job: ListedJob, progress: Progress | None) -> wire.StatusV1:
    """Return how far the job is, always in numbers."""
    return wire.StatusV1(status=STATUS_V1[job.status], **present.status_details(job, progress))


def has_begun(job: ListedJob, progress: Progress | None) -> bool:
    """Tell whether the job's execution has started, from when on it has a result."""
    return progress is not None or job.started_at is not None


def new_result(job: ListedJob, result_id: str) -> NewResult:
    """Return the result that a new job will have."""
    return NewResult(id=result_id, job=job.id, namespace=job.namespace, project=job.project)


def to_result(stored: StoredResult, job: ListedJob | None = None, summaries: Sequence[Summary] = ()) -> wire.Result:
    """Return a result; what was not stored with it is read off its job's scores."""
    scores = present.to_results(job, summaries).model_dump(exclude_none=True) if job else {}
    return wire.Result(
        id=stored.id,
        job=stored.job,
        namespace=stored.namespace,
        project=stored.project,
        description=stored.description,
        created_at=to_time(stored.created_at),
        updated_at=to_time(max(stored.updated_at, job.updated_at) if job else stored.updated_at),
        **mask({"custom_fields": stored.custom_fields, "ownership": stored.ownership}),
        files_url=stored.files_url,
        tasks=scores.get("tasks", {}) if stored.tasks is None else stored.tasks,
        groups=scores.get("groups", {}) if stored.groups is None else stored.groups,
    )
