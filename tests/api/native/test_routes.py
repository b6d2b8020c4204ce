import json
from typing import Any

import pytest

from api.native.schema.jobs import JobRequest
from api.native.translate import to_new_job
from cli.main import answer
from core.errors import SpecInvalid
from core.job import NewJob, Progress, random_id, utcnow
from core.metric import Rouge
from core.result import Summary
from core.settings import Settings
from core.spec import EvaluationSpec, ModelTarget
from store.results.folder import JobFolder
from store.results.log import JobLog
from tests.inputs import inline
from tests.tasks.specs import CORRECT, judge, model, recorded, rows, spec

JOBS = "/api/assay/v1/jobs"
CHECK = {"type": "string-check", "params": {"check": ["{{item.a}}", "equals", "b"]}}
NEMO = {
    "spec": {
        "target": {"type": "rows", "rows": [{"a": "b"}]},
        "config": {"type": "custom", "tasks": {"t": {"type": "data", "metrics": {"c": CHECK}}}},
    }
}
KEY = "sk-clear-0123456789"


def body(**target: Any) -> dict[str, Any]:
    asked = spec(model("http://127.0.0.1:1/v1"), rows(3), CORRECT, judge("http://127.0.0.1:1/v1"))
    request = asked.model_dump(mode="json", exclude_none=True)
    request["targets"][0]["endpoint"] |= target
    return {"spec": request}


def created(service, **fields: Any) -> dict[str, Any]:
    response = service.http.post(JOBS, json=body() | fields)
    assert response.status_code == 201, response.text
    return response.json()


def test_a_job_is_made_of_a_specification(service):
    service.woken.clear()
    job = created(service, name=random_id("named-"), project="p", namespace="team")
    again = service.http.get(f"{JOBS}/{job['id']}").json()
    assert job["id"].startswith("job-")
    assert (job["status"], job["face"], job["project"], job["model"]) == ("created", "nemo-v2", "p", "m")
    assert again == job
    kept = inline(service.state.files, EvaluationSpec.model_validate(job["spec"]))
    assert kept == EvaluationSpec.model_validate(body()["spec"])
    assert service.woken == ["woken"]


def test_a_job_of_the_native_api_is_one_of_the_second_version_too(service):
    job = created(service)
    shown = service.http.get(f"/v2/evaluation/jobs/{job['id']}").json()
    listed = service.http.get("/v2/evaluation/jobs").json()["data"]
    assert (shown["id"], shown["status"]) == (job["id"], "created")
    assert job["id"] in [each["id"] for each in listed]


def test_a_key_in_clear_is_sealed_and_never_shown(service):
    response = service.http.post(JOBS, json=body(api_key=KEY))
    job = response.json()
    kept = service.state.jobs.get(job["id"])
    endpoint = kept.spec.targets[0].endpoint
    assert KEY not in response.text
    assert job["spec"]["targets"][0]["endpoint"]["api_key"] == "******"
    assert endpoint.api_key.startswith("store:")
    assert service.state.vault.reveal(endpoint.api_key) == KEY
    assert KEY.encode() not in service.kept()


@pytest.mark.parametrize("reference", ["env:MY_KEY", "env:ASSAY_API_KEYS", "env:", "store:abc", "model:m"])
def test_a_key_is_named_by_no_variable_that_the_settings_do_not_list(service, reference):
    refused = service.http.post(JOBS, json=body(api_key=reference))
    assert refused.status_code == 422
    assert "send the key itself" in refused.json()["detail"][0]["msg"]


def test_a_key_may_be_named_by_a_variable_that_the_settings_list():
    asked = JobRequest.model_validate(body(api_key="env:MY_KEY"))
    job, keys = to_new_job(asked, Settings(key_variables=("MY_KEY",)))
    assert job.spec is not None
    (target,) = job.spec.targets
    assert isinstance(target, ModelTarget)
    assert (target.endpoint.api_key, keys) == ("env:MY_KEY", {})
    with pytest.raises(SpecInvalid):
        to_new_job(asked, Settings(key_variables=("MY_KEY",), api_keys=("k",)))


def test_user_info_in_a_url_becomes_the_key(service):
    job = service.http.post(JOBS, json=body(url="http://:pass-word@host/v1")).json()
    endpoint = service.state.jobs.get(job["id"]).spec.targets[0].endpoint
    assert endpoint.url == "http://host/v1"
    assert service.state.vault.reveal(endpoint.api_key) == "pass-word"


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({}, ["body", "spec"]),
        ({"spec": {"targets": [], "tasks": []}}, ["body", "spec", "targets"]),
        ([], ["body"]),
        (body() | {"name": "a/b"}, ["body", "name"]),
        (body() | {"other": 1}, ["body", "other"]),
    ],
)
def test_what_is_wrong_in_a_request_is_told_with_its_place(service, sent, place):
    refused = service.http.post(JOBS, json=sent)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == place


@pytest.mark.parametrize("name", ["a/b", "a\0b"])
def test_a_name_that_cannot_be_is_told_in_words(service, name):
    refused = service.http.post(JOBS, json=body() | {"name": name})
    assert refused.json()["detail"][0]["msg"] == r"a name has no '/' and no NUL character (\x00)"
    refused = service.http.get(f"{JOBS}/a%00b")
    assert refused.json()["detail"][0]["msg"] == r"it has a NUL character (\x00): leave that out"


def test_a_request_sent_again_makes_no_second_job(service):
    headers = {"Idempotency-Key": random_id("key-")}
    first, second = (service.http.post(JOBS, json=body(), headers=headers).json()["id"] for _ in range(2))
    assert first == second


def test_a_name_that_is_taken_is_changed_where_that_is_asked_for(service):
    name = random_id("nightly-")
    created(service, name=name)
    refused = service.http.post(JOBS, json=body() | {"name": name})
    assert (refused.status_code, "exists already" in refused.text) == (409, True)
    for path, asked in ((JOBS, body()), ("/v2/evaluation/jobs", NEMO)):
        job = service.http.post(path, json=asked | {"name": name}, headers={"Assay-Rename": "true"}).json()
        assert job["name"] == f"{name}-{job['id'][-6:]}"


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("correct,nope", "there is no score of a metric 'nope': name one of correct/string-check, said/rouge_1_score"),
        ("corect", "no score of a metric 'corect': is 'correct' meant, of correct/string-check, said/"),
        ("said", "'said' may be any of several scores: name one of said/rouge_1_score, said/rouge_2_score"),
        ("said%2Frouge_9", "there is no score of a metric 'said/rouge_9'"),
        ("said%2Frouge_L_score,correct,correct/string-check", None),
    ],
)
def test_scores_that_a_job_would_not_have_are_refused_before_it_is_there(service, named, told):
    rouge = Rouge(name="said", reference="{{ item.answer }}")
    asked = {"spec": spec(recorded("said"), [{"said": "a", "answer": "a"}], CORRECT, rouge).model_dump(mode="json")}
    before = service.http.get(JOBS).json()["pagination"]["total_results"]
    said = service.http.post(JOBS, json=asked, headers={"Assay-Scores": named})
    after = service.http.get(JOBS).json()["pagination"]["total_results"]
    assert (said.status_code, after - before) == ((201, 1) if told is None else (422, 0))
    assert told is None or told in said.text


def test_a_gate_for_a_score_that_the_job_would_not_have_ends_the_command_before_there_is_a_job(
    service, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("ASSAY_URL", str(service.http.base_url))
    before = service.http.get(JOBS).json()["pagination"]["total_results"]
    for asked in (body()["spec"], NEMO["spec"]):
        file = tmp_path / "spec.json"
        file.write_text(json.dumps(asked))
        assert answer(["run", str(file), "--min", "nope, or so=0.5"]) == 2
        assert "there is no score of a metric 'nope, or so': name one of " in capsys.readouterr().err
    assert service.http.get(JOBS).json()["pagination"]["total_results"] == before


def test_intents_show_at_once(service):
    job_id = created(service)["id"]
    after = [service.http.post(f"{JOBS}/{job_id}/{verb}").json()["status"] for verb in ("pause", "resume", "cancel")]
    assert after == ["pausing", "resuming", "cancelling"]
    refused = service.http.post(f"{JOBS}/{job_id}/pause")
    assert (refused.status_code, refused.json()["detail"]) == (409, "Job is cancelling and cannot be paused")


def test_a_deleted_job_is_not_found(service):
    job_id = created(service)["id"]
    assert service.http.delete(f"{JOBS}/{job_id}").status_code == 204
    for path in ("", "/samples", "/summaries", "/logs"):
        gone = service.http.get(f"{JOBS}/{job_id}{path}")
        told = f"no job has the id or the name {job_id!r}, or an id that begins so"
        assert (gone.status_code, gone.json()) == (404, {"detail": told})
    assert service.http.delete(f"{JOBS}/{job_id}").status_code == 404


def test_the_list_has_the_jobs_of_all_faces(service):
    project = random_id("p-")
    for face in ("nemo-v1", "nemo-v2"):
        job = NewJob(
            id=random_id("x-"), face=face, spec=None, request={}, name=random_id(""), project=project, model=face
        )
        service.state.jobs.add(job)

    def faces(query: str) -> list[str]:
        found = service.http.get(f"{JOBS}?filter[project]={project}&{query}").json()
        return [job["face"] for job in found["data"]]

    assert faces("sort=created_at") == ["nemo-v1", "nemo-v2"]
    assert faces("filter[face]=nemo-v1") == ["nemo-v1"]
    assert faces("filter[status]=created&page_size=1&page=2&sort=created_at") == ["nemo-v2"]
    assert faces("filter[target][model]=nemo-v2") == ["nemo-v2"]
    assert service.http.get(f"{JOBS}?filter[status]=active").status_code == 422


def test_progress_and_summaries_are_the_core_s(service):
    job_id = created(service)["id"]
    service.state.jobs.report(Progress(job_id, 1, "w", utcnow(), {"qa": {}}))
    assert service.http.get(f"{JOBS}/{job_id}").json()["progress"] == {"qa": {}}
    assert service.http.get(f"{JOBS}/{job_id}/summaries").json() == {"data": [], "slices": []}
    summary = Summary("qa", "t", "m", "n", 2, 1, 3.0, 1.5, 1.0, 2.0, 5.0, 0.25, 0.5, None, {"scored": 2, "refused": 1})
    JobFolder(service.state.results, job_id).write_summaries([summary])
    (shown,) = service.http.get(f"{JOBS}/{job_id}/summaries").json()["data"]
    assert (shown["mean"], shown["stderr"], shown["outcomes"]) == (1.5, None, {"scored": 2, "refused": 1})


def test_a_log_is_read_in_pages(service):
    job_id = created(service)["id"]
    log = JobLog(JobFolder(service.state.results, job_id).log_path)
    for number in range(3):
        log.write(f"line {number}")
    log.close()
    first = service.http.get(f"{JOBS}/{job_id}/logs?limit=2").json()
    last = service.http.get(f"{JOBS}/{job_id}/logs?cursor={first['next_cursor']}").json()
    assert [line["message"] for line in first["data"] + last["data"]] == ["line 0", "line 1", "line 2"]
    assert (last["next_cursor"], last["total"]) == (None, 3)
    refused = service.http.get(f"{JOBS}/{job_id}/logs?cursor=1")
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["query", "cursor"])
