"""Kill -9 of any process at any moment: the job ends complete, and nothing that was recorded is paid again."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from nemo_microservices import APIConnectionError

from store.query import query
from tests.conftest import until
from tests.scripted import ScriptedEndpoint
from tests.service.bodies import CORRECT, chat_task, job, judge, model

N = 400
PARALLELISM = 8
KILL_AT = (120, 320, 560)
"""Calls, of 800, after which the worker is killed."""

RESUMED_WITHIN_S = 15.0


def pid_of(served: Any, module: str) -> int | None:
    """Return the process of the service that runs `python -m <module>`."""
    parent = served.process.pid
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if f"-m\0{module}\0" in Path(f"/proc/{child}/cmdline").read_text():
            return int(child)
    return None


def kill(served: Any, module: str) -> None:
    pid = pid_of(served, module)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def questions(served: Any) -> str:
    rows = [{"question": f"Question {n} ANSWER: {n}", "answer": str(n)} for n in range(N)]
    return served.dataset("questions.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def start(served: Any, endpoint: ScriptedEndpoint) -> str:
    graded = judge(model(endpoint.url, "judge"), "Judge {{item.question}} ANSWER: SCORE: 1")
    task = chat_task(questions(served), correct=CORRECT, graded=graded)
    return served.create(job(model(endpoint.url), params={"parallelism": PARALLELISM}, qa=task))


def check_whole(served: Any, job_id: str) -> None:
    """Check that each sample was scored once by each metric, and that its calls are there."""
    scores = """SELECT metric, count(*), count(DISTINCT sample), count(value), avg(value)
                FROM scores WHERE job_id = ? GROUP BY metric ORDER BY metric"""
    assert query(served.home / "results", scores, [job_id]).rows == [
        ("correct", N, N, N, 1.0),
        ("graded", N, N, N, 1.0),
    ]
    calls = "SELECT role, count(*), count(DISTINCT sample) FROM calls WHERE job_id = ? GROUP BY role ORDER BY role"
    assert query(served.home / "results", calls, [job_id]).rows == [("judge", N, N), ("target", N, N)]
    metrics = served.results(job_id).tasks["qa"].metrics
    assert {name: score.stats.count for metric in metrics.values() for name, score in metric.scores.items()} == {
        "string-check": N,
        "grade": N,
    }


@pytest.fixture(scope="module", autouse=True)
def nothing_is_broken_afterwards(served):
    yield
    until(lambda: pid_of(served, "flows") and pid_of(served, "api"))


def test_a_worker_killed_three_times_loses_nothing_and_pays_nothing_twice(served):
    with ScriptedEndpoint(latency_s=0.02) as endpoint:
        job_id = start(served, endpoint)
        for calls in KILL_AT:
            until(lambda calls=calls: len(endpoint.calls) >= calls)
            kill(served, "flows")
            killed, seen = time.time(), len(endpoint.calls)
            until(lambda seen=seen: len(endpoint.calls) > seen + PARALLELISM, timeout_s=RESUMED_WITHIN_S + 5)
            resumed_s = next(call["time"] for call in endpoint.calls[seen:] if call["time"] > killed + 0.5) - killed
            assert resumed_s < RESUMED_WITHIN_S
        ended = served.wait(job_id)
        asked = Counter(call["raw"] for call in endpoint.calls)

    assert (ended.status, ended.status_details["progress"]) == ("completed", 100.0)
    check_whole(served, job_id)
    assert len(asked) == 2 * N
    assert asked.total() - len(asked) <= PARALLELISM * len(KILL_AT)


def test_an_api_killed_in_the_middle_of_a_job_finds_it_again(served):
    with ScriptedEndpoint(latency_s=0.02) as endpoint:
        job_id = start(served, endpoint)
        until(lambda: len(endpoint.calls) >= 100)
        kill(served, "api")
        until(lambda: answers(served), timeout_s=RESUMED_WITHIN_S)
        assert served.wait(job_id).status == "completed"
        assert len({call["raw"] for call in endpoint.calls}) == len(endpoint.calls) == 2 * N
    check_whole(served, job_id)


def answers(served: Any) -> bool:
    try:
        return bool(served.client.v2.evaluation.jobs.list(page_size=1).data)
    except APIConnectionError:
        return False
