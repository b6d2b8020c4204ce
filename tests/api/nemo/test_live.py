from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from nemo_microservices import InternalServerError, NeMoMicroservices

from api.nemo.routes import live
from core.job import Failure, utcnow
from core.plan import Manifest, cut_shards
from core.result import Output, Score
from store.results.folder import JobFolder
from tasks.summaries.aggregator import Aggregator
from tests.conftest import until

CHECK = {"type": "string-check", "params": {"check": ["{{a}}", "equals", "1"]}}
BODY: dict[str, Any] = {
    "target": {"type": "rows", "rows": [{"a": "1"}]},
    "config": {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"m": CHECK}}}},
}


@pytest.fixture(scope="module")
def client(service) -> Iterator[NeMoMicroservices]:
    with NeMoMicroservices(base_url=service.url, max_retries=0, _strict_response_validation=True) as client:
        yield client


def ephemeral(service, project: str) -> str:
    """The id of the ephemeral job of that project, once there is one."""

    def found() -> str | None:
        jobs = service.state.jobs
        return next((job.id for job in jobs.undispatched() if jobs.get(job.id).project == project), None)

    return until(f"a job of {project}", found)


def answers(service, project: str, failure: Failure | None = None) -> Thread:
    """Carry out the ephemeral job of that project as soon as it is there."""

    def carry_out() -> None:
        job_id = ephemeral(service, project)
        if failure is None:
            scores(service, job_id)
        service.state.jobs.settle(
            job_id, status="failed" if failure else "completed", failure=failure, finished_at=utcnow()
        )

    thread = Thread(target=carry_out)
    thread.start()
    return thread


def scores(service, job_id: str) -> None:
    folder, spec = JobFolder(service.state.results, job_id), service.state.jobs.get(job_id).spec
    (shard,) = cut_shards({"qa": 1}, 1)
    folder.write_samples(shard, ['{"a":"1"}'])
    folder.write_manifest(Manifest(job_id=job_id, code_version="1", spec=spec, shards=(shard,), datasets=()))
    folder.finish_generate(shard, [Output("qa", 0, "target")], [])
    scored = [Score("qa", 0, "target", 0, "m", "string-check", "scored", value=1.0)]
    folder.finish_judge(shard, scored, [])
    aggregator = Aggregator(spec.tasks)
    aggregator.add(scored)
    folder.write_summaries(aggregator.summaries())


def test_an_evaluation_is_answered_with_scores_and_samples_and_leaves_nothing(service, client):
    engine = answers(service, "live-1")
    answered = client.evaluation.live(**BODY, project="live-1")
    engine.join()
    assert (answered.status, answered.status_details.progress) == ("completed", 100.0)
    assert answered.result.tasks["qa"].metrics["m"].scores["string-check"].value == 1.0
    assert answered.logs["qa"] == [
        {
            "item": {"a": "1"},
            "sample": {"output_text": None, "response": None},
            "metrics": {"m": {"scores": {"string-check": {"value": 1.0, "stats": None}}}},
            "requests": [],
        }
    ]
    assert service.state.jobs.get(answered.result.job).intent == "delete"
    assert list(client.evaluation.jobs.list(filter={"project": "live-1"})) == []
    assert list(client.evaluation.results.list(filter={"job_id": answered.result.job})) == []


def test_an_evaluation_that_fails_says_why(service, client):
    failure = Failure(blame="user", code="template_invalid", message="no column 'a'")
    engine = answers(service, "live-2", failure)
    answered = client.evaluation.live(**BODY, project="live-2")
    engine.join()
    assert (answered.status, answered.status_details.message) == ("failed", "no column 'a'")
    assert (answered.result, answered.logs) == (None, {})


def test_what_takes_too_long_is_cancelled_and_never_retried(service, client, monkeypatch):
    monkeypatch.setattr(live, "PATIENCE_S", 0.3)
    with pytest.raises(InternalServerError) as caught:
        client.evaluation.live(**BODY, project="live-3")
    assert caught.value.status_code == 504
    assert caught.value.response.headers["x-should-retry"] == "false"
    (job,) = (each for each in service.state.jobs.open() if service.state.jobs.get(each.id).project == "live-3")
    assert job.intent == "delete"


def test_while_one_waits_others_are_answered(service, client):
    waiting = Thread(target=client.evaluation.live, kwargs={**BODY, "project": "live-4"})
    waiting.start()
    job_id = ephemeral(service, "live-4")
    assert job_id not in [job.id for job in client.evaluation.jobs.list(filter={"project": "live-4"})]
    assert service.http.get("/health").is_success
    service.state.jobs.settle(job_id, status="cancelled", finished_at=utcnow())
    waiting.join()
    assert service.state.jobs.get(job_id).intent == "delete"


def test_the_same_request_again_awaits_the_same_job(service, client):
    found: list[int] = []
    body = BODY | {"project": "live-5"}

    def ask(count: str) -> None:
        headers = {"x-stainless-retry-count": count}
        found.append(service.http.post("/v1/evaluation/live", json=body, headers=headers).status_code)

    first = Thread(target=ask, args=("0",))
    service.woken.clear()
    first.start()
    job_id = ephemeral(service, "live-5")
    second = Thread(target=ask, args=("1",))
    second.start()
    until("both to wait for a job", lambda: len(service.woken) == 2)
    scores(service, job_id)
    service.state.jobs.settle(job_id, status="completed", finished_at=utcnow())
    first.join()
    second.join()
    assert found in ([200, 200], [200, 409], [409, 200])
    made = [each for each in service.state.jobs.open() if service.state.jobs.get(each.id).project == "live-5"]
    assert [each.id for each in made] == [job_id]


def test_evaluations_whose_process_died_are_dropped(service, client):
    service.state.jobs.drop_ephemeral(utcnow())
    left = [service.state.jobs.get(each.id) for each in service.state.jobs.open()]
    assert [job.id for job in left if job.ephemeral and job.intent != "delete"] == []


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"target": {"type": "model", "model": "m"}}, ["body", "target", "type"]),
        ({"target": {"type": "cached_outputs", "cached_outputs": {"files_url": "x"}}}, ["body", "target", "type"]),
        ({"config": {"type": "gsm8k"}}, ["body", "config", "type"]),
        (
            {"config": {"type": "custom", "tasks": {"qa": {"type": "completion"}}}},
            ["body", "config", "tasks", "qa", "type"],
        ),
        ({"config": {"type": "custom", "tasks": {}}}, ["body", "config", "tasks"]),
    ],
)
def test_what_cannot_be_awaited_is_refused(service, change, loc):
    response = service.http.post("/v1/evaluation/live", json=BODY | change)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == loc
