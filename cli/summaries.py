"""A job's summaries as people see them: a table, what its words mean, and what must not be overlooked."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from cli import terminal
from cli.client import JsonDict
from cli.output import put
from cli.tables import summary_view
from core import shown
from core.result import Summary


def read_summaries(told: Sequence[JsonDict]) -> list[Summary]:
    """Return summaries as a service told them; one of an older release tells less."""
    rows: list[list[Any]] = [[each.get(field.name) for field in fields(Summary)] for each in told]
    return [Summary(*row) for row in rows]


def show_summaries(summaries: Sequence[Summary]) -> None:
    """Print a table of summaries to the output, and what its words mean to the user."""
    put(summary_view(summaries))
    for line in shown.legend(summaries):
        terminal.note(line)


def show_end(job: JsonDict, summaries: Sequence[Summary]) -> None:
    """Tell what became of a job: why it failed or waits, or loudly that it scored next to nothing."""
    few = shown.shortfall(summaries)
    reason = job["failure"]["message"] if job["failure"] else few or job["note"]
    line = f"{job['status']}{f': {reason}' if reason else ''}"
    terminal.warn(line) if few else terminal.note(line)
