"""What a job leaves on Prefect's Artifacts page: its results, and a line in its config's history."""

import re
from collections.abc import Sequence
from math import isnan
from zlib import crc32

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from core.job import Job
from core.result import Summary
from core.text import as_markdown

COLUMNS = ("task", "target", "metric", "name", "count", "nan_count", "mean", "stddev")


async def publish_results(job: Job, summaries: Sequence[Summary]) -> None:
    """Leave the job's results as a page, and as a table under a key that recurring jobs share."""
    rows = [{column: getattr(summary, column) for column in COLUMNS} for summary in summaries]
    await acreate_markdown_artifact(markdown(job, rows), key=artifact_key(job.id), description=f"Results of {job.id}")
    key = artifact_key(f"{job.namespace}-{job.config or job.name}-results")
    await acreate_table_artifact(table(rows), key=key, description=f"Results of {job.id}")


def markdown(job: Job, rows: Sequence[dict[str, object]]) -> str:
    """Return the page: a heading, and a table of the summaries."""
    lines = [f"# {as_markdown(job.name)}", "", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(_cell(row[column]) for column in COLUMNS) + " |" for row in rows]
    return "\n".join(lines)


def table(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Return the rows of the table, of which Prefect takes each text for Markdown."""
    return [
        {name: as_markdown(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows
    ]


def artifact_key(text: str) -> str:
    """Return `text` as Prefect wants a key: lowercase letters, digits and single dashes.

    What is not ASCII goes, so such a text is told from others by its checksum.
    """
    key = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return key if text.isascii() else f"{key}-{crc32(text.encode()):08x}".lstrip("-")


def _cell(value: object) -> str:
    if isinstance(value, float) and not isnan(value):
        return f"{value:.4g}"
    return "" if value is None else as_markdown(str(value))
