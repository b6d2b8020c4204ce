"""`python -m bench.inputs`: how long reads take where some jobs came with many rows, and what they cost in memory.

The API answers in a process of its own, from SQLite in a temporary home.
"""

import argparse
import multiprocessing
import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final, TypeVar

import httpx
import uvicorn

from api.app import create_app
from api.http.state import State
from bench.lists import fill
from bench.processes import forget_peak, peak_mb
from core.settings import Settings
from flows.serving import KEPT_S
from store.db.connect import connect
from store.workspace import Workspace

T = TypeVar("T")

JOBS: Final = "/v2/evaluation/jobs"
NATIVE: Final = "/api/assay/v1/jobs"
BODY_BYTES: Final = 9_900_000
"""Just below what a request may have."""

ROW_BYTES: Final = 500
CHECK: Final = {"type": "string-check", "params": {"check": ["{{item.answer}}", "contains", "a"]}}
CONFIG: Final = {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"right": CHECK}}}}


def main() -> None:
    """Fill a home, ask it everything, and print the times and the memory."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="assay-inputs-") as folder:
        settings = Settings(home=Path(folder))
        workspace = Workspace.open(settings, migrating=True)
        engine = connect(settings.jobs_url)
        fill(engine, "nemo-v2", options.jobs - options.heavy)
        engine.dispose()
        workspace.close()
        with _serving(settings) as (http, pid):
            _report(http, pid, options)


def _report(http: httpx.Client, pid: int, options: argparse.Namespace) -> None:
    begun = peak_mb(pid)
    created = [_timed(partial(_create, http, seed)) for seed in range(options.heavy)]
    ids = [job_id for job_id, _ in created]
    light = http.get(JOBS, params={"filter[name]": "nightly-0"}).json()["data"][0]["id"]
    print(f"{options.jobs} jobs, {options.heavy} of which came with {BODY_BYTES / 1e6:.1f} MB of rows")
    print(f"{'median':>8} {'p95':>8} {'peak':>8}  milliseconds, and MB of the API process")
    _print("create one with rows", [taken for _, taken in created], peak_mb(pid))
    queries = {
        "v2 list, 10 a page": JOBS,
        "v2 list, 100 a page": f"{JOBS}?page_size=100",
        "native list, 100 a page": f"{NATIVE}?page_size=100",
        "v2 search[name]=nightly": f"{JOBS}?search[name]=nightly",
        "v2 status, of a job with rows": f"{JOBS}/{ids[0]}/status",
        "v2 status, of another": f"{JOBS}/{light}/status",
        "v2 page of another": f"{JOBS}/{light}",
        "native page, of a job with rows": f"{NATIVE}/{ids[0]}",
        "v2 page, of a job with rows": f"{JOBS}/{ids[0]}",
    }
    for name, path in queries.items():
        _get(http, path)  # the first request of a route has it made
        forget_peak(pid)
        taken = [_timed(partial(_get, http, path))[1] for _ in range(options.rounds)]
        _print(name, taken, peak_mb(pid))
    print(f"{begun:.0f} MB before the first request")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.inputs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--heavy", type=int, default=20, help="how many of them come with rows")
    parser.add_argument("--rounds", type=int, default=20, help="requests of each kind")
    return parser.parse_args()


def _create(http: httpx.Client, seed: int) -> str:
    text = random.Random(seed).randbytes(ROW_BYTES // 2).hex()
    rows: list[dict[str, Any]] = [
        {"number": n, "question": text, "answer": f"answer {seed}"} for n in range(BODY_BYTES // (ROW_BYTES + 60))
    ]
    spec = {"target": {"type": "rows", "rows": rows}, "config": CONFIG}
    return str(http.post(JOBS, json={"spec": spec}).raise_for_status().json()["id"])


def _get(http: httpx.Client, path: str) -> None:
    http.get(path).raise_for_status()


def _timed(request: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    return request(), 1_000 * (time.perf_counter() - begun)


def _print(what: str, taken: list[float], peak: float) -> None:
    print(f"{median(taken):8.1f} {quantiles(taken, n=20)[-1]:8.1f} {peak:8.0f}  {what}")


@contextmanager
def _serving(settings: Settings) -> Iterator[tuple[httpx.Client, int]]:
    """Serve the API in a process of its own; yield a client of it, and its id."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(settings, listening))
        process.start()
        try:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            with httpx.Client(base_url=url, timeout=120) as http:
                http.get("/health").raise_for_status()
                yield http, process.pid or 0
        finally:
            process.terminate()
            process.join()


def _serve(settings: Settings, listening: socket.socket) -> None:
    state = State.over(Workspace.open(settings), wake=lambda: None, ready=lambda: True)
    uvicorn.Server(uvicorn.Config(create_app(state), log_config=None, timeout_keep_alive=KEPT_S)).run(
        sockets=[listening]
    )


if __name__ == "__main__":
    main()
