"""A job followed to its end: how many of its samples have passed all stages, and what the others wait for."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.client import Client, JsonDict, job_path
from cli.terminal import NOTES, note
from core.job import TERMINAL
from core.text import visible

POLL_S: Final = 0.3
CANCEL_S: Final = 30.0


class Samples(NamedTuple):
    """How many samples of a job have passed all its stages, of how many, and how many wait for which stage."""

    done: int
    total: int
    to_generate: int
    to_judge: int


def samples_of(job: JsonDict) -> Samples:
    """Count the samples of a job, each once."""
    tasks = job["progress"].values()
    total = sum(stages["generate"]["total"] for stages in tasks)
    generated = sum(stages["generate"]["done"] for stages in tasks)
    judged = sum(stages["judge"]["done"] for stages in tasks)
    return Samples(judged, total, total - generated, generated - judged)


def state_of(job: JsonDict) -> str:
    """Say what a job does, and what waits."""
    samples = samples_of(job)
    if job["status"] == "running":
        waiting = {"to generate": samples.to_generate, "to judge": samples.to_judge}
        return ", ".join(f"{count} {stage}" for stage, count in waiting.items() if count) or "running"
    return f"{job['status']}{': ' + job['note'] if job['note'] else ''}"


def follow(client: Client, job_id: str, tend: Callable[[], None]) -> JsonDict:
    """Show a job's progress until it has ended, and return it; `tend` is called meanwhile."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=NOTES, transient=True, disable=not NOTES.is_terminal) as progress:
        bar = progress.add_task("created", total=None, rate="")
        while True:
            job = client.get(job_path(job_id))
            samples, task = samples_of(job), progress.tasks[0]
            rate = f"{task.finished_speed or task.speed or 0:.1f}/s"
            told = visible(state_of(job))
            progress.update(bar, description=told, completed=samples.done, total=samples.total or None, rate=rate)
            if job["status"] in TERMINAL:
                return job
            tend()
            time.sleep(POLL_S)


def follow_or_cancel(client: Client, job_id: str, tend: Callable[[], None]) -> JsonDict:
    """Follow a job; Ctrl-C or SIGTERM cancels it, and a second one leaves it at that."""
    try:
        return follow(client, job_id, tend)
    except KeyboardInterrupt:
        note("Cancelling the job; Ctrl-C again to leave")
        client.post(job_path(job_id, "cancel"))
        deadline = time.monotonic() + CANCEL_S
        while (job := client.get(job_path(job_id)))["status"] not in TERMINAL and time.monotonic() < deadline:
            tend()
            time.sleep(POLL_S)
        return job | {"status": "cancelled"} if job["status"] == "cancelling" else job
