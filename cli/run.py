"""`assay run`: submit a job, follow it to its end, and show its results."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.client import JOBS, Client, JsonDict
from cli.gates import Gate, check_summaries
from cli.place import Unreachable
from cli.serve import service
from cli.signals import heeding
from cli.specs import Request, read_request, with_sent_files
from cli.summaries import read_summaries, show_end, show_summaries
from cli.terminal import NOTES, note, say_json
from core.job import TERMINAL
from core.settings import Settings
from core.text import visible

POLL_S: Final = 0.3
CANCEL_S: Final = 30.0

EXIT_CODES: Final = {"completed": 0, "cancelled": 130}
FAILED: Final = 4
"""What the command ends with, by what became of the job."""

NO_GATE: Final = Gate()


def run(
    settings: Settings, file: Path, *, name: str | None, project: str | None, gate: Gate = NO_GATE, as_json: bool
) -> int:
    """Run the job that a file describes, on a service of its own if none is there; return the exit code.

    That of a completed job is the gate's. Raises InvalidInput for a metric of the gate that the job does not have.
    """
    request = read_request(file, name=name, project=project)
    with heeding(signal.default_int_handler), _some_service(settings) as (client, tend):
        job = submit(client, request, file.parent)
        note(f"Job {job['id']}")
        job = _follow(client, job["id"], tend)
        summaries = client.get(f"/{job['id']}/summaries")["data"]
    show(job, summaries, as_json=as_json)
    if job["status"] == "completed" and gate:
        code, why = check_summaries(read_summaries(summaries), gate)
        note(visible(why))
        return code
    return EXIT_CODES.get(job["status"], FAILED)


def submit(client: Client, request: Request, folder: Path) -> JsonDict:
    """Have a job made, whose files lie in a folder, and return it. Raises Refused."""
    return client.ask("POST", request.elsewhere or JOBS, json=with_sent_files(request.body, folder, client))


def show(job: JsonDict, told: list[JsonDict], *, as_json: bool) -> None:
    """Print what became of a job: its results to the output, the rest to the user."""
    summaries = read_summaries(told)
    if as_json:
        say_json({"job": job, "summaries": told}, indent=2)
    elif summaries:
        show_summaries(summaries)
    show_end(job, summaries)


@contextmanager
def _some_service(settings: Settings) -> Iterator[tuple[Client, Callable[[], None]]]:
    """Give a client of the service that runs, or of one that runs only for this, and what keeps that up."""
    try:
        client = Client()
    except Unreachable:
        note("No service runs here; starting one for this job")
    else:
        yield client, lambda: None
        return
    key = settings.api_keys[0].get_secret_value() if settings.api_keys else None
    with service(settings, note) as running:
        yield Client(running.listening_url, key), running.tend


def _follow(client: Client, job_id: str, tend: Callable[[], None]) -> JsonDict:
    """Show a job's progress until it ends; Ctrl-C or SIGTERM cancels it, and a second one leaves it at that."""
    try:
        return _wait(client, job_id, tend)
    except KeyboardInterrupt:
        note("Cancelling the job; Ctrl-C again to leave")
        client.post(f"/{job_id}/cancel")
        deadline = time.monotonic() + CANCEL_S
        while (job := client.get(f"/{job_id}"))["status"] not in TERMINAL and time.monotonic() < deadline:
            tend()
            time.sleep(POLL_S)
        return job | {"status": "cancelled"} if job["status"] == "cancelling" else job


def _wait(client: Client, job_id: str, tend: Callable[[], None]) -> JsonDict:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=NOTES, transient=True) as progress:
        bar = progress.add_task("created", total=None, rate="")
        while True:
            job = client.get(f"/{job_id}")
            done, total = steps(job)
            task = progress.tasks[0]
            rate = f"{task.finished_speed or task.speed or 0:.1f}/s"
            progress.update(bar, description=visible(job["status"]), completed=done, total=total or None, rate=rate)
            if job["status"] in TERMINAL:
                return job
            tend()
            time.sleep(POLL_S)


def steps(job: JsonDict) -> tuple[int, int]:
    """Return how many steps of a job are done, of how many: each sample passes each stage."""
    counts: list[dict[str, Any]] = [count for stages in job["progress"].values() for count in stages.values()]
    return sum(count["done"] for count in counts), sum(count["total"] for count in counts)
