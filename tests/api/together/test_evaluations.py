import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.http.submission import Submission
from api.together.routes.evaluations import add_under_free_id
from core.job import NewJob, utcnow
from core.settings import ModelSettings
from tests.api.conftest import Service, running
from tests.api.together import bodies

EVALUATION = "/v1/evaluation"
URL = "https://judge.example/v1"
ROW = b'{"prompt": "p", "response": "r"}\n'


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx.Client]:
    """The API where models that come without a URL are known, and the file of the clients' requests is there."""
    models = {"known": ModelSettings(url=URL), "also": ModelSettings(url=URL)}
    settings = service.state.settings.model_copy(update={"default_endpoint": URL, "models": models})
    service.state.files.save([ROW], filename="d.jsonl", purpose="eval", file_type="jsonl", file_id=bodies.SEED_FILE)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with (
            running(replace(service.state, settings=settings), listening),
            httpx.Client(base_url=url, timeout=60) as http,
        ):
            yield http


@pytest.mark.parametrize("name", bodies.CLIENTS)
def test_what_the_clients_send_makes_a_job(service, http, name):
    woken = len(service.woken)
    created = http.post(EVALUATION, json=bodies.CLIENTS[name])
    assert created.status_code == 200
    job_id = created.json()["workflow_id"]
    assert created.json() == {"workflow_id": job_id, "status": "pending"}
    assert re.fullmatch(r"eval-[0-9a-f]{4,}-\d{10}", job_id)
    assert len(service.woken) == woken + 1
    job = http.get(f"{EVALUATION}/{job_id}").json()
    assert (job["workflow_id"], job["type"], job["status"]) == (job_id, bodies.CLIENTS[name]["type"], "pending")
    assert http.get(f"{EVALUATION}/{job_id}/status").json() == {"status": "pending", "results": None}
    assert http.get(EVALUATION).json()[0] == job
    assert service.http.get(f"/api/assay/v1/jobs/{job_id}").json()["face"] == "together"


def test_a_token_is_kept_in_no_clear_form(service, http):
    job_id = http.post(EVALUATION, json=bodies.EXTERNAL).json()["workflow_id"]
    answers = [http.get(f"{EVALUATION}/{job_id}"), http.get(EVALUATION), http.get("/v1/evaluations")]
    assert not [answer for answer in answers if "MARKER" in answer.text]
    shown = answers[0].json()["parameters"]
    assert shown["judge"] == {**bodies.EXTERNAL["parameters"]["judge"], "external_api_token": "***"}
    assert shown["model_to_evaluate"] == bodies.EXTERNAL["parameters"]["model_to_evaluate"]
    assert b"sk-MARKER" not in service.kept()
    judge = service.state.jobs.get(job_id).spec.tasks[0].metrics[0]
    assert service.state.vault.reveal(judge.endpoint.api_key) == "sk-MARKER"


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    kept = {name: value for name, value in body["parameters"].items() if name not in names}
    return {**body, "parameters": kept}


def changed(body: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    return {**body, "parameters": {**body["parameters"], **parameters}}


CLASSIFY = bodies.NULLS
JUDGE = CLASSIFY["parameters"]["judge"]
OUTSIDE = bodies.judge(URL)
REFUSED = [
    ([], None, "dictionary"),
    ({"parameters": {}}, "type", "type"),
    (CLASSIFY | {"type": "rank"}, "type", "classify"),
    ({"type": "classify"}, "parameters", "required"),
    (without(CLASSIFY, "judge"), "parameters.judge", "required"),
    (without(CLASSIFY, "labels"), "parameters.labels", "required"),
    (without(CLASSIFY, "pass_labels"), "parameters.pass_labels", "required"),
    (without(CLASSIFY, "input_data_file_path"), "parameters.input_data_file_path", "required"),
    (without(CLASSIFY, "model_to_evaluate"), "parameters.model_to_evaluate", "required"),
    (changed(CLASSIFY, model_to_evaluate=None), "parameters.model_to_evaluate", "column"),
    (changed(CLASSIFY, model_to_evaluate={"model": "m"}), "parameters.model_to_evaluate.system_template", "required"),
    (changed(CLASSIFY, labels=["a"]), "parameters.labels", "at least 2"),
    (changed(CLASSIFY, labels=["a", " "]), "parameters.labels.1", "at least 1"),
    (changed(CLASSIFY, labels=["a", "b", "a "]), "parameters.labels", "more than once"),
    (changed(CLASSIFY, pass_labels=[]), "parameters.pass_labels", "at least 1"),
    (changed(CLASSIFY, pass_labels=["c"]), "parameters.pass_labels", "none of the labels: a, b"),
    (changed(CLASSIFY, input_data_file_path="file-none"), "parameters.input_data_file_path", "file-none"),
    (changed(CLASSIFY, judge=JUDGE | {"model_source": "own"}), "parameters.judge.model_source", "serverless"),
    (changed(CLASSIFY, judge=JUDGE | {"num_workers": 0}), "parameters.judge.num_workers", "at least 1|equal to 1"),
    (changed(CLASSIFY, judge=JUDGE | {"temperature": 2.1}), "parameters.judge.temperature", "2"),
    (changed(CLASSIFY, judge=JUDGE | {"system_template": "{% if"}), "parameters.judge.system_template", "line 1"),
    (changed(CLASSIFY, judge=OUTSIDE | {"external_base_url": ""}), "parameters.judge.external_base_url", "URL"),
    (changed(CLASSIFY, judge=OUTSIDE | {"external_base_url": "judge"}), "parameters.judge.external_base_url", "URL"),
    (
        changed(CLASSIFY, judge=OUTSIDE | {"external_base_url": "https://MARKER@j/v1"}),
        *("parameters.judge.external_base_url", "external_api_token"),
    ),
    (
        changed(CLASSIFY, judge=bodies.judge("", model="openai/m", external_api_token="")),
        *("parameters.judge.external_api_token", "key"),
    ),
    (without(bodies.EXTERNAL, "pass_threshold"), "parameters.pass_threshold", "required"),
    (changed(bodies.EXTERNAL, pass_threshold=11), "parameters.pass_threshold", "between"),
    (changed(bodies.EXTERNAL, max_score=1), "parameters.max_score", "greater"),
    (without(bodies.COMPARE, "model_b"), "parameters.model_b", "required"),
    (changed(bodies.COMPARE, model_a=7), "parameters.model_a", "column"),
]


@pytest.mark.parametrize(("body", "param", "words"), REFUSED)
def test_what_the_request_alone_shows_wrong_is_refused_by_name(service, http, body, param, words):
    before = http.get(EVALUATION).json()
    refused = http.post(EVALUATION, json=body)
    assert refused.status_code == 400
    error = refused.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_parameter", param)
    assert re.search(words, error["message"], re.IGNORECASE)
    assert "MARKER" not in refused.text
    assert http.get(EVALUATION).json() == before


def test_a_model_that_nobody_knows_is_refused(service, http):
    refused = service.http.post(EVALUATION, json=CLASSIFY)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "parameters.judge.model")
    assert "ASSAY_DEFAULT_ENDPOINT" in refused.json()["error"]["message"]
    assert http.get(f"{EVALUATION}/model-list").json() == {"model_list": ["also", "known"]}
    assert http.get(f"{EVALUATION}/model-list?model_source=external").json() == {"model_list": []}


def test_a_body_that_is_no_json_is_no_fields_fault(http):
    refused = http.post(EVALUATION, content=b"{", headers={"content-type": "application/json"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, None)
    assert refused.json()["error"]["message"] == "the request: JSON decode error"
    refused = http.get(f"{EVALUATION}/model-list?model_source=own")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "model_source")


def test_labels_lose_the_blanks_that_the_command_line_leaves(service, http):
    job_id = http.post(EVALUATION, json=changed(CLASSIFY, labels=["a", " b"], pass_labels=[" b"])).json()["workflow_id"]
    scale = service.state.jobs.get(job_id).spec.tasks[0].metrics[0].scale
    assert (scale.labels, scale.passing) == (("a", "b"), ("b",))


def test_a_file_is_found_by_its_name_too_the_newest_first(service, http):
    name, files = "named.csv", service.state.files
    saved = [files.save([b"prompt\np\n"], filename=name, purpose="eval", file_type="csv") for _ in range(2)]
    job_id = http.post(EVALUATION, json=changed(CLASSIFY, input_data_file_path=name)).json()["workflow_id"]
    dataset = service.state.jobs.get(job_id).spec.tasks[0].dataset
    assert (dataset.url, dataset.format) == (f"file:{saved[1].id}", "csv")
    model = files.save([b"x"], filename="m.bin", purpose="fine-tune", file_type="bin")
    refused = http.post(EVALUATION, json=changed(CLASSIFY, input_data_file_path=model.id))
    assert refused.json()["error"]["param"] == "parameters.input_data_file_path"


def test_a_request_that_is_sent_again_makes_no_second_job(http):
    body = changed(CLASSIFY, labels=["a", "b", "again"])
    first = http.post(EVALUATION, json=body).json()
    retried = http.post(EVALUATION, json=body, headers={"x-stainless-retry-count": "1"}).json()
    keyed = [http.post(EVALUATION, json=body, headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
    assert retried == first
    assert keyed[0] == keyed[1] != first
    other = http.post(EVALUATION, json=CLASSIFY, headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["error"]["type"]) == (409, "conflict_error")


def test_an_id_that_is_taken_is_not_given_again(service, http):
    taken = service.state.jobs.get(http.post(EVALUATION, json=CLASSIFY).json()["workflow_id"])
    submission = Submission(EVALUATION, None, is_retry=False)
    job = NewJob(taken.id, "together", taken.request, taken.name, spec=taken.spec)
    added = add_under_free_id(service.state, job, {}, sent=CLASSIFY, submission=submission)
    assert added.id != taken.id
    assert added.name == added.id
    assert (
        http.get(f"{EVALUATION}/{taken.id}").json()["created_at"]
        != http.get(f"{EVALUATION}/{added.id}").json()["created_at"]
    )


def test_lists_are_bare_newest_first_bounded_and_narrowed(service, http):
    ids = [http.post(EVALUATION, json=CLASSIFY).json()["workflow_id"] for _ in range(12)]
    service.state.jobs.settle(ids[5], status="cancelled", finished_at=utcnow())
    for path in (EVALUATION, "/v1/evaluations"):
        assert [job["workflow_id"] for job in http.get(path).json()] == ids[:1:-1]
        assert [job["workflow_id"] for job in http.get(path, params={"limit": 2}).json()] == ids[:-3:-1]
    cancelled = http.get(EVALUATION, params={"status": "error", "limit": 1}).json()
    assert [(job["workflow_id"], job["results"]) for job in cancelled] == [(ids[5], {"error": "cancelled"})]
    assert [
        job for job in http.get(EVALUATION, params={"status": "pending"}).json() if job["status"] != "pending"
    ] == []
    for query, param in (({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"status": "failed"}, "status")):
        refused = http.get(EVALUATION, params=query)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


def test_only_its_own_ids_are_found(service, http):
    spec = {
        "target": {"type": "rows", "rows": [{"a": "1"}]},
        "config": {"type": "custom", "tasks": {"t": {"type": "data"}}},
    }
    nemo = service.http.post("/v1/evaluation/jobs", json=spec).json()["id"]
    for name in (nemo, "eval-0000-1", "eval-0000-", "eval-000-1", "EVAL-0000-1", "nothing", "eval-0000-1x"):
        for path in (f"{EVALUATION}/{name}", f"{EVALUATION}/{name}/status"):
            missing = http.get(path)
            assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    ours = http.post(EVALUATION, json=CLASSIFY).json()["workflow_id"]
    assert service.http.get(f"/v1/evaluation/jobs/{ours}").status_code == 404
    assert nemo not in http.get(EVALUATION, params={"limit": 100}).text
    assert http.delete(f"{EVALUATION}/{ours}").json()["error"]["code"] == "method_not_allowed"
