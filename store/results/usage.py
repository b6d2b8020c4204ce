"""What a job's calls came to, by model and role: finished shards and journals together, so also while it runs."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from core.metric import Judge
from core.plan import Manifest
from core.result import CallOutcome, ModelUsage, Role, Usage
from core.spec import ModelTarget
from store.results import schemas
from store.results.folder import JobFolder

KEYS: Final = ["role", "task", "target", "metric", "outcome", "paid_by"]
TOKENS: Final = [each.name for each in fields(Usage)]


class _Group(NamedTuple):
    """Calls that have the same keys, counted."""

    role: Role
    task: str
    target: str
    metric: str
    outcome: CallOutcome
    paid_by: str | None
    number: int
    made: int
    attempts: int
    seconds: float
    tokens: Usage


def usage_by_model(folder: JobFolder) -> list[ModelUsage]:
    """Return what a job has paid to each model in each role, targets first; nothing before the job is resolved.

    Raises ResultsMissing or SchemaMismatch for files that cannot be read.
    """
    manifest = folder.read_manifest()
    if manifest is None:
        return []
    models = _models(manifest)
    found: dict[tuple[Role, str], ModelUsage] = {}
    files, journals = folder.recorded()
    for group in chain(_finished(folder, files), _journalled(folder, journals)):
        model = models[group.task, group.metric] if group.role == "judge" else models["", group.target]
        before = found.get((group.role, model), ModelUsage(model, group.role))
        found[group.role, model] = _added(before, group)
    return sorted(found.values(), key=lambda usage: (usage.role != "target", usage.model))


def usage_by_role(usages: Iterable[ModelUsage]) -> dict[Role, Usage]:
    """Return the tokens that a job has paid for, targets' first; nothing of a role that was not asked."""
    tokens: dict[Role, Usage] = {}
    for each in usages:
        if each.calls:
            tokens[each.role] = tokens.get(each.role, Usage()) + each.tokens
    return tokens


def _models(manifest: Manifest) -> dict[tuple[str, str], str]:
    """Return the names of the models: targets' by ("", name), judges' by (task, name)."""
    targets = {("", each.name): each.endpoint.model for each in manifest.spec.targets if isinstance(each, ModelTarget)}
    judges = {
        (task.name, metric.name): metric.endpoint.model
        for task in manifest.spec.tasks
        for metric in task.metrics
        if isinstance(metric, Judge)
    }
    return targets | judges


def _added(usage: ModelUsage, group: _Group) -> ModelUsage:
    if group.paid_by is not None:
        return replace(usage, taken_over=usage.taken_over + group.number)
    return replace(
        usage,
        calls=usage.calls + group.made,
        answered=usage.answered + (group.number if group.outcome == "answered" else 0),
        retries=usage.retries + group.attempts - group.made,
        seconds=usage.seconds + group.seconds,
        tokens=usage.tokens + group.tokens,
    )


def _finished(folder: JobFolder, files: Iterable[Path]) -> Iterator[_Group]:
    for file in files:
        table = folder.read_rows(file, "calls", [*KEYS, "attempts", "seconds", *TOKENS])
        if table is not None:
            yield from _groups(table)


def _journalled(folder: JobFolder, journals: Iterable[Path]) -> Iterator[_Group]:
    for path in journals:
        calls = {
            call.key: replace(call, request="", response=None, error=None)
            for _, call in folder.journals.recorded(path)
            if call is not None
        }
        yield from _groups(schemas.calls_table(calls.values()))


def _groups(table: pa.Table) -> Iterator[_Group]:
    made = pc.cast(pc.greater(table["attempts"], 0), pa.int64())
    sums = ["made", "attempts", "seconds", *TOKENS]
    counted = table.append_column("made", made).group_by(KEYS)
    counts = counted.aggregate([("role", "count"), *((name, "sum") for name in sums)])
    for row in counts.to_pylist():
        keys = [row[name] for name in KEYS]
        asked, attempts, seconds, *tokens = (row[f"{name}_sum"] for name in sums)
        yield _Group._make([*keys, row["role_count"], asked, attempts, seconds, Usage(*tokens)])
