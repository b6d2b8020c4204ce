"""What a job leaves on Prefect's Artifacts page: its results, and a line for each of its targets in a history."""

import re
from collections.abc import Iterator
from typing import Any, Final
from zlib import crc32

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from core import shown
from core.errors import AssayError
from core.job import Job
from core.spec import EvaluationSpec, ModelTarget
from core.text import as_markdown
from flows.page import Findings, markdown

RECORDED: Final = "recorded"
"""What stands for the model of outputs that were there."""


async def publish_results(found: Findings) -> None:
    """Leave the job's results as a page, and those of a stored config in the history of each of its targets."""
    job = found.job
    described = f"Results of {job.id}"
    await acreate_markdown_artifact(markdown(found), key=artifact_key(job.id), description=described)
    if job.config is not None:  # jobs that share none have no history
        for key, rows in histories(found):
            await acreate_table_artifact(rows, key=key, description=described)


async def publish_failure(job: Job, error: AssayError) -> None:
    """Leave why the job failed, in the place of results."""
    why = f"**The job failed** ({error.code}, by the {error.blame}): {as_markdown(error.message)}"
    page = f"# {as_markdown(job.name)}\n\n{why}"
    await acreate_markdown_artifact(page, key=artifact_key(job.id), description=f"Why {job.id} failed")


def histories(found: Findings) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the key of each target's history, and what the job adds to it: a row for each score."""
    spec, job = found.manifest.spec, found.job
    evaluated = [target for target in spec.targets if target.name != spec.reference]
    for target in evaluated:
        own = f"-{target.name}" if len(evaluated) > 1 else ""
        rows = [
            {
                **_texts(model=_model(spec, target.name), task=each.task, metric=each.metric, score=each.name),
                "mean": each.mean,
                "low": each.ci_low,
                "high": each.ci_high,
                "scored": each.count,
                "not scored": each.nan_count,
                **_texts(cautions=shown.cautions(each), job=job.name),
            }
            for each in found.summaries
            if each.target == target.name
        ]
        yield artifact_key(f"{job.namespace}-{job.config}{own}-results"), rows


def _model(spec: EvaluationSpec, name: str) -> str:
    target = next(each for each in spec.targets if each.name == name)
    return target.endpoint.model if isinstance(target, ModelTarget) else RECORDED


def _texts(**texts: str) -> dict[str, str]:
    """Return texts of a table, of which Prefect takes each for Markdown."""
    return {name: as_markdown(text) for name, text in texts.items()}


def artifact_key(text: str) -> str:
    """Return `text` as Prefect wants a key: lowercase letters, digits and single dashes.

    What is not ASCII goes, so such a text is told from others by its checksum.
    """
    key = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return key if text.isascii() else f"{key}-{crc32(text.encode()):08x}".lstrip("-")
