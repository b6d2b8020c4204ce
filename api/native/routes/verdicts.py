"""The routes of people's verdicts on a job's outputs."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.http.fields import PathText, Text
from api.http.state import CurrentState, State
from api.native.found import find
from api.native.routes.jobs import PREFIX
from api.native.schema.verdicts import KeptVerdict, KeptVerdicts, VerdictGiven, VerdictOn
from core.errors import InvalidInput
from core.job import utcnow
from core.verdict import Verdict
from tasks.samples.sample import sample_detail

router = APIRouter(prefix=PREFIX, tags=["Assay"])


@router.get("/{job_id}/verdicts")
def list_verdicts(job_id: PathText, state: CurrentState, metric: Text | None = None) -> KeptVerdicts:
    """Return what people said of a job's outputs, of all metrics or of one."""
    return KeptVerdicts(data=list(map(_shown, state.verdicts.of_job(find(state, job_id).id, metric))))


@router.put("/{job_id}/verdicts")
def put_verdict(job_id: PathText, given: VerdictGiven, state: CurrentState) -> KeptVerdict:
    """Keep what a person says of an output, in the place of what was said before on the same."""
    return _shown(keep(state, find(state, job_id).id, given))


@router.delete("/{job_id}/verdicts", status_code=204, response_class=Response)
def delete_verdict(job_id: PathText, on: Annotated[VerdictOn, Query()], state: CurrentState) -> None:
    """Take back what was said of an output; where nothing was said, nothing changes."""
    take_back(state, find(state, job_id).id, on)


def keep(state: State, job_id: str, given: VerdictGiven) -> Verdict:
    """Keep a verdict, in the place of an earlier one on the same.

    Raises NotFound for an output that there is not, Conflict before it is generated, and InvalidInput for a metric
    that its task does not have.
    """
    detail = sample_detail(state.folder(job_id), given.task, given.sample, target=given.target, trial=given.trial)
    known = [each.metric.name for each in detail.outputs[0].metrics]
    if given.metric not in known:
        raise InvalidInput(f"there is no metric {given.metric!r}; metrics: {', '.join(known)}")
    verdict = Verdict(job_id=job_id, **given.model_dump(), updated_at=utcnow())
    state.verdicts.put(verdict)
    return verdict


def take_back(state: State, job_id: str, on: VerdictOn) -> None:
    """Take back what was said; where nothing was said, nothing changes."""
    state.verdicts.drop(Verdict(job_id=job_id, **on.model_dump(), updated_at=utcnow()))


def _shown(verdict: Verdict) -> KeptVerdict:
    return KeptVerdict(**{name: getattr(verdict, name) for name in KeptVerdict.model_fields})
