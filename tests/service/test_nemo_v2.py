"""NeMo's own client, strict about every answer, against the running service."""

import asyncio
import json
from typing import Any

import pytest
from nemo_microservices import AsyncNeMoMicroservices, NotFoundError

from tests.conftest import ENDED, WAIT_S, until
from tests.scripted import ScriptedEndpoint, text
from tests.service.bodies import CORRECT, chat_task, job, judge, model

ROWS = [
    {"question": f"{n} + {n}? ANSWER: {2 * n}", "answer": str(2 * n if n % 3 else 0), "grade": n % 5} for n in range(12)
]
"""The scripted model answers 2n, which is wrong for 3, 6 and 9; the judge grades as the row says."""

GRADED = judge(model("", "judge"), "{{sample.output_text}} ANSWER: SCORE: {{item.grade}}")
READ_AS_JSON = judge(
    model("", "judge"),
    '{{sample.output_text}} ANSWER: {"grade": {{item.grade}}, "polite": true}',
    grade={"type": "json", "json_path": "grade"},
    polite={"type": "json", "json_path": "polite"},
)


def judged_by(url: str, metric: dict[str, Any]) -> dict[str, Any]:
    return metric | {"params": metric["params"] | {"model": model(url, "judge")}}


@pytest.fixture
def questions(served) -> str:
    return served.dataset("sums.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))


@pytest.fixture
def spec(served, endpoint, questions) -> dict[str, Any]:
    task = chat_task(
        questions,
        correct=CORRECT,
        graded=judged_by(endpoint.url, GRADED),
        read=judged_by(endpoint.url, READ_AS_JSON),
    )
    return job(model(endpoint.url), qa=task)


def test_a_job_goes_from_its_creation_to_its_scores(served, endpoint, spec):
    client = served.client.v2.evaluation
    created = client.jobs.create(spec=spec, name="sums", project="p", description="d")
    progress: list[float] = []

    def has_ended() -> bool:
        status = client.jobs.status.retrieve(created.id)
        progress.append(status.status_details["progress"])
        return status.status in ENDED

    until("the job to end", has_ended)
    status = client.jobs.status.retrieve(created.id)
    listed = client.jobs.results.list(created.id).data
    scores = client.jobs.results.evaluation_results.retrieve(created.id).tasks["qa"].metrics

    assert (created.status, created.name) == ("created", "sums")
    assert status.status == "completed"
    assert status.status_details == {
        "progress": 100.0,
        "samples_processed": 12,
        "task_status": {"qa": "completed"},
        "message": "Job completed successfully.",
    }
    assert all(isinstance(percent, float) for percent in progress)
    assert progress == sorted(progress)
    assert [result.result_name for result in listed] == ["evaluation-results", "artifacts"]
    correct = scores["correct"].scores["string-check"]
    assert (correct.value, correct.stats.count, correct.stats.sum, correct.stats.nan_count) == (0.75, 12, 9.0, 0)
    grade = scores["graded"].scores["grade"].stats
    assert (grade.sum, grade.min, grade.max) == (21.0, 0.0, 4.0)  # 0+1+2+3+4 twice, then 0+1
    assert scores["read"].scores["grade"].value == pytest.approx(21 / 12)
    assert scores["read"].scores["polite"].value == 1.0
    assert len(endpoint.calls) == 3 * 12


def test_the_flow_run_is_named_by_the_job_and_a_small_one_has_one_task_run(served, spec):
    spec["config"] |= {"name": "sums", "namespace": "org"}
    job_id = served.create(spec, namespace="team")
    assert served.wait(job_id).status == "completed"
    by_name = {"flow_runs": {"name": {"any_": [f"org/sums-{job_id[-6:]}"]}}}

    def task_runs() -> list[tuple[str, str, str]]:
        found = served.ask_prefect("POST", "/task_runs/filter", by_name).json()
        return [(run["name"], run["state_type"], run["state"] and run["state"]["message"]) for run in found]

    (run,) = served.ask_prefect("POST", "/flow_runs/filter", by_name).json()
    assert run["state_type"] == "COMPLETED"
    assert set(run["tags"]) >= {"nemo-v2", "namespace:team", "config:org/sums", "model:m"}
    assert run["parameters"] == {"job_id": job_id}
    told = "generate: 12 samples · calls: 12 answered; judge: 12 samples · calls: 24 answered · scores: 48 scored"
    until("the end of its task run", lambda: task_runs() == [("generate-and-judge", "COMPLETED", told)])


def test_a_data_task_scores_rows_without_asking_a_target(served, endpoint):
    rows = [{"answer": "a", "said": "a"}, {"answer": "b", "said": "c"}, {"answer": "c", "said": "c"}]
    check = {"type": "string-check", "params": {"check": ["{{item.said}}", "equals", "{{item.answer}}"]}}
    graded = judge(model(endpoint.url), "{{item.said}} ANSWER: SCORE: 2")
    spec = job({"type": "rows", "rows": rows}, qa={"type": "data", "metrics": {"same": check, "graded": graded}})
    job_id = served.create(spec)
    assert served.wait(job_id).status == "completed"
    scores = served.results(job_id).tasks["qa"].metrics
    assert scores["same"].scores["string-check"].value == pytest.approx(2 / 3)
    assert scores["graded"].scores["grade"].value == 2.0
    assert len(endpoint.calls) == 3


def test_a_completions_prompt_and_a_limit_on_samples(served, endpoint, questions):
    task = chat_task(questions) | {"type": "completion", "params": {"template": {"prompt": "{{item.question}}"}}}
    job_id = served.create(job(model(endpoint.url), params={"limit_samples": 5, "max_tokens": 7}, qa=task))
    assert served.wait(job_id).status_details["samples_processed"] == 5
    assert served.results(job_id).tasks["qa"].metrics["correct"].scores["string-check"].stats.count == 5
    assert {call["path"] for call in endpoint.calls} == {"/v1/completions"}
    assert sorted(call["body"]["prompt"] for call in endpoint.calls) == [row["question"] for row in ROWS[:5]]
    assert {(call["body"]["model"], call["body"]["max_tokens"]) for call in endpoint.calls} == {("m", 7)}


def test_the_list_is_paged_to_its_end(served):
    spec = job({"type": "rows", "rows": [{"a": "1"}]}, qa={"type": "data"})
    created = [served.create(spec) for _ in range(3)]
    jobs = served.client.v2.evaluation.jobs
    by_twos = [job.id for job in jobs.list(page_size=2, sort="-created_at")]
    assert by_twos[:3] == created[::-1]
    assert len(by_twos) == len(set(by_twos)) == jobs.list(page_size=1).pagination.total_results
    assert by_twos[::-1] == [job.id for job in jobs.list(page_size=1000, sort="created_at")]
    assert {served.wait(job_id).status for job_id in created} == {"completed"}


def test_a_cancelled_job_ends_soon_and_asks_no_more(served, questions):
    jobs = served.client.v2.evaluation.jobs
    with ScriptedEndpoint(lambda _: text("late", delay_s=2 * WAIT_S)) as slow, ScriptedEndpoint() as quick:
        job_id = served.create(job(model(slow.url), params={"parallelism": 3}, qa=chat_task(questions)))
        until("three calls in flight", lambda: len(slow.calls) == 3)
        assert jobs.cancel(job_id).status == "cancelling"
        assert served.wait(job_id).status == "cancelled"  # long before a call is answered
        after = served.create(job(model(quick.url), qa=chat_task(questions)))
        assert served.wait(after).status == "completed"
        assert len(slow.calls) == 3
    assert [each.result_name for each in jobs.results.list(job_id).data] == ["artifacts"]


def test_an_unknown_job_is_not_found(served):
    jobs = served.client.v2.evaluation.jobs
    for ask in (jobs.retrieve, jobs.cancel, jobs.status.retrieve, jobs.results.list):
        with pytest.raises(NotFoundError, match="not found"):
            ask("job-nosuchjob")


def test_the_asynchronous_client_does_the_same(served, endpoint, questions):
    async def evaluate() -> tuple[str, float, bool]:
        async with AsyncNeMoMicroservices(base_url=served.url, _strict_response_validation=True) as client:
            jobs: Any = client.v2.evaluation.jobs
            created = await jobs.create(spec=job(model(endpoint.url), qa=chat_task(questions)))
            async with asyncio.timeout(WAIT_S):
                while (current := await jobs.retrieve(created.id)).status not in ENDED:  # noqa: ASYNC110 - as clients do
                    await asyncio.sleep(0.05)
            scores = await jobs.results.evaluation_results.retrieve(created.id)
            listed = created.id in [each.id async for each in jobs.list(page_size=50)]
            return current.status, scores.tasks["qa"].metrics["correct"].scores["string-check"].value, listed

    assert asyncio.run(evaluate()) == ("completed", 0.75, True)
    assert len(endpoint.calls) == 12
