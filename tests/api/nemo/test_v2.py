import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nemo_microservices import ConflictError, NeMoMicroservices, NotFoundError

from core.job import Count, Failure, Progress, Stage, utcnow
from core.result import Summary
from store.results.folder import JobFolder
from tests.conftest import WAIT_S
from tests.tasks.specs import alike

BODIES = Path(__file__).parent / "bodies"
JOBS = "/v2/evaluation/jobs"
MEAN = Summary(
    *("qa", "target", "accuracy", "string-check"),
    count=2,
    nan_count=1,
    sum=1.0,
    mean=0.5,
    min=0.0,
    max=1.0,
    sum_squared=1.0,
    variance=0.25,
    stddev=0.5,
    stderr=0.35355339059327373,
)
NOTHING = Summary("qa", "target", "judge", "correct", 0, 3, *alike(None))


def body(name: str) -> dict[str, Any]:
    return json.loads((BODIES / f"{name}.json").read_text())


def unnamed_chat() -> dict[str, Any]:
    return {"spec": body("chat")["spec"]}


@pytest.fixture(scope="module")
def client(service) -> Iterator[NeMoMicroservices]:
    with NeMoMicroservices(base_url=service.url, _strict_response_validation=True) as client:
        yield client


def test_a_new_job_is_echoed_with_defaults_filled_in_and_keys_masked(service, client):
    woken = len(service.woken)
    job = client.v2.evaluation.jobs.create(**body("chat"))
    assert (job.name, job.namespace, job.project, job.description) == ("nightly", "org", "p1", "every night")
    assert (job.status, job.status_details, job.error_details) == ("created", {}, None)
    assert job.custom_fields == {"team": "a"}
    assert job.spec.target.model.api_endpoint.to_dict() == {
        "url": "https://models.example/v1",
        "model_id": "llama-3",
        "api_key": "******",
        "format": "nim",
    }
    assert job.spec.config.params.extra == {"hf_token": "******"}
    assert job.spec.config.tasks["qa"].params == body("chat")["spec"]["config"]["tasks"]["qa"]["params"]
    assert "name" not in job.spec.target.to_dict()
    assert "namespace" not in job.spec.config.to_dict()
    assert "timeout" not in job.spec.config.params.to_dict()
    assert len(service.woken) == woken + 1


def test_a_job_without_a_name_is_called_by_its_id(client):
    created = client.v2.evaluation.jobs.create(spec=body("judge")["spec"])
    job = client.v2.evaluation.jobs.retrieve(created.id)
    assert job.id.startswith("job-")
    assert job.name == job.id
    assert job.namespace == "default"
    assert job == created


def test_a_create_answers_201_with_times_in_microseconds(service):
    response = service.http.post(JOBS, json=unnamed_chat())
    job = response.json()
    assert response.status_code == 201
    assert len(job["created_at"]) == len("2025-09-08T19:20:32.655254")
    assert set(job) == {
        *("id", "name", "description", "project", "namespace", "created_at", "updated_at", "spec", "status"),
        *("status_details", "error_details", "ownership", "custom_fields"),
    }


def test_rows_are_data_and_come_back_as_they_were_sent(client):
    sent = body("judge")["spec"]
    job = client.v2.evaluation.jobs.create(spec=sent)
    assert job.spec.target.rows == sent["target"]["rows"]
    judge = job.spec.config.tasks["correctness"].metrics["likert"].params["model"]
    assert judge["api_endpoint"]["api_key"] == "******"


def test_keys_are_nowhere_on_disk_in_clear_but_can_be_revealed(service, client):
    client.v2.evaluation.jobs.create(**unnamed_chat())
    created = client.v2.evaluation.jobs.create(spec=body("judge")["spec"])
    kept = service.kept()
    assert created.id.encode() in kept
    assert b"MARKER" not in kept
    judge = service.state.jobs.get(created.id).spec.tasks[0].metrics[0]
    assert service.state.vault.reveal(judge.endpoint.api_key) == "MARKER-judge"


def test_a_name_can_be_taken_once_and_the_conflict_is_final(service, client):
    client.v2.evaluation.jobs.create(name="once", **unnamed_chat())
    with pytest.raises(ConflictError) as caught:
        client.v2.evaluation.jobs.create(name="once", **unnamed_chat())
    assert "default/once" in caught.value.response.json()["detail"]
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"


def test_the_status_of_a_new_job_has_nothing_null(client):
    job = client.v2.evaluation.jobs.create(**unnamed_chat())
    status = client.v2.evaluation.jobs.status.retrieve(job.id)
    assert (status.job_id, status.status, status.error_details) == (job.id, "created", {})
    assert status.status_details["progress"] == 0.0
    assert status.status_details["samples_processed"] == 0
    assert status.status_details["task_status"] == {"qa": "pending"}
    assert [step.name for step in status.steps] == ["evaluation"]
    assert status.steps[0].tasks[0].id == job.id.replace("job-", "task-")


def test_progress_is_shown_while_a_job_runs(service, client):
    job = client.v2.evaluation.jobs.create(**unnamed_chat())
    service.state.jobs.settle(job.id, status="running", started_at=utcnow())
    counts: dict[str, dict[Stage, Count]] = {"qa": {"generate": Count(60, 100), "judge": Count(25, 100)}}
    service.state.jobs.report(Progress(job.id, 1, "w", utcnow(), counts))
    shown = client.v2.evaluation.jobs.retrieve(job.id)
    assert shown.status == "active"
    assert shown.status_details == {
        "progress": 42.5,
        "samples_processed": 25,
        "task_status": {"qa": "running"},
        "message": "Job is running",
    }
    assert client.v2.evaluation.jobs.status.retrieve(job.id).status_details == shown.status_details


def test_a_failed_job_says_why(service, client):
    job = client.v2.evaluation.jobs.create(**unnamed_chat())
    failure = Failure(blame="user", code="dataset_unreadable", message="line 14 of math.csv is broken")
    service.state.jobs.settle(job.id, status="failed", failure=failure, finished_at=utcnow())
    shown = client.v2.evaluation.jobs.retrieve(job.id)
    assert shown.status == "error"
    assert shown.status_details["message"] == "line 14 of math.csv is broken"
    assert shown.error_details == failure.model_dump()
    assert client.v2.evaluation.jobs.status.retrieve(job.id).error_details == failure.model_dump()


def test_results_are_listed_and_downloaded_once_they_exist(service, client):
    job = client.v2.evaluation.jobs.create(**unnamed_chat())
    assert client.v2.evaluation.jobs.results.list(job.id).data == []
    with pytest.raises(NotFoundError) as caught:
        client.v2.evaluation.jobs.results.evaluation_results.retrieve(job.id)
    assert caught.value.body == {"detail": "Job result not found"}

    JobFolder(service.state.results, job.id).write_summaries([MEAN, NOTHING])
    service.state.jobs.settle(job.id, status="completed", finished_at=utcnow())
    listed, artifacts = client.v2.evaluation.jobs.results.list(job.id).data
    assert artifacts.result_name == "artifacts"
    assert (listed.result_name, listed.job_id, listed.artifact_storage_type) == ("evaluation-results", job.id, "nds")
    results = client.v2.evaluation.jobs.results.evaluation_results.retrieve(job.id)
    metrics = results.tasks["qa"].metrics
    assert metrics["accuracy"].scores["string-check"].value == 0.5
    assert metrics["accuracy"].scores["string-check"].stats.variance == 0.25
    assert metrics["judge"].scores["correct"].value != metrics["judge"].scores["correct"].value  # NaN
    assert metrics["judge"].scores["correct"].stats.to_dict() == {"count": 0, "nan_count": 3}
    assert results.groups["all"].metrics == {}
    downloaded = httpx.get(listed.artifact_url, timeout=WAIT_S).json()
    assert downloaded["tasks"]["qa"]["metrics"]["judge"]["scores"]["correct"]["value"] == "NaN"


def test_a_cancelled_job_shows_it_at_once_and_a_finished_one_cannot_be(service, client):
    job = client.v2.evaluation.jobs.create(**unnamed_chat())
    woken = len(service.woken)
    assert client.v2.evaluation.jobs.cancel(job.id).status == "cancelling"
    assert client.v2.evaluation.jobs.cancel(job.id).status == "cancelling"
    assert len(service.woken) == woken + 2
    service.state.jobs.settle(job.id, status="cancelled", finished_at=utcnow())
    with pytest.raises(ConflictError) as caught:
        client.v2.evaluation.jobs.cancel(job.id)
    assert caught.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", ["", "/status", "/results", "/results/evaluation-results/download", "/cancel"])
def test_an_unknown_job_is_not_found(service, path):
    response = service.http.request("POST" if path == "/cancel" else "GET", f"{JOBS}/job-unknown{path}")
    assert response.status_code == 404
    assert response.json() == {"detail": "Job not found"}


def test_a_job_id_with_a_nul_never_reaches_the_tables(service):
    response = service.http.get(f"{JOBS}/job-%00")
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["path", "job_id"]


def test_the_pages_of_the_list_hold_every_job_once(client):
    made = {client.v2.evaluation.jobs.create(spec=body("completion")["spec"]).id for _ in range(7)}
    page = client.v2.evaluation.jobs.list(page_size=3)
    assert (page.object, page.sort) == ("list", "-created_at")
    assert (page.pagination.page, page.pagination.current_page_size) == (1, 3)
    listed = list(client.v2.evaluation.jobs.list(page_size=3))
    ids = [job.id for job in listed]
    assert made == set(ids[:7])
    assert len(ids) == len(set(ids)) == page.pagination.total_results
    times = [job.created_at for job in listed]
    assert times == sorted(times, reverse=True)
    oldest_first = [job.created_at for job in client.v2.evaluation.jobs.list(sort="created_at")]
    assert oldest_first == sorted(times)


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ({"page": "0"}, "page"),
        ({"page": "9" * 30}, "page"),
        ({"page_size": "-1"}, "page_size"),
        ({"page_size": "many"}, "page_size"),
        ({"sort": "name"}, "sort"),
        ({"filter[status]": "running"}, "filter[status]"),
        ({"search[config]": "x"}, "search[config]"),
    ],
)
def test_a_list_query_that_makes_no_sense_is_refused(service, query, key):
    response = service.http.get(JOBS, params=query)
    assert response.status_code == 422
    assert [each["loc"] for each in response.json()["detail"]] == [["query", key]]


def test_a_page_past_the_end_is_empty(service):
    response = service.http.get(JOBS, params={"page": 1_000_000})
    assert response.status_code == 200
    assert response.json()["data"] == []


def test_the_vendors_own_example_is_a_job(service):
    response = service.http.post(JOBS, json=body("vendor_example"))
    assert response.status_code == 201
    assert response.json()["status"] == "created"
    assert response.json()["error_details"] is None


@pytest.mark.parametrize(
    ("part", "message"), [("target", "Target 'org/llama' not found"), ("config", "Config 'org/llama' not found")]
)
def test_the_name_of_an_unknown_entity_is_not_found(service, part, message):
    response = service.http.post(JOBS, json={"spec": unnamed_chat()["spec"] | {part: "org/llama"}})
    assert response.status_code == 404
    assert response.json() == {"detail": message}


def changed(path: str, value: object) -> dict[str, Any]:
    """The chat body with the value at `path` replaced, or removed if it is `...`."""
    whole = unnamed_chat()
    *way, last = path.split("/")
    part: Any = whole
    for key in way:
        part = part[key]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return whole


QA = "spec/config/tasks/qa"
BAD = [
    ("spec", ...),
    ("spec", 1),
    ("spec/target", ...),
    ("spec/target", 3),
    ("spec/target/type", "robot"),
    ("spec/target/model", ...),
    ("spec/target/model", []),
    ("spec/target/model/api_endpoint", ...),
    ("spec/target/model/api_endpoint/url", "ftp://models.example"),
    ("spec/target/model/api_endpoint/model_id", 7),
    ("spec/target/model/api_endpoint/api_key", {"MARKER": 1}),
    ("spec/target/model/api_endpoint/format", "soap"),
    ("spec/config/type", ...),
    ("spec/config/tasks", {}),
    ("spec/config/params/parallelism", "many"),
    ("spec/config/params/parallelism", 0),
    ("spec/config/params/limit_samples", 0),
    ("spec/config/params/request_timeout", -1),
    ("spec/config/params/max_retries", 10**6),
    ("spec/config/params/stop", 1),
    ("spec/config/groups/all/tasks", ["other"]),
    (f"{QA}/params/template", ...),
    (f"{QA}/params/template", {"text": "no request"}),
    (f"{QA}/params/template", "{{item.question}}"),  # has no place for the system prompt
    (f"{QA}/dataset", ...),
    (f"{QA}/dataset/files_url", ...),
    (f"{QA}/dataset/limit", 0),
    (f"{QA}/metrics/accuracy/params", ...),
    (f"{QA}/metrics/accuracy/params/check", ["a", "equals"]),
    (f"{QA}/metrics/accuracy/params/check", ["a", "resembles", "b"]),
    ("spec/target/name", "a\0b"),
    ("description", "a\0b"),
    ("name", "a/b"),
    ("namespace", "n" * 256),
    ("custom_fields", []),
]


UNSUPPORTED = [
    ("spec/config/type", "mmlu", "custom, bfclv3, gsm8k, similarity_metrics"),
    ("spec/target/type", "rag", "cached_outputs, dataset, model, rows"),
    ("spec/target/type", "retriever", "cached_outputs, dataset, model, rows"),
    (f"{QA}/type", "prompt-optimization", "chat-completion, completion, data"),
    (f"{QA}/metrics/accuracy/type", "vibes", "accuracy, bleu, em"),
]


@pytest.mark.parametrize(("path", "value", "supported"), UNSUPPORTED)
def test_what_is_not_supported_is_a_job_that_failed_naming_what_is(service, path, value, supported):
    created = service.http.post(JOBS, json=changed(path, value))
    assert created.status_code == 201
    job = service.http.get(f"{JOBS}/{created.json()['id']}").json()
    assert job == created.json()
    assert job["status"] == "error"
    details = job["error_details"]
    assert (details["code"], details["blame"]) == ("unsupported", "user")
    assert details["message"].startswith(path.removeprefix("spec/").removesuffix("/type").replace("/", "."))
    assert f" type {value!r} is not supported; supported: {supported}" in details["message"]
    assert job["status_details"]["message"] == details["message"]
    assert job["status_details"]["task_status"] == {"qa": "failed"}
    status = service.http.get(f"{JOBS}/{job['id']}/status").json()
    assert (status["status"], status["error_details"]) == ("error", details)
    assert service.http.get(f"{JOBS}/{job['id']}/results").json()["data"] == []
    assert "MARKER" not in created.text


@pytest.mark.parametrize(("path", "value"), BAD, ids=[f"{path}={value}" for path, value in BAD])
def test_a_bad_body_is_refused_naming_the_place(service, path, value):
    response = service.http.post(JOBS, json=changed(path, value))
    assert response.status_code == 422
    details = response.json()["detail"]
    assert "/".join(["body", *path.split("/")]) in [
        "/".join(map(str, each["loc"][: path.count("/") + 2])) for each in details
    ]
    assert len(details) == 1 or path.endswith(("check", "stop"))
    assert "MARKER" not in response.text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("parser", {"type": "xpath"}),
        ("parser", {"type": "regex"}),
        ("parser", ...),
    ],
)
def test_a_bad_parser_of_a_judge_is_refused_naming_the_place(service, path, value):
    sent = body("judge")
    score = sent["spec"]["config"]["tasks"]["correctness"]["metrics"]["likert"]["params"]["scores"]["correct"]
    score.pop(path)
    score.update({} if value is ... else {path: value})
    response = service.http.post(JOBS, json=sent)
    [detail] = response.json()["detail"]
    assert response.status_code == 422
    assert detail["loc"][:9] == [
        *("body", "spec", "config", "tasks", "correctness", "metrics", "likert", "params", "scores")
    ]
    assert detail["loc"][9:11] == ["correct", "parser"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"spec": NaN}',
        '{"custom_fields": {"a": 1e999}}',
        f'{{"custom_fields": {{"a": {2**80}}}}}',
        '{"custom_fields": {"a": "\\ud800"}}',
        '{"custom_fields": ' + "[" * 500 + "]" * 500 + "}",
    ],
)
def test_a_body_that_is_no_portable_json_object_is_refused(service, text):
    response = service.http.post(JOBS, content=text, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][0] == "body"


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 1.5, 10**18, "", "x", "http://a:b@c/", "{{", "\x00", [], [None], {}, {"a": {}}]
)


@pytest.mark.thorough
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_no_change_of_a_body_breaks_the_service(service, data):
    sent = body(data.draw(st.sampled_from(["chat", "judge", "completion", "cached_outputs"])))
    sent.pop("name", None)
    part: Any = sent
    while True:
        key = data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
        if not isinstance(part[key], dict | list) or not part[key] or data.draw(st.integers(0, 3)) == 0:
            break
        part = part[key]
    part[key] = data.draw(VALUES)
    response = service.http.post(JOBS, json=sent)
    assert response.status_code in {201, 404, 422}
    assert "MARKER" not in response.text
    if response.status_code == 201:
        assert service.http.get(f"{JOBS}/{response.json()['id']}").json() == response.json()
