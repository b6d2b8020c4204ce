"""`make isolation-test`: what one job's trouble costs another job, and how soon statuses are answered meanwhile.

A small job is carried out alone, then beside jobs that make trouble. Writes its section of RELIABILITY.md.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import httpx

from bench.reliability import table, write_section
from bench.report import machine
from cli.serve import service
from core.settings import Settings
from tests.scripted import Answer, Received, ScriptedEndpoint, by_default, last_content

JOBS: Final = "/v2/evaluation/jobs"
HEADING: Final = "Isolation: `make isolation-test`"
WITHIN_S: Final = 120.0
PAUSE_S: Final = 0.005
"""Between two requests for a status."""

SMALL: Final = 40
PARALLELISM: Final = 8
LATENCY_S: Final = 0.02
STUCK: Final = 64
"""Samples, and calls in flight, of a job whose calls are not answered."""

NEVER_S: Final = 2 * WITHIN_S

BUSY_PARALLELISM: Final = 128
LOOPING: Final = 100
LOOPS: Final = "{% set r = range(440) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}"
"""Almost all the steps that a template may take."""

CHECK: Final = {"type": "string-check", "params": {"check": ["{{sample.output_text}}", "equals", "{{item.answer}}"]}}


@dataclass(frozen=True)
class Sizes:
    """How many samples the troublesome jobs have, and how often each is in the way."""

    huge: int = 400_000
    busy: int = 8_000
    rounds: int = 5


@dataclass
class Observed:
    """The seconds that small jobs took, and those in which their statuses were answered."""

    jobs_s: list[float] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)

    @property
    def job_s(self) -> float:
        """The median."""
        return median(self.jobs_s)

    @property
    def p99_s(self) -> float:
        """What all but one in a hundred answers took at most."""
        return quantiles(self.answers_s, n=100)[-1]


class Trial:
    """A running service with a folder of datasets, and an endpoint; makes a small job, and trouble."""

    def __init__(self, http: httpx.Client, datasets: Path, endpoint: ScriptedEndpoint, sizes: Sizes) -> None:
        self._http = http
        self._datasets = datasets
        self._endpoint = endpoint
        self._sizes = sizes
        endpoint.script = _script

    def observe(self, trouble: str) -> Observed:
        """Carry out small jobs, each while another job makes that trouble."""
        observed = Observed()
        for _ in range(self._sizes.rounds):
            with self._beside(TROUBLES[trouble](self)):
                self._carry_out_small(observed)
        return observed

    def _carry_out_small(self, observed: Observed) -> None:
        begun = time.monotonic()
        job_id = self._create(SMALL, "{{item.question}}", PARALLELISM)
        _until("the small job to be completed", lambda: self._status(job_id, observed.answers_s) == "completed")
        observed.jobs_s.append(time.monotonic() - begun)

    def nothing(self) -> None:
        """Leave the small job alone."""

    def cancelled(self) -> str:
        """Have a job cancelled with all its calls in flight."""
        before = len(self._endpoint.calls)
        job_id = self._create(STUCK, "STUCK {{item.question}}", STUCK)
        _until("all its calls to be in flight", lambda: len(self._endpoint.calls) >= before + STUCK)
        self._cancel(job_id)
        return job_id

    def resolving(self) -> str:
        """Have a job read a dataset of very many rows."""
        return self._active(self._create(self._sizes.huge, "STUCK {{item.question}}", PARALLELISM))

    def looping(self) -> str:
        """Have a job render a template that loops to its bounds."""
        return self._active(self._create(LOOPING, LOOPS + "{{item.question}}", PARALLELISM))

    def busy(self) -> str:
        """Have a job saturate the worker: its calls are answered at once."""
        before = len(self._endpoint.calls)
        job_id = self._create(self._sizes.busy, "AT ONCE {{item.question}}", BUSY_PARALLELISM)
        _until("its first call", lambda: len(self._endpoint.calls) > before)
        return job_id

    @contextmanager
    def _beside(self, job_id: str | None) -> Iterator[None]:
        """Go on until another job has been cancelled; it must not have ended by itself, or it was not in the way."""
        yield
        if job_id is not None:
            if self._status(job_id) not in ("cancelling", "cancelled"):
                self._cancel(job_id)
            _until("the other job to be cancelled", lambda: self._status(job_id) == "cancelled")

    def _create(self, samples: int, prompt: str, parallelism: int) -> str:
        task = {
            "type": "chat-completion",
            "params": {"template": {"messages": [{"role": "user", "content": prompt}]}},
            "dataset": {"files_url": self._rows(samples)},
            "metrics": {"right": CHECK},
        }
        target = {"type": "model", "model": {"api_endpoint": {"url": self._endpoint.url, "model_id": "m"}}}
        config = {"type": "custom", "params": {"parallelism": parallelism}, "tasks": {"qa": task}}
        answer = self._http.post(JOBS, json={"spec": {"target": target, "config": config}})
        return str(answer.raise_for_status().json()["id"])

    def _rows(self, count: int) -> str:
        """Write a dataset of so many rows, unless it is there, and return its URL."""
        file = self._datasets / "bench" / "isolation" / f"{count}.jsonl"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            lines = (json.dumps({"question": f"{n}? ANSWER: {n}", "answer": str(n)}) + "\n" for n in range(count))
            file.write_text("".join(lines))
        return f"hf://datasets/{file.relative_to(self._datasets)}"

    def _status(self, job_id: str, answers_s: list[float] | None = None) -> str:
        begun = time.monotonic()
        answer = self._http.get(f"{JOBS}/{job_id}/status").raise_for_status()
        if answers_s is not None:
            answers_s.append(time.monotonic() - begun)
        status = str(answer.json()["status"])
        assert status != "error", answer.text
        return status

    def _active(self, job_id: str) -> str:
        _until("the other job to be active", lambda: self._status(job_id) == "active")
        return job_id

    def _cancel(self, job_id: str) -> None:
        self._http.post(f"{JOBS}/{job_id}/cancel").raise_for_status()


TROUBLES: Final[Mapping[str, Callable[[Trial], str | None]]] = {
    "alone": Trial.nothing,
    f"beside one that is cancelled with {STUCK} calls in flight": Trial.cancelled,
    "beside one that reads a huge dataset": Trial.resolving,
    "beside one whose template loops to its bounds": Trial.looping,
    "beside one that saturates the worker": Trial.busy,
}


def _script(call: Received) -> Answer:
    said = last_content(call["body"])
    answer = by_default(call)
    delay_s = NEVER_S if said.startswith("STUCK") else 1e-4 if said.startswith("AT ONCE") else LATENCY_S
    return Answer(answer.body, delay_s=delay_s)


def _until(what: str, check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WITHIN_S:g} s in vain for {what}")
        time.sleep(PAUSE_S)


def report(observed: Mapping[str, Observed], sizes: Sizes) -> str:
    """Return what was observed as Markdown."""
    return f"""
A job of {SMALL} samples, {PARALLELISM} calls at a time, each answered after {1e3 * LATENCY_S:.0f} ms, from creation to
end, in {sizes.rounds} rounds; {sizes.huge:,} rows in the huge dataset. A status should be answered within 50 ms.

{table(("the small job", "median, s", "most, s", "times alone", "p99 of its status, ms"), _rows(observed))}

{machine()}
"""


def _rows(observed: Mapping[str, Observed]) -> Iterator[tuple[str, ...]]:
    alone = observed["alone"].job_s
    for trouble, each in observed.items():
        seconds = (each.job_s, max(each.jobs_s), each.job_s / alone)
        yield trouble, *(f"{figure:.2f}" for figure in seconds), f"{1e3 * each.p99_s:.0f}"


def main() -> None:
    """Observe all troubles on a service with a home of its own."""
    options = _options()
    sizes = Sizes(huge=options.huge, busy=options.busy, rounds=options.rounds)
    with tempfile.TemporaryDirectory(prefix="assay-isolation-") as folder, ScriptedEndpoint() as endpoint:
        settings = Settings(home=Path(folder), port=0, datasets=Path(folder) / "datasets")
        with service(settings, lambda _: None) as running, httpx.Client(base_url=running.url, timeout=30) as http:
            trial = Trial(http, Path(folder) / "datasets", endpoint, sizes)
            trial.observe("alone")  # the first jobs of a service are slower
            text = report({trouble: trial.observe(trouble) for trouble in TROUBLES}, sizes)
    print(text)
    if options.write:
        write_section(options.write, HEADING, text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.isolation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=Sizes.rounds)
    parser.add_argument("--huge", type=int, default=Sizes.huge, help="rows of the huge dataset")
    parser.add_argument("--busy", type=int, default=Sizes.busy, help="samples of the job that saturates the worker")
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
