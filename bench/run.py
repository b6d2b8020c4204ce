"""Run cases through the service and through the raw loop, by turns, and measure both."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from bench import processes
from bench.cases import Case, Latency, job_body, write_dataset
from bench.endpoint import Endpoint, endpoint_process
from cli.serve import Service, service, worker_names
from core.settings import Settings

IDLE_S: Final = 5.0
AFTERMATH_S: Final = 1.5
"""The Prefect server works through its events after a job; that is counted too."""

JOB_TIMEOUT_S: Final = 300.0
POLL_INTERVAL_S: Final = 0.05


class Failed(Exception):
    """A case did not come to the results that it must have."""


@dataclass(frozen=True)
class Window:
    """What the endpoint saw: `calls`, and the seconds from the first request to the last reply.

    `endpoint_cpu_s` is what it took itself.
    """

    calls: int
    seconds: float
    endpoint_cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    @property
    def endpoint_share(self) -> float:
        """The share of a core that the endpoint took; near 1 it is what limits."""
        return self.endpoint_cpu_s / self.seconds


@dataclass(frozen=True)
class Measured:
    """One round of a case: the window of the raw loops, as many as workers, and the service's window, time and cost.

    `peak_mb` is that of the largest worker; `cpu_s` is by process, with what it takes when idle subtracted; `others`
    the share of a core that processes of neither side took meanwhile.
    """

    case: Case
    raw: Window
    raw_cpu_s: float
    served: Window
    seconds: float
    cpu_s: Mapping[str, float]
    peak_mb: float
    others: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What was measured, and what failed."""

    measured: list[Measured] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def measure(cases: Iterable[Case], latency: Latency, workers: int = 1) -> Outcome:
    """Measure cases of one latency on a service with a home of its own; a case that fails does not end the others."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder, endpoint_process(latency) as endpoint:
        home = Path(folder)
        settings = Settings(home=home, port=0, datasets=home / "datasets", workers=workers)
        with service(settings, lambda _: None) as running:
            bench = Bench(running, settings, endpoint)
            for case in cases:
                try:
                    outcome.measured.append(bench.measure(case))
                except (Failed, httpx.HTTPError, subprocess.CalledProcessError) as error:
                    outcome.failures.append(f"{case.label}: {error}")
                    print(f"FAILED: {outcome.failures[-1]}", file=sys.stderr, flush=True)
                else:
                    print(f"{case.label}: {outcome.measured[-1].seconds:.2f} s", file=sys.stderr, flush=True)
    return outcome


class Bench:
    """A running service and a scripted endpoint."""

    def __init__(self, service: Service, settings: Settings, endpoint: Endpoint) -> None:
        """Watch the service idle, to know what to subtract, after a job that warms it up."""
        assert settings.datasets is not None
        self._processes = {child.command.name: child.pid for child in service.children}
        self._workers = [self._processes[name] for name in worker_names(settings.workers)]
        self._datasets = settings.datasets
        self._endpoint = endpoint
        self._jobs = f"{service.url}/v2/evaluation/jobs"
        self._http = httpx.Client(trust_env=False, timeout=30)
        self._serve(Case(1, judge=True, jobs=len(self._workers)))
        time.sleep(AFTERMATH_S)
        before = processes.family_cpu_s(self._processes)
        time.sleep(IDLE_S)
        self._idle = {name: rate / IDLE_S for name, rate in self._cpu_since(before).items()}

    def measure(self, case: Case) -> Measured:
        """Run a case through the raw loops, then through the service; raises Failed."""
        self._window()  # a case that failed may have left calls behind
        raw, raw_cpu_s = self._run_raw(case)
        for worker in self._workers:
            processes.forget_peak(worker)
        endpoint_s, machine_s, own_s = self._endpoint_cpu_s(), processes.machine_cpu_s(), time.process_time()
        before, begun = processes.family_cpu_s(self._processes), time.monotonic()
        seconds = self._serve(case)
        served, peak_mb = self._window(case, endpoint_s), max(map(processes.peak_mb, self._workers))
        time.sleep(AFTERMATH_S)
        used, took_s = self._cpu_since(before), time.monotonic() - begun
        others_s = processes.machine_cpu_s() - machine_s - sum(used.values()) - served.endpoint_cpu_s
        others_s -= time.process_time() - own_s
        cpu_s = {name: cpu_s - self._idle[name] * took_s for name, cpu_s in used.items()}
        return Measured(case, raw, raw_cpu_s, served, seconds, cpu_s, peak_mb, others_s / took_s)

    def _run_raw(self, case: Case) -> tuple[Window, float]:
        """Run a case through raw loops, each with its share; return their window and their CPU time."""
        share = (case.jobs * case.n // len(self._workers), case.at_once // len(self._workers), case.judge)
        command = [sys.executable, "-m", "bench.raw", self._endpoint.url, *map(str, share)]
        endpoint_s = self._endpoint_cpu_s()
        loops = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in self._workers]
        said = [loop.communicate()[0] for loop in loops]
        for loop in loops:
            if loop.returncode:
                raise subprocess.CalledProcessError(loop.returncode, command)
        return self._window(case, endpoint_s), sum(map(float, said))

    def _serve(self, case: Case) -> float:
        """Carry out a case; return the seconds from the creation of its first job to the results of its last."""
        body = job_body(case, self._endpoint.url, write_dataset(self._datasets, case.n))
        begun = time.monotonic()
        jobs = [self._ask("POST", self._jobs, json=body) for _ in range(case.jobs)]
        for job in jobs:
            _check(self._results(job, begun), case)
        return time.monotonic() - begun

    def _results(self, job: dict[str, Any], begun: float) -> dict[str, Any]:
        """Return the results of a job once it has ended."""
        url = f"{self._jobs}/{job['id']}"
        while job["status"] not in ("completed", "error", "cancelled"):
            if time.monotonic() - begun > JOB_TIMEOUT_S:
                self._http.delete(url)
                raise Failed(f"{job['id']} was still {job['status']} after {JOB_TIMEOUT_S:.0f} s")
            time.sleep(POLL_INTERVAL_S)
            job = self._ask("GET", url)
        if job["status"] != "completed":
            raise Failed(f"{job['id']} ended in {job['status']}: {job['error_details']}")
        return self._ask("GET", f"{url}/results/evaluation-results/download")

    def _ask(self, method: str, url: str, **how: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.request(method, url, **how).raise_for_status().json()
        return answer

    def _window(self, case: Case | None = None, endpoint_s: float = 0.0) -> Window:
        """Return what the endpoint saw since the last window, and since it had used `endpoint_s` of CPU time."""
        cpu_s = self._endpoint_cpu_s() - endpoint_s
        window = Window(**self._ask("GET", f"{self._endpoint.url}/window"), endpoint_cpu_s=cpu_s)
        if case and window.calls != case.calls:
            raise Failed(f"{window.calls} calls were made, not {case.calls}")
        return window

    def _endpoint_cpu_s(self) -> float:
        return processes.cpu_s([self._endpoint.pid])

    def _cpu_since(self, before: Mapping[str, float]) -> dict[str, float]:
        return {name: cpu_s - before[name] for name, cpu_s in processes.family_cpu_s(self._processes).items()}


def _check(results: Mapping[str, Any], case: Case) -> None:
    """Raise Failed unless every sample was scored, and as right."""
    for metric in results["tasks"]["sums"]["metrics"].values():
        for name, score in metric["scores"].items():
            found = score["stats"]["count"], score["stats"]["mean"]
            if found != (case.n, 1.0):
                raise Failed(f"{name} has {found[0]} scores with the mean {found[1]}, not {case.n} with 1.0")
