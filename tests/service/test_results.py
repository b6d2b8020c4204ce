"""What a job leaves behind, seen through the API, through SQL and at the endpoint: always the same counts."""

import json
from math import isnan
from typing import Any

import pytest

from store.results.views import query
from tests.scripted import Answer, Received, ScriptedEndpoint, by_default, failure, last_content, text
from tests.service.bodies import CORRECT, chat_task, job, judge, model

N = 60


def scripted(request: Received) -> Answer:
    """Refuse every tenth question, and have the judge say nothing parsable of every seventh."""
    content = last_content(request["body"])
    if "refuse" in content:
        return failure(400, "no such thing")
    if "mumble" in content and request["body"]["model"] == "judge":
        return text("hm")
    return by_default(request)


@pytest.fixture(scope="module")
def finished(served) -> Any:
    rows = [
        {
            "question": f"{'refuse' if n % 10 == 9 else 'say'} ANSWER: {n % 2}",
            "answer": "1",
            "mood": "mumble" if n % 7 == 0 else "plain",
        }
        for n in range(N)
    ]
    url = served.dataset("mixed.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    with ScriptedEndpoint(scripted) as endpoint:
        graded = judge(model(endpoint.url, "judge"), "{{item.mood}} ANSWER: SCORE: {{sample.output_text}}")
        task = chat_task(url, correct=CORRECT, graded=graded)
        job_id = served.create(job(model(endpoint.url), qa=task))
        assert served.wait(job_id).status == "completed"
        return served, job_id, endpoint.calls


def ask(finished: Any, sql: str) -> list[tuple[Any, ...]]:
    served, job_id, _ = finished
    return query(served.home / "results", sql, [job_id]).rows


def test_sql_and_the_api_give_the_same_counts_and_means(finished):
    served, job_id, _ = finished
    metrics = served.results(job_id).tasks["qa"].metrics
    rows = ask(
        finished,
        """SELECT metric, name, count(value), count(*) - count(value), avg(value)
           FROM scores WHERE job_id = ? GROUP BY metric, name ORDER BY metric""",
    )
    for metric, name, count, missing, mean in rows:
        score = metrics[metric].scores[name]
        assert (score.stats.count, score.stats.nan_count) == (count, missing)
        assert score.value == pytest.approx(mean)
        assert not isnan(score.value)
    assert [row[:4] for row in rows] == [("correct", "string-check", 54, 6), ("graded", "grade", 46, 14)]
    stored = ask(finished, "SELECT metric, count, nan_count FROM summaries WHERE job_id = ? ORDER BY metric")
    assert stored == [("correct", 54, 6), ("graded", 46, 14)]


def test_every_sample_ends_in_exactly_one_outcome_for_each_metric(finished):
    assert ask(finished, "SELECT count(*), count(DISTINCT sample) FROM samples WHERE job_id = ?") == [(N, N)]
    (counts,) = ask(
        finished,
        """SELECT count(*), count(DISTINCT (sample, metric, name)), count(outcome), count(DISTINCT sample)
           FROM scores WHERE job_id = ?""",
    )
    assert counts == (2 * N, 2 * N, 2 * N, N)
    outcomes = ask(
        finished,
        """SELECT metric, outcome, count(*) FROM scores WHERE job_id = ?
           GROUP BY metric, outcome ORDER BY metric, outcome""",
    )
    # Questions 9, 19 .. 59 are refused; 0, 7 .. 56 are mumbled at, of which 49 is refused.
    assert outcomes == [
        ("correct", "scored", 54),
        ("correct", "target_error", 6),
        ("graded", "judge_unparsable", 8),
        ("graded", "scored", 46),
        ("graded", "target_error", 6),
    ]
    assert ask(finished, "SELECT count(*) FROM scores WHERE job_id = ? AND (value IS NULL) = (outcome = 'scored')") == [
        (0,)
    ]


def test_the_calls_are_those_that_the_endpoint_saw(finished):
    _, _, seen = finished
    recorded = ask(finished, "SELECT request, attempts, role FROM calls WHERE job_id = ?")
    assert sorted(json.dumps(json.loads(request)) for request, _, _ in recorded) == sorted(
        json.dumps(call["body"]) for call in seen
    )
    assert sum(attempts for _, attempts, _ in recorded) == len(seen) == N + 54
    assert sum(role == "judge" for _, _, role in recorded) == 54


def test_the_job_itself_is_a_row_beside_its_results(finished):
    served, job_id, _ = finished
    ((status, face, model_id, took),) = ask(
        finished, "SELECT status, face, model, finished_at >= started_at FROM jobs WHERE id = ?"
    )
    assert (status, face, model_id, took) == ("completed", "nemo-v2", "m", True)
    assert served.client.v2.evaluation.jobs.retrieve(job_id).status == status
