"""The API with models and a judge in its settings, and evaluations that an engine would have carried out."""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import orjson
import pytest

from api.http.state import State
from core.job import Count, Job, Progress, Stage, utcnow
from core.plan import Manifest, cut_shards
from core.result import Output, Score
from core.settings import ModelSettings
from core.spec import EvaluationSpec
from tasks.summaries.aggregator import Aggregator
from tests.api.conftest import Service, running
from tests.inputs import rows_of

Grades = Mapping[str, Sequence[float | None]]

QUESTIONS: list[dict[str, Any]] = [
    {"question_num": n, "question": f"{n} + {n}?", "answer": str(2 * n)} for n in range(1, 6)
]
GRADES: dict[str, Grades] = {
    "base": {"binary_correctness": [1, 1, 1, 1, 1], "answer_relevance": [0.4, 0.9, 0.9, 1, 1]},
    "evaluated": {"binary_correctness": [1, 1, 0, 1, 1], "answer_relevance": [0.5, 0.9, 0.9, 1, 1]},
}
"""Grades that give the statistics of a published comparison."""


@dataclass
class Nugen:
    """Nugen's client, by plain HTTP, and an engine's part in what it sees."""

    http: httpx.Client
    state: State

    def upload(self, questions: object = QUESTIONS, **form: str) -> httpx.Response:
        file = ("sums.json", questions if isinstance(questions, bytes) else json.dumps(questions).encode())
        return self.http.post("/api/v3/benchmark/upload", files={"file": file}, data=form)

    def create(self, questions: object = QUESTIONS, **asked: Any) -> Any:
        benchmark = self.upload(questions).json()["benchmark_id"]
        created = self.http.post("/api/v3/evaluations", json={"benchmark_id": benchmark, "model_id": "m", **asked})
        assert created.status_code == 200, created.text
        return created.json()

    def get(self, evaluation_id: str, what: str) -> Any:
        return self.http.get(f"/api/v3/evaluations/{evaluation_id}/{what}").json()

    def begin(self, evaluation_id: str, judged: int) -> None:
        self.state.jobs.settle(evaluation_id, status="running", started_at=utcnow())
        counts: dict[str, dict[Stage, Count]] = {"benchmark": {"generate": Count(5, 5), "judge": Count(judged, 5)}}
        self.state.jobs.report(Progress(evaluation_id, 1, "w", utcnow(), counts))

    def finish(self, evaluation_id: str, grades: Mapping[str, Grades], *, shards: int = 1) -> Job:
        """Grade every answer as given, None being a reply without that number."""
        job = self.state.jobs.get(evaluation_id)
        assert job.spec is not None
        write_results(self.state, job.id, job.spec, grades, shards=shards)
        self.state.jobs.settle(job.id, status="completed", finished_at=utcnow())
        return self.state.jobs.get(job.id)


def write_results(
    state: State, job_id: str, spec: EvaluationSpec, grades: Mapping[str, Grades], *, shards: int
) -> None:
    folder, aggregator = state.folder(job_id), Aggregator()
    (task,) = spec.tasks
    rows = rows_of(state.files, spec)
    (whole,) = cut_shards({task.name: len(rows)}, 2)
    size = -(-len(rows) // shards)
    cut = tuple(
        whole.model_copy(update={"index": n, "start": start, "stop": min(start + size, len(rows))})
        for n, start in enumerate(range(0, len(rows), size))
    )
    folder.write_manifest(Manifest(job_id=job_id, code_version="1", spec=spec, shards=cut, datasets=()))
    for shard in cut:
        samples = range(shard.start, shard.stop)
        folder.write_samples(shard, [orjson.dumps(row).decode() for row in rows[shard.start : shard.stop]])
        outputs = [Output(task.name, n, target, text=f"{target} {n}") for n in samples for target in grades]
        folder.finish_generate(shard, outputs, [])
        scores = [
            score(task.name, n, target, name, values[n])
            for n in samples
            for target, given in grades.items()
            for name, values in given.items()
        ]
        folder.finish_judge(shard, scores, [])
        aggregator.add(scores)
    folder.write_summaries(aggregator.summaries())


def score(task: str, sample: int, target: str, name: str, value: float | None) -> Score:
    if value is None:
        return Score(task, sample, target, 0, "judge", name, "judge_unparsable", error=f"no {name!r}")
    return Score(task, sample, target, 0, "judge", name, "scored", value=float(value))


@pytest.fixture(scope="module")
def nugen(service: Service) -> Iterator[Nugen]:
    models = {"elsewhere": ModelSettings(url="http://127.0.0.1:1/v1")}
    chosen = {"default_endpoint": "http://127.0.0.1:1/v1", "default_judge": "judge", "models": models}
    state = replace(service.state, settings=service.state.settings.model_copy(update=chosen))
    with answering(state) as http:
        yield Nugen(http, state)


@contextmanager
def answering(state: State) -> Iterator[httpx.Client]:
    """Serve a state, and yield a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with running(state, listening), httpx.Client(base_url=url, timeout=60) as http:
            yield http
