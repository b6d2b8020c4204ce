"""What `assay jobs show` says of a job beside its scores: where it stands, how long it took, and what it paid."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.table import Column, Table
from rich.text import Text

from cli.client import JsonDict
from cli.output import View
from cli.tables import cell
from core.text import one_line

LABELS: Final = {
    "job": "id",
    "status": "status",
    **{name: name for name in ("name", "description", "project", "model", "target", "config")},
    "retry of": "retry_of",
    "Prefect run": "flow_run_id",
}
"""The fields of a job that are shown where they say something, by what they are called."""


def job_fields(job: JsonDict, now: datetime | None = None) -> View:
    """Return a job's fields that say anything, one a row."""
    rows = [(label, value) for label, value in _fields(job, now or datetime.now(UTC))]
    table = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2, 0, 0))
    for label, value in rows:
        table.add_row(Text(one_line(label)), Text(one_line(value)))
    return View(("field", "value"), rows, table)


def usage_view(usage: Sequence[JsonDict]) -> View:
    """Return what was paid to each model: calls, retries, tokens, and the seconds that a call took."""
    columns = list(usage[0])
    taken_over = ["taken over"] if any(each["taken_over"] for each in usage) else []
    costs = ["cost"] if any(each.get("cost") is not None for each in usage) else []
    figures = ("calls", "failed", "retries", "tokens in", "tokens out", "s/call", *costs, *taken_over)
    table = Table(Column("model", overflow="fold"), "role", *(Column(name, justify="right") for name in figures))
    for each in usage:
        calls = each["calls"]
        counts = (calls, calls - each["answered"], each["retries"], each["prompt_tokens"], each["completion_tokens"])
        per_call = f"{each['seconds'] / calls:.2f}" if calls else "-"
        others = ["-" if each["cost"] is None else f"{each['cost']:.4f}" for _ in costs]
        others += [f"{each['taken_over']:,}" for _ in taken_over]
        table.add_row(
            *map(
                cell,
                (
                    each["model"],
                    each["role"],
                    *("-" if count is None else f"{count:,}" for count in counts),
                    per_call,
                    *others,
                ),
            )
        )
    return View(columns, [[each[name] for name in columns] for each in usage], table)


def _fields(job: JsonDict, now: datetime) -> Iterator[tuple[str, str]]:
    for label, name in LABELS.items():
        if job[name] and not (name == "name" and job["name"] == job["id"]):
            yield label, job[name]
    yield "created", job["created_at"][:19].replace("T", " ")
    created, started, finished = (_time(job[name]) for name in ("created_at", "started_at", "finished_at"))
    if created and started:
        yield "waited", _duration((started - created).total_seconds())
    if started:
        yield "ran" if finished else "has run", _duration(((finished or now) - started).total_seconds())
    for task, stages in job["progress"].items():
        told = (f"{stage} {count['done']:,} of {count['total']:,}" for stage, count in stages.items())
        yield f"task {task}", ", ".join(told)
    for bound in job["bounds"]:
        yield "calls to", bound


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest:.0f} s" if minutes else f"{rest:.1f} s"
