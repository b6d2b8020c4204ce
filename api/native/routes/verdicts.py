"""The routes of people's verdicts on a job's outputs."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.http.state import CurrentState
from api.native.routes.jobs import PREFIX, JobId, find
from api.native.schema import Text
from api.native.verdicts import KeptVerdict, KeptVerdicts, VerdictGiven, VerdictOn, keep, take_back, to_kept

router = APIRouter(prefix=PREFIX, tags=["Assay"])


@router.get("/{job_id}/verdicts")
def list_verdicts(job_id: JobId, state: CurrentState, metric: Annotated[Text | None, Query()] = None) -> KeptVerdicts:
    """Return what people said of a job's outputs, of all metrics or of one."""
    return KeptVerdicts(data=list(map(to_kept, state.verdicts.of_job(find(state, job_id).id, metric))))


@router.put("/{job_id}/verdicts")
def put_verdict(job_id: JobId, given: VerdictGiven, state: CurrentState) -> KeptVerdict:
    """Keep what a person says of an output, in the place of what was said before on the same."""
    return to_kept(keep(state, find(state, job_id).id, given))


@router.delete("/{job_id}/verdicts", status_code=204, response_class=Response)
def delete_verdict(job_id: JobId, on: Annotated[VerdictOn, Query()], state: CurrentState) -> None:
    """Take back what was said of an output; where nothing was said, nothing changes."""
    take_back(state, find(state, job_id).id, on)
