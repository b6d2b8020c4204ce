import asyncio
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from nemo_microservices import AsyncNeMoMicroservices, ConflictError, NeMoMicroservices, NotFoundError

from core.job import Count, Failure, Progress, Stage, utcnow
from core.plan import Manifest, cut_shards
from core.result import Output, Score
from store.results.folder import JobFolder
from store.results.log import JobLog
from tasks.summaries.aggregator import Aggregator

JOBS = "/v1/evaluation/jobs"
CHECK = {"type": "string-check", "params": {"check": ["{{said}}", "equals", "{{answer}}"]}}
ROWS = [{"said": "a", "answer": "a"}, {"said": "b", "answer": "c"}]
TARGET: dict[str, Any] = {"type": "rows", "rows": ROWS}
CONFIG: dict[str, Any] = {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"accuracy": CHECK}}}}
MODEL = {
    "type": "model",
    "model": {"api_endpoint": {"url": "https://m.example/v1", "model_id": "m", "api_key": "MARKER"}},
}


@pytest.fixture(scope="module")
def client(service) -> Iterator[NeMoMicroservices]:
    with NeMoMicroservices(base_url=service.url, _strict_response_validation=True) as client:
        yield client


@pytest.fixture
def job(client) -> Any:
    return client.evaluation.jobs.create(target=TARGET, config=CONFIG, namespace="org")


def starts(service, job_id: str) -> None:
    service.state.jobs.settle(job_id, status="running", started_at=utcnow())
    counts: dict[str, dict[Stage, Count]] = {"qa": {"generate": Count(2, 2), "judge": Count(1, 2)}}
    service.state.jobs.report(Progress(job_id, 1, "w", utcnow(), counts))


def completes(service, job_id: str) -> None:
    """Do what an engine does: judge both rows, of which the first is right."""
    folder = JobFolder(service.state.results, job_id)
    spec = service.state.jobs.get(job_id).spec
    (shard,) = cut_shards({"qa": 2}, 1)
    folder.write_samples(shard, [orjson.dumps(row).decode() for row in ROWS])
    folder.write_manifest(Manifest(job_id=job_id, code_version="1", spec=spec, shards=(shard,), datasets=()))
    folder.finish_generate(shard, [Output("qa", n, "target") for n in range(2)], [])
    scores = [
        Score("qa", n, "target", 0, "accuracy", "string-check", "scored", value=value)
        for n, value in enumerate([1.0, 0.0])
    ]
    folder.finish_judge(shard, scores, [])
    aggregator = Aggregator(spec.tasks)
    aggregator.add(scores)
    folder.write_summaries(aggregator.summaries())
    log = JobLog(folder.log_path)
    log.write("Running task qa")
    log.close()
    service.state.jobs.settle(job_id, status="completed", finished_at=utcnow())


def test_a_new_job_shows_its_target_and_config_in_full_with_nulls(service):
    response = service.http.post(JOBS, json={"target": TARGET, "config": CONFIG, "namespace": "org"})
    job = response.json()
    assert response.status_code == 200
    assert job["id"].startswith("eval-")
    assert {name: job[name] for name in ("namespace", "status", "result", "project", "ownership")} == {
        "namespace": "org",
        "status": "created",
        "result": None,
        "project": None,
        "ownership": None,
    }
    assert job["status_details"] == {"message": None, "task_status": {}, "progress": None, "samples_processed": None}
    target, config = job["target"], job["config"]
    assert target["id"].startswith("eval-target-")
    assert {name: target[name] for name in ("schema_version", "type_prefix", "type", "rows", "model")} == {
        "schema_version": "1.0",
        "type_prefix": "eval-target",
        "type": "rows",
        "rows": ROWS,
        "model": None,
    }
    assert config["type_prefix"] == "eval-config"
    assert config["groups"] is None
    assert config["tasks"]["qa"] == {"type": "data", "params": None, "metrics": {"accuracy": CHECK}, "dataset": None}
    assert service.http.get(f"{JOBS}/{job['id']}").json() == job


def test_names_come_back_as_objects_and_outlive_what_they_name(service, client):
    client.evaluation.targets.create(name="t", namespace="org", **MODEL)
    client.evaluation.configs.create(
        name="c",
        namespace="org",
        type="custom",
        tasks={
            "qa": {
                "type": "completion",
                "params": {"template": "{{q}}"},
                "dataset": {"files_url": "hf://datasets/a/b/c.jsonl"},
            }
        },
    )
    job = client.evaluation.jobs.create(target="org/t", config="org/c")
    assert (job.target.name, job.target.namespace, job.config.name) == ("t", "org", "c")
    assert job.target.model.api_endpoint.api_key == "******"
    assert job.target.id == client.evaluation.targets.retrieve("t", namespace="org").id
    client.evaluation.targets.delete("t", namespace="org")
    kept = service.state.jobs.get(job.id)
    assert (kept.target, kept.config, kept.model) == ("org/t", "org/c", "m")
    assert service.state.vault.reveal(kept.spec.targets[0].endpoint.api_key) == "MARKER"
    assert client.evaluation.jobs.retrieve(job.id) == job
    with pytest.raises(NotFoundError) as caught:
        client.evaluation.jobs.create(target="org/t", config="org/c")
    assert caught.value.body == {"detail": "Target 'org/t' not found"}


def test_the_status_of_a_job_is_a_number_from_the_first(service, client, job):
    status = client.evaluation.jobs.status(job.id)
    assert (status.progress, status.samples_processed, status.task_status) == (0.0, 0, {"qa": "pending"})
    assert status.status == "created"
    service.state.jobs.settle(job.id, status="pending")
    assert client.evaluation.jobs.retrieve(job.id).status == "created"
    starts(service, job.id)
    status = client.evaluation.jobs.status(job.id)
    assert (status.message, status.progress, status.samples_processed) == ("Job is running", 75.0, 1)
    assert status.task_status == {"qa": "running"}
    shown = client.evaluation.jobs.retrieve(job.id)
    assert (shown.status, shown.status_details.progress) == ("running", 75.0)
    assert service.http.get(f"{JOBS}/{job.id}/status-details").json()["status"] == "running"


def test_a_result_exists_from_the_start_and_has_scores_at_the_end(service, client, job):
    with pytest.raises(NotFoundError) as caught:
        client.evaluation.jobs.results(job.id)
    assert caught.value.body == {"detail": "Job result not found"}
    with pytest.raises(NotFoundError):
        client.evaluation.jobs.download_results(job.id)
    starts(service, job.id)
    partial = client.evaluation.jobs.results(job.id)
    assert partial.job == job.id
    assert partial.tasks["qa"].metrics == {}
    assert client.evaluation.jobs.retrieve(job.id).result == partial.id
    completes(service, job.id)
    result = client.evaluation.jobs.results(job.id)
    score = result.tasks["qa"].metrics["accuracy"].scores["string-check"]
    assert (score.value, score.stats.count, score.stats.stddev) == (0.5, 2, 0.5)
    assert result.id == partial.id
    assert result.namespace == "org"
    assert client.evaluation.results.retrieve(result.id) == result
    assert [each.id for each in client.evaluation.results.list(filter={"job_id": job.id})] == [result.id]
    assert client.evaluation.jobs.retrieve(job.id).status_details.progress == 100.0


def test_the_archives_hold_the_job_its_samples_and_its_log(service, client, job, tmp_path):
    starts(service, job.id)
    completes(service, job.id)
    client.evaluation.jobs.download_results(job.id).write_to_file(tmp_path / "results.zip")
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        shown, samples, scores = (
            orjson.loads(archive.read(f"{name}.json")) for name in ("job", "results", "evaluation_results")
        )
    assert (shown["id"], shown["status"]) == (job.id, "completed")
    assert [sample["item"] for sample in samples["qa"]] == ROWS
    assert samples["qa"][1]["metrics"]["accuracy"]["scores"]["string-check"] == {"value": 0.0, "stats": None}
    assert scores["tasks"]["qa"]["metrics"]["accuracy"]["scores"]["string-check"]["value"] == 0.5
    logs = client.evaluation.jobs.with_raw_response.download_logs(job.id)
    assert logs.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(logs.read())) as archive:
        assert archive.namelist() == [f"{job.id.lower()}.log"]
        assert b" - INFO - Running task qa\n" in archive.read(archive.namelist()[0])


def test_a_job_is_cancelled_once_and_answers_with_json(service, client, job):
    response = service.http.post(f"{JOBS}/{job.id}/cancel", headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["status"]) == (200, "cancelling")
    service.state.jobs.settle(job.id, status="cancelled", finished_at=utcnow())
    with pytest.raises(ConflictError) as caught:
        client.evaluation.jobs.cancel(job.id)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert client.evaluation.jobs.status(job.id).task_status == {"qa": "failed"}


def test_a_deleted_job_is_gone_with_its_result_at_once_whatever_it_did(service, client, job):
    starts(service, job.id)
    result = client.evaluation.jobs.results(job.id)
    assert service.http.delete(f"{JOBS}/{job.id}").json()["id"] == job.id
    for gone in (client.evaluation.jobs.retrieve, client.evaluation.jobs.cancel, client.evaluation.jobs.delete):
        with pytest.raises(NotFoundError):
            gone(job.id)
    with pytest.raises(NotFoundError):
        client.evaluation.results.retrieve(result.id)
    assert job.id not in [each.id for each in client.evaluation.jobs.list(filter={"namespace": "org"})]
    assert [each.intent for each in service.state.jobs.open() if each.id == job.id] == ["delete"]


def test_what_cannot_be_carried_out_is_accepted_and_fails_saying_what_can(client):
    job = client.evaluation.jobs.create(target=MODEL, config={"type": "humaneval", "tasks": {"t": {"type": "x"}}})
    assert job.status == "failed"
    assert "custom" in job.status_details.message
    assert client.evaluation.jobs.status(job.id).task_status == {"t": "failed"}


def test_what_cannot_be_carried_out_is_shown_whatever_stands_in_it(service, client):
    body = {"target": MODEL, "config": {"type": "x", "tasks": {"t": [1], "u": {}}, "groups": {"g": 1, "h": {}}}}
    created = service.http.post("/v1/evaluation/jobs", json=body)
    assert (created.status_code, created.json()["status"]) == (200, "failed")
    assert created.json()["config"]["tasks"]["t"] == [1]
    stored = client.evaluation.results.create(job=created.json()["id"])
    assert (list(stored.tasks), list(stored.groups)) == (["t", "u"], ["h"])


def test_a_job_of_another_version_is_not_found(client, job):
    spec = {"target": TARGET, "config": CONFIG}
    second = client.v2.evaluation.jobs.create(spec=spec)
    with pytest.raises(NotFoundError):
        client.evaluation.jobs.retrieve(second.id)
    with pytest.raises(NotFoundError):
        client.v2.evaluation.jobs.retrieve(job.id)


def test_results_can_be_stored_changed_and_deleted(client):
    tasks = {"qa": {"metrics": {"m": {"scores": {"s": {"value": 0.5}}}}}}
    stored = client.evaluation.results.create(job="elsewhere", tasks=tasks, custom_fields={"token": "MARKER", "k": 1})
    assert stored.id.startswith("evaluation_result-")
    assert (stored.namespace, stored.groups) == ("default", {})
    assert stored.custom_fields == {"token": "******", "k": 1}
    changed = client.evaluation.results.update(stored.id, description="better", project="p")
    assert (changed.description, changed.project, changed.tasks) == ("better", "p", stored.tasks)
    assert client.evaluation.results.retrieve(stored.id) == changed
    deleted = client.evaluation.results.delete(stored.id)
    assert (deleted.id, deleted.message) == (stored.id, "Resource deleted successfully.")
    with pytest.raises(NotFoundError):
        client.evaluation.results.retrieve(stored.id)


def test_the_async_client_sees_the_same(service, job):
    async def seen() -> tuple[Any, Any, list[Any]]:
        async with AsyncNeMoMicroservices(base_url=service.url, _strict_response_validation=True) as client:
            jobs = client.evaluation.jobs
            listed = [each async for each in jobs.list(filter={"namespace": "org"}, page_size=2)]
            return await jobs.retrieve(job.id), await jobs.status(job.id), listed

    retrieved, status, listed = asyncio.run(seen())
    assert retrieved == job
    assert status.progress == 0.0
    assert job.id in [each.id for each in listed]
    assert len({each.id for each in listed}) == len(listed)


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"target": ...}, ["body", "target"]),
        ({"target": 3}, ["body", "target"]),
        ({"target": {"type": "rows"}}, ["body", "target", "rows"]),
        ({"target": {"type": "robot"}}, ["body", "target", "type"]),
        ({"config": {"type": "custom"}}, ["body", "config", "tasks"]),
        ({"name": "a/b"}, ["body", "name"]),
        ({"output_files_url": "a\0b"}, ["body", "output_files_url"]),
    ],
)
def test_a_bad_body_is_refused_naming_the_place(service, change, loc):
    body = {name: value for name, value in ({"target": TARGET, "config": CONFIG} | change).items() if value is not ...}
    response = service.http.post(JOBS, json=body)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][: len(loc)] == loc


def test_a_failure_is_told_in_the_status(service, client, job):
    failure = Failure(blame="user", code="dataset_unreadable", message="line 14 of math.csv is broken")
    service.state.jobs.settle(job.id, status="failed", failure=failure, finished_at=utcnow())
    assert client.evaluation.jobs.status(job.id).message == "line 14 of math.csv is broken"
    assert client.evaluation.jobs.retrieve(job.id).status == "failed"
