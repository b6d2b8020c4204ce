"""A job with rows: its own page shows them, lists do not hold them, and nothing else is slower for them."""

from typing import Any

import pytest

from tests.inputs import rows_of

ROWS: list[dict[str, Any]] = [
    {"said": "Paris\nand \u2028", "token": "t", "n": 1.5},
    {"said": "Rome", "deep": [{"a": None}]},
]
CONFIG = {"type": "custom", "tasks": {"first": {"type": "data"}, "second": {"type": "data"}}}
TARGET = {"type": "rows", "rows": ROWS}


def create(service: Any, path: str, body: dict[str, Any]) -> Any:
    response = service.http.post(path, json=body)
    assert response.is_success, response.text
    return response.json()


def listed(service: Any, path: str, job_id: str) -> Any:
    page = service.http.get(path, params={"page_size": 1000}).json()["data"]
    return next(job for job in page if job["id"] == job_id)


@pytest.mark.parametrize("path", ["/v2/evaluation/jobs", "/v1/jobs"])
def test_the_page_of_a_job_shows_its_rows_and_a_list_does_not(service: Any, path: str) -> None:
    created = create(service, "/v2/evaluation/jobs", {"spec": {"target": TARGET, "config": CONFIG}})
    assert created["spec"]["target"] == TARGET
    shown = service.http.get(f"{path}/{created['id']}").json()
    assert shown["spec"]["target"] == TARGET
    in_list = listed(service, path, created["id"])
    assert in_list["spec"]["target"] == {"type": "rows"}
    assert {**in_list, "spec": None, "attempt": None} == {**shown, "spec": None, "attempt": None}
    paused = service.http.post(f"{path}/{created['id']}/pause").json()
    assert (paused["spec"]["target"], paused["status"]) == (TARGET, "pausing")


def test_the_first_version_shows_rows_on_the_page_alone_too(service: Any) -> None:
    created = create(service, "/v1/evaluation/jobs", {"target": TARGET, "config": CONFIG})
    assert created["target"]["rows"] == ROWS
    shown = service.http.get(f"/v1/evaluation/jobs/{created['id']}").json()
    in_list = listed(service, "/v1/evaluation/jobs", created["id"])
    assert shown == created
    assert in_list["target"]["rows"] is None
    assert {**in_list, "target": {**in_list["target"], "rows": ROWS}} == shown


def test_the_rows_of_several_tasks_are_one_file(service: Any) -> None:
    job_id = create(service, "/v2/evaluation/jobs", {"spec": {"target": TARGET, "config": CONFIG}})["id"]
    job = service.state.jobs.get(job_id)
    assert rows_of(service.state.files, job.spec, 0) == rows_of(service.state.files, job.spec, 1) == ROWS
    assert len({task.dataset.url for task in job.spec.tasks}) == 1


def test_a_stored_target_brings_its_rows_to_the_job(service: Any) -> None:
    create(service, "/v1/evaluation/targets", {"name": "with-rows", **TARGET})
    created = create(service, "/v2/evaluation/jobs", {"spec": {"target": "default/with-rows", "config": CONFIG}})
    assert created["spec"]["target"]["rows"] == ROWS
    assert rows_of(service.state.files, service.state.jobs.get(created["id"]).spec) == ROWS


def test_a_job_whose_rows_are_lost_says_so_on_its_page_alone(service: Any) -> None:
    rows = [{"said": "lost"}]
    job_id = create(
        service, "/v2/evaluation/jobs", {"spec": {"target": {"type": "rows", "rows": rows}, "config": CONFIG}}
    )["id"]
    files = service.state.files
    [given] = service.state.jobs.get(job_id).inputs
    files.path(files.get(given.file_id)).unlink()
    page = service.http.get(f"/v2/evaluation/jobs/{job_id}")
    assert page.status_code == 500
    assert f"The rows that job {job_id} came with are no longer there" in page.json()["detail"]
    assert listed(service, "/v2/evaluation/jobs", job_id)["id"] == job_id
    assert service.http.get(f"/v2/evaluation/jobs/{job_id}/status").status_code == 200
