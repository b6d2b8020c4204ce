"""What becomes of a job of the second version: logs, archives, pausing, deletion; and the platform's view of it."""

import asyncio
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from nemo_microservices import (
    AsyncNeMoMicroservices,
    ConflictError,
    NeMoMicroservices,
    NotFoundError,
    UnprocessableEntityError,
)

from core.job import utcnow
from core.plan import Manifest
from core.result import Summary
from store.results.folder import JobFolder
from store.results.log import JobLog
from tests.tasks.specs import alike

JOBS = "/v2/evaluation/jobs"
SPEC: dict[str, Any] = {
    "target": {"type": "rows", "rows": [{"a": "1"}]},
    "config": {"type": "custom", "tasks": {"qa": {"type": "data"}}},
}


@pytest.fixture(scope="module")
def client(service) -> Iterator[NeMoMicroservices]:
    with NeMoMicroservices(base_url=service.url, _strict_response_validation=True) as client:
        yield client


@pytest.fixture
def job(client) -> Any:
    return client.v2.evaluation.jobs.create(spec=SPEC)


def folder_of(service, job: Any) -> JobFolder:
    return JobFolder(service.state.results, job.id)


def says(service, job: Any, *messages: str) -> None:
    log = JobLog(folder_of(service, job).log_path)
    for message in messages:
        log.write(message)
    log.close()


def test_a_log_is_read_page_by_page_until_there_is_no_next(service, client, job):
    assert client.v2.evaluation.jobs.logs.list(job.id).data == []
    says(service, job, *(f"line {n}" for n in range(5)))
    page = client.v2.evaluation.jobs.logs.list(job.id, limit=2)
    text = "".join(line.message for line in page.data)
    while page.next_page is not None:
        page = client.v2.evaluation.jobs.logs.list(job.id, limit=2, page_cursor=page.next_page)
        text += "".join(line.message for line in page.data)
    assert text == "".join(f"line {n}\n" for n in range(5))
    assert [line.message for line in client.v2.evaluation.jobs.logs.list(job.id, limit=2)] == text.splitlines(True)
    raw = service.http.get(f"{JOBS}/{job.id}/logs").json()
    assert {name: raw[name] for name in ("object", "next_page", "prev_page", "total")} == {
        **({"object": "list", "next_page": None, "prev_page": None} | {"total": 5}),
    }
    assert (raw["data"][0]["job_id"], raw["data"][0]["job_step"]) == (job.id, "evaluation")


def test_a_cursor_goes_on_where_a_running_job_has_said_more(service, client, job):
    says(service, job, "a", "b", "c")
    cursor = client.v2.evaluation.jobs.logs.list(job.id, limit=1).next_page
    says(service, job, "d")
    later = client.v2.evaluation.jobs.logs.list(job.id, page_cursor=cursor)
    assert [line.message for line in later] == ["b\n", "c\n", "d\n"]


@pytest.mark.parametrize("cursor", ["x", "MQ", "LTE", "ééé", "MTAwMDAwMA", "=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_an_invalid_cursor_is_refused(service, client, job, cursor):
    says(service, job, "a")
    with pytest.raises(UnprocessableEntityError) as caught:
        client.v2.evaluation.jobs.logs.list(job.id, page_cursor=cursor)
    assert caught.value.response.json()["detail"][0]["msg"] == "Invalid page cursor"
    assert caught.value.response.json()["detail"][0]["loc"] == ["query", "page_cursor"]


def test_artifacts_are_a_tar_archive_under_one_folder(service, client, job, tmp_path):
    with pytest.raises(NotFoundError) as caught:
        client.v2.evaluation.jobs.results.artifacts.retrieve(job.id)
    assert caught.value.body == {"detail": "Job result not found"}
    says(service, job, "Running task qa")
    folder = folder_of(service, job)
    folder.write_summaries([Summary("qa", "target", "m", "s", 1, 0, *alike(1.0))])
    service.state.jobs.settle(job.id, status="completed", finished_at=utcnow())
    client.v2.evaluation.jobs.results.artifacts.retrieve(job.id).write_to_file(tmp_path / "artifacts.tar.gz")
    with tarfile.open(tmp_path / "artifacts.tar.gz") as archive:
        names = {member.name for member in archive}
    assert names == {
        *("artifacts/job.json", "artifacts/evaluation_results.json", "artifacts/results.json"),
        f"artifacts/{job.id}.log",
    }
    entry = client.v2.evaluation.jobs.results.retrieve("artifacts", job_id=job.id)
    assert service.http.get(entry.artifact_url).content == (tmp_path / "artifacts.tar.gz").read_bytes()
    by_name = client.v2.evaluation.jobs.results.download("artifacts", job_id=job.id).read()
    assert by_name == (tmp_path / "artifacts.tar.gz").read_bytes()
    with pytest.raises(NotFoundError):
        client.v2.evaluation.jobs.results.retrieve("model", job_id=job.id)
    with pytest.raises(NotFoundError):
        client.v2.evaluation.jobs.results.download("model", job_id=job.id)


def test_a_job_that_was_stopped_keeps_what_it_has_done(service, client, job):
    folder_of(service, job).write_manifest(
        Manifest(job_id=job.id, code_version="1", spec=service.state.jobs.get(job.id).spec, shards=(), datasets=())
    )
    assert client.v2.evaluation.jobs.results.list(job.id).data == []
    service.state.jobs.settle(job.id, status="cancelled", finished_at=utcnow())
    assert [each.result_name for each in client.v2.evaluation.jobs.results.list(job.id).data] == ["artifacts"]
    assert client.v2.evaluation.jobs.results.artifacts.retrieve(job.id).read()[:2] == b"\x1f\x8b"


def test_a_job_is_deleted_at_once(client, job, service):
    deleted = client.v2.evaluation.jobs.delete(job.id)
    assert deleted["id"] == job.id
    for gone in (client.v2.evaluation.jobs.retrieve, client.v2.evaluation.jobs.delete, client.jobs.retrieve):
        with pytest.raises(NotFoundError):
            gone(job.id)
    assert service.state.jobs.get(job.id).intent == "delete"


def test_a_job_is_paused_and_resumed(service, client, job):
    assert service.http.post(f"{JOBS}/{job.id}/pause").json()["status"] == "pausing"
    service.state.jobs.settle(job.id, status="paused")
    assert client.v2.evaluation.jobs.retrieve(job.id).status == "paused"
    assert service.http.post(f"{JOBS}/{job.id}/resume").json()["status"] == "resuming"
    service.state.jobs.settle(job.id, status="running")
    refused = service.http.post(f"{JOBS}/{job.id}/resume")
    assert (refused.status_code, refused.headers["x-should-retry"]) == (409, "false")


def test_the_platform_pauses_resumes_cancels_and_tells_the_status(service, client, job):
    assert client.jobs.pause(job.id).status == "pausing"
    assert client.jobs.resume(job.id).status == "resuming"
    shown = client.jobs.retrieve(job.id)
    assert (shown.id, shown.source, shown.attempt.seq) == (job.id, "evaluation", 1)
    assert [step.name for step in shown.platform_spec.steps] == ["evaluation"]
    assert client.jobs.get_status(job.id).status_details["progress"] == 0.0
    says(service, job, "a", "b")
    assert [line.message for line in client.jobs.get_logs(job.id, limit=1)] == ["a\n", "b\n"]
    assert client.jobs.cancel(job.id).status == "cancelling"
    assert client.jobs.results.list(job.id).data == []
    client.jobs.delete(job.id)
    with pytest.raises(NotFoundError):
        client.jobs.get_status(job.id)
    with pytest.raises(ConflictError):
        client.jobs.pause(ended(service, client).id)


def ended(service, client) -> Any:
    job = client.v2.evaluation.jobs.create(spec=SPEC)
    service.state.jobs.settle(job.id, status="cancelled", finished_at=utcnow())
    return job


def test_the_platform_lists_what_the_second_version_has(service, client, job):
    first = client.evaluation.jobs.create(**SPEC)
    listed = client.jobs.list(filter={"source": "evaluation", "status": "created"}, page_size=1000)
    ids = {each.id for each in listed.data}
    assert job.id in ids
    assert first.id not in ids
    assert service.http.get("/v1/jobs", params={"filter[source]": "customizer"}).status_code == 422


def test_the_async_client_sees_the_same(service, job):
    says(service, job, "a")

    async def seen() -> tuple[Any, list[str]]:
        async with AsyncNeMoMicroservices(base_url=service.url, _strict_response_validation=True) as client:
            status = await client.jobs.get_status(job.id)
            return status, [line.message async for line in client.v2.evaluation.jobs.logs.list(job.id)]

    status, messages = asyncio.run(seen())
    assert status.status == "created"
    assert messages == ["a\n"]


def test_names_of_stored_entities_are_replaced_by_what_they_name(service, client):
    endpoint = {"url": "https://m.example/v1", "model_id": "m", "api_key": "MARKER"}
    client.evaluation.targets.create(name="by-name", type="model", model={"api_endpoint": endpoint})
    tasks = {
        "qa": {
            "type": "completion",
            "params": {"template": "{{q}}"},
            "dataset": {"files_url": "hf://datasets/a/b/c.csv"},
        }
    }
    client.evaluation.configs.create(name="by-name", type="custom", tasks=tasks)
    job = client.v2.evaluation.jobs.create(spec={"target": "default/by-name", "config": "default/by-name"})
    assert job.spec.target.model.api_endpoint.api_key == "******"
    assert job.spec.config.tasks["qa"].type == "completion"
    kept = service.state.jobs.get(job.id)
    assert (kept.target, kept.config, kept.model) == ("default/by-name", "default/by-name", "m")
    assert service.state.vault.reveal(kept.spec.targets[0].endpoint.api_key) == "MARKER"
    with pytest.raises(NotFoundError) as caught:
        client.v2.evaluation.jobs.create(spec={"target": "default/by-name", "config": "default/nothing"})
    assert caught.value.body == {"detail": "Config 'default/nothing' not found"}
