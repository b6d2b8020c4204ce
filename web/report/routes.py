"""The route that sends the report of a job."""

from collections.abc import Iterator
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from api.http.fields import NO_NUL, PathText
from api.http.state import CurrentState, State
from api.native.found import find, named_side
from api.native.lists import refusal
from core.job import ListedJob, utcnow
from store.results.folder import JobFolder
from tasks.comparisons.pairing import Paired, pair_results
from tasks.comparisons.samples import changed_samples
from tasks.comparisons.sides import Side
from tasks.samples.sample import sample_detail
from tasks.summaries.slices import count_job
from web.compare.question import Question
from web.compare.routes import compared, read_question
from web.jobs import job as views
from web.jobs import listing as lists
from web.jobs.routes import read_figures
from web.query import READS_ITSELF
from web.render import HEADERS
from web.report.choice import Chosen, choose
from web.report.document import ShownSample, document, shown_sample

SAMPLES: Final = 100
OWN: Final = frozenset({"against", "target", "samples"})

Filled = Annotated[str, Field(min_length=1), NO_NUL]

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}/report", dependencies=[READS_ITSELF])
@router.get("/api/assay/v1/jobs/{job_id}/report", dependencies=[READS_ITSELF])
def send_report(
    request: Request,
    job_id: PathText,
    state: CurrentState,
    against: Annotated[Filled | None, Query()] = None,
    target: Annotated[Filled | None, Query()] = None,
    samples: Annotated[int, Query(ge=0, le=1000)] = SAMPLES,
) -> Response:
    """Send a job as one file: how it did, and up to so many samples; `against` is what it is compared with.

    A `target` is one of the job's, where it is to be named which is compared; what else can be asked of a comparison
    is asked as on its page.
    """
    job = find(state, job_id)
    folder = state.folder(job.id)
    comparison, regressed = None, list[Chosen]()
    if question := _question(request, job, against, target):
        sides = (named_side(state, question.a, question.a_trial), named_side(state, question.b, question.b_trial))
        paired = pair_results(*sides, question.asked.match)
        comparison = compared(state, question, sides, paired)
        regressed = list(_regressed(sides, paired, samples))
    chosen, number = choose(folder, regressed, samples)
    values = _job(state, job, folder) | {"comparison": comparison, "number": number}
    named = quote(f"{job.name}.html", safe="")
    return HTMLResponse(
        document(values, _shown(state, folder, chosen)),
        headers={**HEADERS, "Content-Disposition": f"attachment; filename*=UTF-8''{named}"},
    )


def _question(request: Request, job: ListedJob, against: str | None, target: str | None) -> Question | None:
    """Return what is asked of a comparison, if there is to be one."""
    asked = {name: value for name, value in request.query_params.items() if name not in OWN}
    if against is not None:
        return read_question({**asked, "a": against, "b": f"{job.id}/{target}" if target else job.id})
    if target is not None or asked:
        raise refusal(
            "against", f"{min(asked, default='target')!r} is of a comparison: say what the job is held against"
        )
    return None


def _regressed(sides: tuple[Side, Side], paired: Paired, most: int) -> Iterator[Chosen]:
    """Yield the candidate's samples that regressed, score by score."""
    for metric, name in dict.fromkeys((each.metric, each.name) for each in paired.scores if each.is_of_each):
        title = metric if metric == name else f"{metric} / {name}"
        for each in changed_samples(sides, paired, (metric, name), "regressed", limit=most):
            yield Chosen(each.task, each.candidate.sample, f"regressed by {abs(each.difference):g} in {title}")


def _job(state: State, job: ListedJob, folder: JobFolder) -> dict[str, Any]:
    """Return what is shown of a job as on its page."""
    whole = state.jobs.get(job.id)
    return {
        "row": lists.job_row(whole, state.settings, state.jobs.progress([job.id]).get(job.id), ()),
        "figures": read_figures(folder),
        "counted": views.counted(count_job(state, whole).statistics),
        "facts": views.facts(whole, folder.read_manifest()),
        "specification": views.specification(whole.spec),
        "made_at": utcnow(),
    }


def _shown(state: State, folder: JobFolder, chosen: list[Chosen]) -> Iterator[ShownSample]:
    for index, each in enumerate(chosen, start=1):
        detail = sample_detail(folder, each.task, each.number)
        yield shown_sample(index, each, detail, state.verdicts.of_sample(folder.job_id, each.task, each.number))
