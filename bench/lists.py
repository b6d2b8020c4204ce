"""`python -m bench.lists`: how long a list takes over many jobs, by what it is asked.

The API answers over a socket, from SQLite in a temporary home or the database of `--database`.
"""

import argparse
import random
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any, get_args

import httpx
import sqlalchemy as sa
import uvicorn

from api.app import create_app
from api.http.state import State
from core.job import Face, JobStatus, base58_id, utcnow
from core.settings import Settings
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from flows.serving import KEPT_S
from store.db.connect import connect, writing
from store.db.tables import jobs
from store.workspace import Workspace

FACES: tuple[Face, Face] = ("nemo-v1", "nemo-v2")
BATCH = 2_000
WARM_UP = 3
ROWS: list[dict[str, Any]] = [{"question": f"What is {n} plus {n}?", "answer": str(2 * n)} for n in range(10)]
SPEC = EvaluationSpec(
    targets=(RecordedTarget(),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[dict(row) for row in ROWS])),)
)
STORED_SPEC = SPEC.model_dump(mode="json")
TARGET = {"type": "rows", "rows": ROWS}
CONFIG = {"type": "custom", "tasks": {"qa": {"type": "data"}}}

QUERIES = (
    "v1 ",
    "v1 page=2000&page_size=50",
    "v1 sort=-updated_at",
    "v1 filter[status]=completed",
    "v1 filter[status]=running",
    "v1 filter[namespace]=team-3",
    "v1 filter[target]=team-3/target-33",
    "v1 filter[config]=team-3/config-3",
    "v1 filter[created_at][gt]=2025-03-18&filter[created_at][lt]=2100-01-01",
    "v2 filter[name]=nightly-77",
    "v2 filter[project]=project-7",
    "v2 filter[status]=active",
    "v2 filter[status]=completed&filter[project]=project-7&filter[created_at][gte]=2025-03-18",
    "v2 search[status]=active&search[status]=completed",
    "v2 search[name]=LY-777",
    "v1 search[name]=ly-777",
    "v1 search[target]=target-33",
    "v1 filter[custom_fields][team]=7",
    "native ",
    "native filter[name]=nightly-77",
    "native filter[status]=running",
    "native filter[config]=team-3/config-3",
    "native sort=-updated_at",
)
PATHS = {
    "v1": "/v1/evaluation/jobs",
    "v2": "/v2/evaluation/jobs",
    "native": "/api/assay/v1/jobs",
}


def main() -> None:
    """Fill a database, ask it everything, and print the times."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="assay-lists-") as folder:
        settings = Settings(home=Path(folder), database_url=options.database)
        workspace = Workspace.open(settings, migrating=True)
        engine = connect(settings.jobs_url)
        for face in FACES:
            fill(engine, face, options.jobs)
        print(f"{options.jobs} jobs of each version, {engine.dialect.name}, {options.rounds} requests of each query")
        print(f"{'median':>8} {'p95':>8}  milliseconds")
        with serving(workspace) as http:
            for query in QUERIES:
                _print(query, _measure(http, query, options.rounds))
        engine.dispose()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.lists", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs of each version")
    parser.add_argument("--rounds", type=int, default=40, help="requests of each query")
    parser.add_argument("--database", metavar="URL", help="an empty Postgres database, in place of SQLite")
    return parser.parse_args()


def fill(engine: sa.Engine, face: Face, count: int) -> None:
    """Insert so many jobs of a face, the same in every run."""
    chance = random.Random(face)  # the same jobs in every run
    now = utcnow()
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        rows = [_row(face, n, now - timedelta(minutes=n // 3), chance) for n in numbers]
        with writing(engine) as connection:
            connection.execute(sa.insert(jobs), rows)


def _row(face: Face, n: int, created_at: datetime, chance: random.Random) -> dict[str, Any]:
    team = chance.randrange(20)
    request = {"target": TARGET, "config": CONFIG, "spec": {"target": TARGET, "config": CONFIG}}
    # Most jobs have ended well; a few are open at any time.
    status: JobStatus = "completed" if chance.random() < 0.8 else chance.choice(get_args(JobStatus))
    return {
        "id": base58_id("eval-"),
        "face": face,
        "namespace": f"team-{team}",
        "name": f"nightly-{n}",
        "project": f"project-{chance.randrange(50)}",
        "target": f"team-{team}/target-{chance.randrange(100)}",
        "config": f"team-{team}/config-{chance.randrange(10)}",
        "status": status,
        "intent": "run",
        "crashes": 0,
        "custom_fields": {"team": team},
        "spec": STORED_SPEC,
        "request": request,
        "created_at": created_at,
        "updated_at": created_at,
    }


@contextmanager
def serving(workspace: Workspace) -> Iterator[httpx.Client]:
    """Serve the API in a thread, and yield a client of it."""
    state = State.over(workspace, wake=lambda: None, ready=lambda: True)
    server = uvicorn.Server(uvicorn.Config(create_app(state), log_config=None, timeout_keep_alive=KEPT_S))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as http:
                yield http
        finally:
            server.should_exit = True
            thread.join()


def _measure(http: httpx.Client, query: str, rounds: int) -> list[float]:
    version, _, asked = query.partition(" ")
    taken = []
    for _ in range(WARM_UP + rounds):
        began = time.perf_counter()
        http.get(f"{PATHS[version]}?{asked}").raise_for_status()
        taken.append(1_000 * (time.perf_counter() - began))
    return taken[WARM_UP:]


def _print(query: str, taken: list[float]) -> None:
    print(f"{median(taken):8.1f} {quantiles(taken, n=20)[-1]:8.1f}  {query}")


if __name__ == "__main__":
    main()
