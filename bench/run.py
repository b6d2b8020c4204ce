"""Run one case through the service, or through the raw loop, and measure it."""

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import httpx

from bench import processes
from bench.cases import Case, job_body, write_dataset
from cli.serve import Service
from core.settings import Settings

IDLE_S = 2.0
AFTERMATH_S = 1.5
"""The Prefect server works through its events after a job; that is counted too."""

JOB_TIMEOUT_S = 300.0
POLL_INTERVAL_S = 0.05


@dataclass(frozen=True)
class Window:
    """What the endpoint saw: `calls`, and the seconds from the first request to the last reply."""

    calls: int
    seconds: float

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds


@dataclass(frozen=True)
class Measured:
    """One round of a case: the raw loop's window, and the service's window, time and cost."""

    case: Case
    raw: Window
    served: Window
    seconds: float
    cpu_s: float
    peak_mb: float


class Bench:
    """A running service and a scripted endpoint."""

    def __init__(self, service: Service, settings: Settings, endpoint: str) -> None:
        """Watch the service idle, to know what to subtract, after a job that warms it up."""
        assert settings.datasets is not None
        self._service = service
        self._datasets = settings.datasets
        self._endpoint = endpoint
        self._jobs = f"{service.url}/v2/evaluation/jobs"
        self._http = httpx.Client(trust_env=False, timeout=30)
        self._serve(Case(1, judge=True))
        self._window(Case(1, judge=True))
        time.sleep(AFTERMATH_S)
        self._idle = processes.idle_rate(self._pids(), IDLE_S)

    def measure(self, case: Case) -> Measured:
        """Run a case through the raw loop, then through the service."""
        command = [
            sys.executable,
            "-m",
            "bench.raw",
            self._endpoint,
            str(case.n),
            str(case.concurrency),
            str(case.judge),
        ]
        subprocess.run(command, check=True)
        raw = self._window(case)
        worker = next(child.pid for child in self._service.children if child.command.name == "worker")
        pids = self._pids()
        processes.forget_peak(worker)
        cpu_s, begun = processes.cpu_s(pids), time.monotonic()
        seconds = self._serve(case)
        served, peak_mb = self._window(case), processes.peak_mb(worker)
        time.sleep(AFTERMATH_S)
        cpu_s = processes.cpu_s(pids) - cpu_s - self._idle * (time.monotonic() - begun)
        return Measured(case, raw, served, seconds, cpu_s, peak_mb)

    def _serve(self, case: Case) -> float:
        """Carry out a case as a job; return the seconds from its creation to its results."""
        body = job_body(case, self._endpoint, write_dataset(self._datasets, case.n))
        begun = time.monotonic()
        job = self._ask("POST", self._jobs, json=body)
        url = f"{self._jobs}/{job['id']}"
        while job["status"] not in ("completed", "error", "cancelled"):
            if time.monotonic() - begun > JOB_TIMEOUT_S:
                raise TimeoutError(f"{job['id']} was still {job['status']} after {JOB_TIMEOUT_S:.0f} s")
            time.sleep(POLL_INTERVAL_S)
            job = self._ask("GET", url)
        if job["status"] != "completed":
            raise RuntimeError(f"{job['id']} ended in {job['status']}: {job['error_details']}")
        results = self._ask("GET", f"{url}/results/evaluation-results/download")
        seconds = time.monotonic() - begun
        for metric in results["tasks"]["sums"]["metrics"].values():
            for score in metric["scores"].values():
                assert (score["stats"]["count"], score["stats"]["mean"]) == (case.n, 1.0), score
        return seconds

    def _ask(self, method: str, url: str, **how: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.request(method, url, **how).raise_for_status().json()
        return answer

    def _window(self, case: Case) -> Window:
        window = Window(**self._ask("GET", f"{self._endpoint}/window"))
        assert window.calls == case.calls, f"{window.calls} calls were made, not {case.calls}"
        return window

    def _pids(self) -> set[int]:
        return processes.family(child.pid for child in self._service.children)
