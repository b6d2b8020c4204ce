"""`assay fsck`: whether the results of jobs are whole and agree with each other."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from cli.terminal import say, say_json
from core.queries.job_names import Called, meant
from store.objects.disk import DISK
from store.objects.objects import Objects
from store.results.folder import JobFolder, job_ids
from store.results.views import query
from tasks.fsck.results import Report, fsck

DIFFERS = 4


def check(results: Path, job: str | None, *, as_json: bool, objects: Objects = DISK) -> int:
    """Check a job, or with None all that have results; return the exit code. Raises NotFound and InvalidInput."""
    ids = job_ids(results, objects)
    named = [_named(results, job, ids, objects)] if job else ids
    return _tell((fsck(JobFolder(results, each, objects)) for each in named), as_json=as_json)


def _named(results: Path, job: str, ids: Sequence[str], objects: Objects) -> str:
    """Return the id of the job that is called so, as far as results tell."""
    names = {} if job in ids else dict(query(results, "SELECT job_id, name FROM jobs", objects=objects).rows)
    return meant(job, [Called(each, names.get(each), None) for each in ids])


def _tell(reports: Iterable[Report], *, as_json: bool) -> int:
    code = 0
    for report in reports:
        if report.difference:
            code = DIFFERS
        say_json(asdict(report)) if as_json else say(_line(report))
    return code


def _line(report: Report) -> str:
    counted = f"{report.samples:,} samples, {report.scores:,} scores, {report.calls:,} calls"
    counted += f" ({report.taken_over:,} taken over)" if report.taken_over else ""
    found = f"DIFFERS: {report.difference}" if report.difference else f"{counted}: nothing differs"
    return f"{report.job_id} ({report.status or 'has not ended'}): {found}"
