"""A job held against the one before it of the same config, which Prefect's automations are told of as an event."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prefect.events import emit_event

from core.comparison import ScoreComparison
from core.job import Job, ListedJob
from core.queries.lists import Listing, OneOf, Within
from core.stats.words import Word
from flows.labels import run_name
from store.workspace import Workspace
from tasks.comparisons.compare import Asked, compare
from tasks.comparisons.sides import open_side

EVENT: Final = "assay.job.compared"
ORDER: Final[tuple[Word, ...]] = ("worse", "better", "inconclusive", "equivalent")
"""What is said of a job whose scores have several verdicts: the first of these."""

MOST_SCORES: Final = 50
"""Of an event."""


@dataclass(frozen=True)
class Compared:
    """A job's scores against those of a `former` one, each with its target."""

    job: Job
    former: ListedJob
    scores: Sequence[tuple[str, ScoreComparison]]

    @property
    def verdict(self) -> Word:
        """The one word: worse if a score is."""
        words = {score.verdict.word for _, score in self.scores if score.verdict}
        return next((word for word in ORDER if word in words), "inconclusive")

    @property
    def event(self) -> dict[str, Any]:
        """What Prefect is told: names, verdicts and figures."""
        job, former = self.job, self.former
        named = {"id": job.id, "name": job.name, "namespace": job.namespace, "project": job.project}
        return {
            "verdict": self.verdict,
            "job": named | {"target": job.target, "config": job.config},
            "baseline": {"id": former.id, "name": former.name},
            "scores": [_told(target, score) for target, score in self.scores[:MOST_SCORES]],
        }


def held_against_former(workspace: Workspace, job: Job) -> Compared | None:
    """Compare a job that has its results with the last one before it of the same config and target.

    Returns None if there is none. Raises AssayError if the two have nothing in common.
    """
    same = {"namespace": job.namespace, "config": job.config, "target": job.target, "project": job.project}
    terms = (OneOf((name,), (value,)) for name, value in (*same.items(), ("status", "completed")) if value)
    before = Within(("created_at",), stop=job.created_at)
    found, _ = workspace.jobs.page(job.face, Listing((*terms, before), page_size=1))
    if job.config is None or not found:
        return None
    return Compared(job, found[0], list(_compared(workspace, job, found[0])))


def tell(compared: Compared) -> None:
    """Emit the event."""
    job = compared.job
    emit_event(
        EVENT,
        resource={
            "prefect.resource.id": f"assay.job.{job.id}",
            "prefect.resource.name": run_name(job),
            "assay.verdict": compared.verdict,
            "assay.namespace": job.namespace,
            "assay.config": job.config or "",
        },
        payload=compared.event,
    )


def _compared(workspace: Workspace, job: Job, former: ListedJob) -> Iterator[tuple[str, ScoreComparison]]:
    assert job.spec is not None
    alike = {each: [workspace.folder(other) for other in workspace.jobs.alike(each)] for each in (former.id, job.id)}
    for target in job.spec.targets:
        if target.name != job.spec.reference:
            baseline, candidate = (open_side(workspace.folder(each), target.name) for each in (former.id, job.id))
            yield from ((target.name, score) for score in compare(baseline, candidate, Asked(), alike).scores)


def _told(target: str, score: ScoreComparison) -> dict[str, Any]:
    about, difference = score.about, score.difference
    baseline, candidate = score.means or (None, None)
    return {
        "task": about.task,
        "target": target,
        "metric": about.metric,
        "name": about.name,
        "verdict": score.verdict.word if score.verdict else None,
        "difference": difference and difference.value,
        "ci_low": difference and difference.interval.low,
        "ci_high": difference and difference.interval.high,
        "baseline": baseline,
        "candidate": candidate,
        "n": difference.n if difference else 0,
    }
