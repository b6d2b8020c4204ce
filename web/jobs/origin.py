"""By which way a job came in, as a person knows it."""

from typing import Final
from uuid import UUID

from core.job import ListedJob, job_id_of

OWN: Final = "assay"
PREFECT: Final = "prefect"

MEANINGS: Final = {
    OWN: "Assay's own API, which assay run and these pages use",
    PREFECT: "a flow run that was started in Prefect",
}
"""What the words mean that are no vendor's protocol."""


def origin(job: ListedJob) -> str:
    """Return the word for it: a vendor's protocol, Assay's own API, or Prefect.

    Jobs of the latter two are shown to NeMo's clients, and so are recorded as of their second version.
    """
    if job.face != "nemo-v2":
        return job.face
    if job.flow_run_id and _is_registered_by(job.id, job.flow_run_id):
        return PREFECT
    asked = job.request.get("spec")
    return OWN if isinstance(asked, dict) and "targets" in asked else job.face


def _is_registered_by(job_id: str, flow_run_id: str) -> bool:
    try:
        return job_id == job_id_of(UUID(flow_run_id))
    except ValueError:
        return False
