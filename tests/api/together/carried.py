"""Jobs taken through all their stages without Prefect, as far as the API shows them."""

from dataclasses import replace
from typing import Any

from api.together.result_file import publish
from core.errors import AssayError
from core.job import JobStatus
from flows.control.finish import finish
from store.workspace import Workspace
from tasks.aggregate import aggregate
from tasks.engine.engine import Engine
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.resolve import resolve_job

ONCE = {"max_retries": 0}
"""Each call is made once."""


def carry_out(workspace: Workspace, job_id: str, **params: Any) -> None:
    """Do what the worker does with a job, then what the control loop does."""
    job = workspace.jobs.get(job_id)
    assert job.spec is not None
    engine = Engine(
        workspace,
        replace(job, spec=job.spec.with_params(ONCE | params)),
        attempt=1,
        worker="test",
        tell=lambda _: None,
    )
    status: JobStatus = "completed"
    with engine.engaged():
        try:
            with engine.failing():
                resolve_job(engine)
                for shard in engine.manifest.shards:
                    generate_shard(engine, shard, final=True)
                    judge_shard(engine, shard, final=True)
                aggregate(engine)
        except AssayError:
            status = "failed"
    if status == "completed":
        publish(workspace, job)
    finish(workspace, workspace.jobs.get(job_id), status)
