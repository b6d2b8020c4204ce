"""`make race-test SEQUENCES=170`: users, Prefect and deaths disturb jobs in random order while their calls are made.

No call may come while a job shows as paused or ended, and no healthy job may fail. Exits with 1 if one did. Writes its
section of RELIABILITY.md.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from bench.reliability import table, verdict, write_section
from bench.report import machine
from bench.trial import specification
from cli.serve import Service, service
from core.job import TERMINAL
from core.settings import Settings
from tests.scripted import ScriptedEndpoint, last_content

HEADING: Final = "Races: `make race-test`"
JOBS: Final = "/api/assay/v1/jobs"
AT_A_TIME: Final = 4
SAMPLES: Final = 150
LATENCY_S: Final = 0.1
LOOK_S: Final = 0.02
LONGEST_WAIT_S: Final = 1.5
MOST_ACTIONS: Final = 6
ENDED_WITHIN_S: Final = 240.0
AT_REST_S: Final = 1.0
"""So long a job that is at rest is watched before it is disturbed again, every second time."""

ON_ITS_WAY_S: Final = 0.1
"""So late the endpoint may read a request that was given up before the job showed as ended."""

ACTIONS: Final = {
    "pause": 4,
    "resume": 4,
    "cancel": 1,
    "delete": 1,
    "suspend in Prefect": 3,
    "resume in Prefect": 3,
    "cancel in Prefect": 1,
    "a worker's death": 1,
}


@dataclass
class Rest:
    """A time in which a job showed as paused or ended, and nobody had it go on."""

    status: str
    since: float
    until: float = float("inf")


@dataclass
class Sequence:
    """What was done to a job, and when it was seen at rest."""

    number: int
    done: list[str] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    end: str = ""


@dataclass
class Findings:
    """What came of all sequences."""

    sequences: list[Sequence] = field(default_factory=list)
    calls: int = 0
    late: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def main() -> None:
    """Lead the sequences, print what came of them, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench.races", description=__doc__)
    parser.add_argument("--sequences", type=int, default=170)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="assay-races-", ignore_cleanup_errors=True) as home:
        found = race(Path(home), options.sequences, options.seed)
    text = report(found, options.seed, time.monotonic() - began)
    print(text)
    if options.write:
        write_section(options.write, HEADING, text)
    sys.exit(bool(found.failures))


def race(home: Path, sequences: int, seed: int) -> Findings:
    """Lead so many sequences on a service of their own, several at a time."""
    found = Findings()
    settings = Settings(home=home, port=0)
    with ScriptedEndpoint(latency_s=LATENCY_S) as endpoint, service(settings, lambda _: None) as running:
        with tended(running), ThreadPoolExecutor(AT_A_TIME) as threads:
            lives = [Life(running, endpoint, number, seed) for number in range(sequences)]
            for life, outcome in zip(lives, [threads.submit(life.lead) for life in lives], strict=True):
                if error := outcome.exception():
                    found.failures.append(f"sequence {life.seen.number}: {error} after {', '.join(life.seen.done)}")
        found.sequences = [life.seen for life in lives]
        compare(found, endpoint)
    return found


@contextmanager
def tended(running: Service) -> Iterator[None]:
    """Have the processes that die started again."""
    over = threading.Event()

    def tend() -> None:
        while not over.wait(0.1):
            running.tend()

    thread = threading.Thread(target=tend)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Life:
    """One job, and what is done to it."""

    def __init__(self, running: Service, endpoint: ScriptedEndpoint, number: int, seed: int) -> None:
        """Prepare; `lead` makes the job."""
        self.seen = Sequence(number)
        self._running = running
        self._endpoint = endpoint
        self._chance = random.Random(f"{seed} {number}")
        self._http = httpx.Client(trust_env=False, timeout=60)

    def lead(self) -> None:
        """Make a job, do to it what comes, have it go on, and watch it to its end. Raises what went wrong."""
        spec = specification(self._endpoint.url, self.seen.number, SAMPLES).model_dump(mode="json", exclude_none=True)
        self._job_id = self._ask("POST", JOBS, json={"spec": spec}).json()["id"]
        for _ in range(self._chance.randint(2, MOST_ACTIONS)):
            self._watch(self._chance.uniform(0, LONGEST_WAIT_S))
            if self.seen.end:
                return
            self._act(self._chance.choices(list(ACTIONS), weights=list(ACTIONS.values()))[0])
        deadline = time.monotonic() + ENDED_WITHIN_S
        while not self.seen.end and time.monotonic() < deadline:
            if self.seen.rests and self.seen.rests[-1].until == float("inf"):
                self._watch(AT_REST_S * self._chance.randint(0, 1))
                self._act("resume")
            self._watch(0.5)
        if self.seen.end not in ("completed", "cancelled", "deleted"):
            job = self._ask("GET", f"{JOBS}/{self._job_id}").json()
            raise RuntimeError(f"{self._job_id} is {job['status']}: {job['failure'] or job['note']}")

    def _act(self, action: str) -> None:
        self.seen.done.append(action)
        match action:
            case "resume" | "pause" | "cancel":
                self._disturb(lambda: self._ask("POST", f"{JOBS}/{self._job_id}/{action}"), goes_on=action == "resume")
            case "delete":
                self._disturb(lambda: self._ask("DELETE", f"{JOBS}/{self._job_id}"), goes_on=False)
            case "a worker's death":
                self._kill_worker()
            case "suspend in Prefect":
                details = {"pause_reschedule": True}
                self._in_prefect("set_state", state={"type": "PAUSED", "name": "Suspended", "state_details": details})
            case "resume in Prefect":
                self._in_prefect("resume")
            case "cancel in Prefect":
                self._in_prefect("set_state", state={"type": "CANCELLING", "name": "Cancelling"})

    def _disturb(self, act: Callable[[], object], *, goes_on: bool) -> None:
        """Do something to the job, which may from now on `go on`, if it was at rest."""
        if goes_on and self.seen.rests:
            self.seen.rests[-1].until = min(self.seen.rests[-1].until, time.time())
        act()

    def _in_prefect(self, what: str, **body: Any) -> None:
        wanted = {"flow_runs": {"name": {"any_": [self._job_id]}}}
        runs = self._http.post(f"{self._running.prefect_url}/flow_runs/filter", json=wanted).json()
        for run in runs if isinstance(runs, list) else ():
            url = f"{self._running.prefect_url}/flow_runs/{run['id']}/{what}"
            with suppress(httpx.HTTPError):
                self._disturb(lambda url=url: self._http.post(url, json=body or None), goes_on=what == "resume")  # type: ignore[misc]

    def _kill_worker(self) -> None:
        worker = next(child for child in self._running.children if child.command.name == "worker")
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)

    def _watch(self, seconds: float) -> None:
        """Look at the status for so long, at least once, and note when it comes to rest."""
        until = time.monotonic() + seconds
        while not self.seen.end:
            self._note(self._status())
            if time.monotonic() >= until:
                return
            time.sleep(LOOK_S)

    def _note(self, status: str) -> None:
        rests = self.seen.rests
        if status in TERMINAL or status == "deleted":
            self.seen.end = status
        if status in TERMINAL or status == "paused":
            if not rests or rests[-1].until != float("inf"):
                rests.append(Rest(status, time.time()))
            rests[-1].status = status
        elif rests:
            rests[-1].until = min(rests[-1].until, time.time() - LOOK_S)

    def _status(self) -> str:
        answer = self._ask("GET", f"{JOBS}/{self._job_id}")
        return "deleted" if answer.status_code == httpx.codes.NOT_FOUND else str(answer.json()["status"])

    def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Ask the API; what a status does not allow is refused, and that is right."""
        answer = self._http.request(method, self._running.url + path, **how)
        if answer.is_server_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer


def compare(found: Findings, endpoint: ScriptedEndpoint) -> None:
    """Look for calls that came while their job was at rest."""
    calls = list(endpoint.calls)
    found.calls = len(calls)
    for seen in found.sequences:
        marks = (f"job {seen.number}, ", f"for job {seen.number}, ")
        times = [call["time"] for call in calls if any(mark in last_content(call["body"]) for mark in marks)]
        for rest in seen.rests:
            late = sum(rest.since + ON_ITS_WAY_S < at < rest.until for at in times)
            if late:
                found.late[rest.status] += late
                found.failures.append(
                    f"sequence {seen.number}: {late} calls after {rest.status}, after {', '.join(seen.done)}"
                )


def report(found: Findings, seed: int, seconds: float) -> str:
    """Return what came of the sequences as Markdown."""
    rests = [rest for seen in found.sequences for rest in seen.rests]
    ends = Counter(seen.end or "none" for seen in found.sequences)
    claims = [
        ("calls while a job showed as paused", found.late["paused"], "0"),
        ("calls after a job showed as ended", found.late.total() - found.late["paused"], "0"),
        ("healthy jobs that failed", ends["failed"] + ends["unknown"], "0"),
        ("jobs that did not end", ends["none"], "0"),
        ("times that a job was seen paused", sum(rest.status == "paused" for rest in rests), ""),
        ("calls", f"{found.calls:,}", ""),
    ]
    done = Counter(action for seen in found.sequences for action in seen.done)
    return f"""
{len(found.sequences)} sequences (seed {seed}) of up to {MOST_ACTIONS} actions, {AT_A_TIME} jobs at a time, each of
{SAMPLES} samples generated and judged; {seconds:.0f} s.

{table(("", "found", "should be"), claims)}

{verdict(found.failures)}

{table(("action", "times"), sorted(done.items()))}

Ends: {", ".join(f"{count} {end}" for end, count in sorted(ends.items()))}.

{machine()}, load average {os.getloadavg()[1]:.1f}
"""


if __name__ == "__main__":
    main()
