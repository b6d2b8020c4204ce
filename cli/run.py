"""`assay run`: submit a job, follow it to its end, and show its results."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from cli.client import JOBS, Client, JsonDict, job_path
from cli.follow import follow, follow_or_cancel
from cli.gates import INCONCLUSIVE, PASSED, Gate, check_summaries
from cli.place import Unreachable
from cli.serve import service
from cli.signals import heeding
from cli.specs import Request, check_request, check_rows, read_request, with_sent_files
from cli.summaries import read_summaries, show_end, show_summaries
from cli.terminal import note, say_json
from core.result import Summary
from core.settings import Settings
from core.shown import least_scored, shortfall
from core.text import visible

RENAMING: Final = "Assay-Rename"
"""The header of a request that takes another name where the one it gives is taken."""

SCORES: Final = "Assay-Scores"
"""The header of a request that wants its job to have these scores, escaped as in URLs, with commas between."""

EXIT_CODES: Final = {"completed": 0, "cancelled": 130}
FAILED: Final = 4
"""What the command ends with, by what became of the job."""

NO_GATE: Final = Gate()


def run(
    settings: Settings, file: Path, *, name: str | None, project: str | None, gate: Gate = NO_GATE, as_json: bool
) -> int:
    """Run the job that a file describes, on a service of its own if none is there; return the exit code.

    That of a completed job is the gate's. Raises Refused for a score of the gate that the job would not have.
    """
    request = read_request(file, name=name, project=project)
    check_rows(request, file.parent)
    with heeding(signal.default_int_handler), _some_service(settings, request) as (client, tend):
        job = submit(client, request, file.parent, gate)
        note(f"Job {job['id']}{_called(job, name)}")
        note(f"Page {client.url}/jobs/{job['id']}")
        try:
            job = follow_or_cancel(client, job["id"], tend)
        except KeyboardInterrupt:
            return _left(job["id"])
        return _end(client, job, gate, as_json=as_json)


def follow_again(named: str, *, gate: Gate = NO_GATE, as_json: bool) -> int:
    """Follow a job that is there, as `run` does; Ctrl-C leaves it as it is. Raises Refused."""
    client = Client()
    return followed(client, client.get(job_path(named))["id"], gate=gate, as_json=as_json)


def followed(client: Client, job_id: str, *, gate: Gate = NO_GATE, as_json: bool) -> int:
    """Follow a job to its end and show what became of it; return the exit code. Ctrl-C leaves the job as it is."""
    with heeding(signal.default_int_handler):
        try:
            job = follow(client, job_id, lambda: None)
        except KeyboardInterrupt:
            return _left(job_id)
    return _end(client, job, gate, as_json=as_json)


def submit(client: Client, request: Request, folder: Path, gate: Gate = NO_GATE) -> JsonDict:
    """Have a job made, whose files lie in a folder, and return it; a name that is taken is changed.

    Raises Refused, also for a gate that asks for what the job will not have.
    """
    body = with_sent_files(request.body, folder, client)
    headers = {RENAMING: "true"}
    if gate.least:
        headers[SCORES] = ",".join(quote(name, safe="") for name, _ in gate.least)
    return client.ask("POST", request.elsewhere or JOBS, json=body, headers=headers)


def _called(job: JsonDict, name: str | None) -> str:
    return f" is called {job['name']}: there is a {name} already" if name not in (None, job["name"]) else ""


def _left(job_id: str) -> int:
    note(f"The job goes on as it is; to see more of it: assay run --follow {job_id}")
    return EXIT_CODES["cancelled"]


def _end(client: Client, job: JsonDict, gate: Gate, *, as_json: bool) -> int:
    """Print what became of a job, the results to the output, the rest to the user; return the exit code.

    What must not be overlooked is said last.
    """
    told = client.get(job_path(job["id"], "summaries"))["data"]
    summaries = read_summaries(told)
    if as_json:
        say_json({"job": job, "summaries": told}, indent=2)
    elif summaries:
        show_summaries(summaries)
    is_asked = job["status"] == "completed" and bool(gate)
    code, why = check_summaries(summaries, gate) if is_asked else (PASSED, "")
    few = shortfall(summaries)
    if few and why:
        note(visible(why))
    show_end(job, summaries)
    if few:
        note(_for_instance(client, job["id"], summaries))
    if why and not few:
        note(visible(why))
    if job["status"] != "completed":
        return EXIT_CODES.get(job["status"], FAILED)
    return code or (INCONCLUSIVE if few else PASSED)


def _for_instance(client: Client, job_id: str, summaries: Sequence[Summary]) -> str:
    """Say of one sample what became of it, of the score of which the least was scored, and how to see the others."""
    worst = least_scored(summaries)
    lost = {word: count for word, count in worst.outcomes.items() if word != "scored"}
    outcome = max(lost, key=lambda word: (word != "not_attempted", lost[word]))  # what was not tried has no reason
    asked = {f"filter[{name}]": getattr(worst, name) for name in ("task", "target", "metric")}
    page = client.get(job_path(job_id, "samples"), **asked, **{"filter[outcome]": outcome, "limit": "1"})["data"]
    errors = [score["error"] for row in page for score in row["scores"] if score["outcome"] == outcome]
    told = f"for instance sample {page[0]['sample']}: {visible(errors[0])}; " if errors and errors[0] else ""
    return f"{told}all of them: assay results {job_id} --outcome {outcome}"


@contextmanager
def _some_service(settings: Settings, request: Request) -> Iterator[tuple[Client, Callable[[], None]]]:
    """Give a client of the service that runs, or of one that runs only for a request, and what keeps that up."""
    try:
        client = Client()
    except Unreachable:
        check_request(request)
        note("No service runs here; starting one for this job")
    else:
        yield client, lambda: None
        return
    key = settings.api_keys[0].get_secret_value() if settings.api_keys else None
    with service(settings, note) as running:
        yield Client(running.listening_url, key), running.tend
