"""What a job leaves on Prefect's Artifacts page: its results, and a line in its config's history."""

import re
from collections.abc import Iterable, Sequence
from typing import Final
from zlib import crc32

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from core import shown
from core.errors import AssayError
from core.job import Job
from core.result import Summary
from core.text import as_markdown

COLUMNS: Final = ("task", "target", "metric", "score", "mean [95 % interval]", "scored", "not scored", "cautions")


async def publish_results(job: Job, summaries: Sequence[Summary]) -> None:
    """Leave the job's results as a page, and as a table under a key that recurring jobs share."""
    page = markdown(job, summaries)
    await acreate_markdown_artifact(page, key=artifact_key(job.id), description=f"Results of {job.id}")
    key = artifact_key(f"{job.namespace}-{job.config or job.name}-results")
    await acreate_table_artifact(table(summaries), key=key, description=f"Results of {job.id}")


async def publish_failure(job: Job, error: AssayError) -> None:
    """Leave why the job failed, in the place of results."""
    why = f"**The job failed** ({error.code}, by the {error.blame}): {as_markdown(error.message)}"
    page = f"# {as_markdown(job.name)}\n\n{why}"
    await acreate_markdown_artifact(page, key=artifact_key(job.id), description=f"Why {job.id} failed")


def markdown(job: Job, summaries: Sequence[Summary]) -> str:
    """Return the page: a heading, a table of the summaries, and what its words mean."""
    few = shown.shortfall(summaries)
    warning = [f"**{as_markdown(few)}**", ""] if few else []
    names = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    rows = ["| " + " | ".join(row.values()) + " |" for row in table(summaries)]
    words = [f"- {line}" for line in shown.legend(summaries)]
    return "\n".join([f"# {as_markdown(job.name)}", "", *warning, *names, *rows, *([""] if words else []), *words])


def table(summaries: Iterable[Summary]) -> list[dict[str, str]]:
    """Return a row for each summary, of which Prefect takes each text for Markdown."""
    return [dict(zip(COLUMNS, map(as_markdown, _cells(each)), strict=True)) for each in summaries]


def _cells(each: Summary) -> tuple[str, ...]:
    names = (each.task, each.target, each.metric, each.name)
    figures = ", ".join([shown.mean(each), *shown.repeated(each)])
    return (*names, figures, shown.scored(each), ", ".join(shown.excluded(each)), shown.cautions(each))


def artifact_key(text: str) -> str:
    """Return `text` as Prefect wants a key: lowercase letters, digits and single dashes.

    What is not ASCII goes, so such a text is told from others by its checksum.
    """
    key = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return key if text.isascii() else f"{key}-{crc32(text.encode()):08x}".lstrip("-")
