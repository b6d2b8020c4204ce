"""What the flow run of a job is found by in Prefect: its name and its tags."""

from typing import Final

from prefect.client.schemas.objects import FlowRun

from core.job import SHORT_ID, Job, OpenJob, job_id_of
from core.text import one_line

LONGEST_NAME: Final = 100


def job_deployment(pool: str) -> str:
    """Return the deployment whose runs the API starts, by job id; services on one Prefect server differ in pools."""
    return f"job-{pool}"


def run_name(job: Job | OpenJob) -> str:
    """Return the name of a job's run: what the job is called, or what it is about, and the end of its id."""
    end = job.id[-SHORT_ID:]
    about = job.name if job.name != job.id else job.config or job.model or job.face
    called = one_line(about)[:LONGEST_NAME]
    return called if called.endswith(end) else f"{called}-{end}"


def tags(job: Job | OpenJob) -> list[str]:
    """Return the tags of a job's run; all models are in them of a job whose specification is at hand."""
    models = job.spec.models if isinstance(job, Job) and job.spec else (job.model,)
    named = [
        ("name", job.name if job.name != job.id else None),
        ("namespace", job.namespace),
        ("project", job.project),
        ("config", job.config),
        *(("model", model) for model in models),
    ]
    return [job.face, job_tag(job.id), *(f"{name}:{one_line(value)[:LONGEST_NAME]}" for name, value in named if value)]


def is_labelled(run: FlowRun) -> bool:
    """Tell whether a run has the labels of the job that it has registered; earlier releases named it by the job."""
    job_id = job_id_of(run.id)
    return job_tag(job_id) in run.tags or run.name == job_id


def job_tag(job_id: str) -> str:
    """Return the tag of all runs of a job."""
    return f"job:{job_id}"
