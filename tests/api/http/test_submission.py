from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from nemo_microservices import NeMoMicroservices

from core.job import utcnow
from store.db.connect import connect, writing
from store.db.jobs import Jobs
from store.db.tables import jobs
from store.files.contents import Files

V1, V2 = "/v1/evaluation/jobs", "/v2/evaluation/jobs"
SPEC: dict[str, Any] = {
    "target": {"type": "rows", "rows": [{"a": "1", "token": "MARKER"}]},
    "config": {"type": "custom", "tasks": {"qa": {"type": "data"}}},
}
AGAIN = {"x-stainless-retry-count": "1"}


@pytest.fixture
def database(service):
    engine = connect(service.state.settings.jobs_url)
    yield engine
    engine.dispose()


@pytest.fixture(params=[V1, V2])
def post(service, request: pytest.FixtureRequest) -> Callable[..., httpx.Response]:
    """Ask for a job of this test's own."""
    mine = {"description": request.node.name} | (SPEC if request.param == V1 else {"spec": SPEC})

    def ask(headers: dict[str, str] | None = None, **change: Any) -> httpx.Response:
        return service.http.post(request.param, json=mine | change, headers=headers or {})

    return ask


def test_a_request_that_is_sent_again_is_answered_with_its_job_as_it_stands(service, post):
    first = post().json()
    service.state.jobs.settle(first["id"], status="running", started_at=utcnow())
    again = post(AGAIN)
    assert again.is_success
    assert again.json()["id"] == first["id"]
    assert again.json()["status"] in {"running", "active"}


@pytest.mark.parametrize("count", [None, "0", "00", "", "x", "-1", "²"])
def test_the_same_request_is_a_job_of_its_own_unless_it_says_that_it_is_sent_again(post, count):
    first = post().json()
    headers = {} if count is None else {"x-stainless-retry-count": count.encode()}
    assert post(headers).json()["id"] != first["id"]


def test_a_retry_of_what_never_arrived_makes_the_job(post):
    made = post(AGAIN)
    assert made.is_success
    assert post({"x-stainless-retry-count": "2"}).json()["id"] == made.json()["id"]


def test_a_retry_of_another_body_or_an_old_or_deleted_job_makes_a_job(service, post, database):
    first = post().json()
    assert post(AGAIN, project="other").json()["id"] != first["id"]
    with writing(database) as connection:
        then = utcnow() - timedelta(minutes=11)
        connection.execute(sa.update(jobs).where(jobs.c.id == first["id"]).values(created_at=then))
    second = post(AGAIN).json()
    assert second["id"] != first["id"]
    service.state.jobs.want(second["id"], "delete")
    assert post(AGAIN).json()["id"] not in {first["id"], second["id"]}


def test_a_taken_name_is_no_conflict_for_the_request_that_took_it(post):
    named = post(name="once-v1-or-v2").json()
    assert post(AGAIN, name="once-v1-or-v2").json()["id"] == named["id"]
    assert post(name="once-v1-or-v2").status_code == 409


def test_an_idempotency_key_names_one_request(post, request):
    key = {"Idempotency-Key": request.node.name}
    first = post(key).json()
    assert post(key).json()["id"] == first["id"]
    assert post({"Idempotency-Key": request.node.name + "2"}).json()["id"] != first["id"]
    other = post(key, project="other")
    assert (other.status_code, other.headers["x-should-retry"]) == (409, "false")
    assert "Idempotency-Key" in other.json()["detail"]


def test_what_was_sent_is_known_after_a_restart_and_its_keys_are_not_told(post, database, tmp_path):
    first = post({"Idempotency-Key": f"restart {post}"}).json()
    record = Jobs(database, Files(database, tmp_path)).get(first["id"])
    assert record.digest is not None
    assert len(record.digest) == 64
    assert record.idempotency_key not in (None, f"restart {post}")


def test_requests_at_the_same_time_make_one_job(post, request):
    ids: list[str] = []
    key = {"Idempotency-Key": request.node.name}
    threads = [Thread(target=lambda: ids.append(post(key).json()["id"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_the_sdk_that_lost_an_answer_gets_the_job_it_made(service):
    class LosesTheFirstAnswer(httpx.HTTPTransport):
        sent = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            self.sent += 1
            if self.sent == 1:
                response.read()
                raise httpx.ReadTimeout("lost", request=request)
            return response

    transport = LosesTheFirstAnswer()
    with (
        httpx.Client(transport=transport) as http,
        NeMoMicroservices(base_url=service.url, http_client=http) as client,
    ):
        job = client.evaluation.jobs.create(**SPEC, project="lost")
        assert transport.sent == 2
        assert [each.id for each in client.evaluation.jobs.list(filter={"project": "lost"})] == [job.id]
