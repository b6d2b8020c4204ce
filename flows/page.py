"""The page that a finished job leaves in Prefect: Markdown in which no text of a user's is anything but a text."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from core import shown
from core.job import Job
from core.plan import Manifest
from core.result import Role, Summary, Usage
from core.spec import Dataset, FilesDataset
from core.text import as_markdown
from flows.former import Compared
from tasks.samples.worst import Worst

COLUMNS: Final = ("task", "target", "metric", "score", "mean [95 % interval]", "scored", "not scored", "cautions")
LONGEST: Final = 200
"""Characters of a row or an output that are shown."""


@dataclass(frozen=True)
class Findings:
    """What there is to tell of a job that is done; `url` is where its page lies."""

    job: Job
    summaries: Sequence[Summary]
    manifest: Manifest
    seconds: float
    url: str
    tokens: Mapping[Role, Usage] = field(default_factory=dict)
    worst: Worst | None = None
    compared: Compared | None = None


def markdown(found: Findings) -> str:
    """Return the page."""
    few = shown.shortfall(found.summaries)
    parts = [
        [f"# {as_markdown(found.job.name)}"],
        [f"**{as_markdown(few)}**"] if few else [],
        _table(("", ""), _facts(found)),
        _table(COLUMNS, map(cells, found.summaries)),
        [f"- {line}" for line in shown.legend(found.summaries)],
        _against(found.compared) if found.compared else [],
        _worst(found.worst) if found.worst else [],
        [f"[All samples]({found.url}) · {as_markdown(found.job.id)}"],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def cells(each: Summary) -> tuple[str, ...]:
    """Return a summary in words, by `COLUMNS`."""
    names = (each.task, each.target, each.metric, each.name)
    figures = ", ".join([shown.mean(each), *shown.repeated(each)])
    return (*names, figures, shown.scored(each), ", ".join(shown.excluded(each)), shown.cautions(each))


def _facts(found: Findings) -> Iterator[tuple[str, str]]:
    spec = found.manifest.spec
    named = [name for name in (found.job.target, found.job.config) if name]
    if named:
        yield "target, config", ", ".join(named)
    yield "models", ", ".join(spec.models) or "none: recorded outputs"
    datasets = {task.name: task.dataset for task in spec.tasks}
    for digest in found.manifest.datasets:
        source = _source(datasets[digest.task])
        yield f"dataset of {digest.task}", f"{digest.rows:,} rows of {source}, sha256 {digest.sha256[:12]}"
    yield "duration", f"{found.seconds:,.1f} s"
    for role, usage in found.tokens.items():
        yield f"tokens, {role}", f"{_count(usage.prompt_tokens)} in, {_count(usage.completion_tokens)} out"
    for note in found.manifest.notes:
        yield "note", note


def _against(compared: Compared) -> list[str]:
    former = compared.former
    columns = ("task", "target", "metric", "score", "difference [95 % interval]", "pairs", "verdict")
    rows = []
    for target, score in compared.scores:
        difference, about = score.difference, score.about
        shown_difference = (
            f"{difference.value:+.3f} [{difference.interval.low:+.3f}, {difference.interval.high:+.3f}]"
            if difference
            else "none"
        )
        pairs = f"{difference.n:,}" if difference else "0"
        word = score.verdict.word if score.verdict else ""
        rows.append((about.task, target, about.metric, about.name, shown_difference, pairs, word))
    title = f"## {compared.verdict.capitalize()} against {as_markdown(former.name)} ({as_markdown(former.id)})"
    return [title, "", *_table(columns, rows)]


def _worst(worst: Worst) -> list[str]:
    about = " / ".join(map(as_markdown, (worst.task, worst.metric, worst.name)))
    rows = (
        (str(each.sample), each.target, f"{each.value:.3f}", _short(json.dumps(each.item)), _short(each.output or ""))
        for each in worst.samples
    )
    return [f"## The worst by {about}", "", *_table(("sample", "target", "value", "row", "output"), rows)]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table, in whose cells Markdown shows texts as they are."""
    lines = [columns, ["---"] * len(columns), *(map(as_markdown, row) for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _source(dataset: Dataset) -> str:
    return dataset.url if isinstance(dataset, FilesDataset) else "the request"


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens:,}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
