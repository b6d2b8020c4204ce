from typing import Any

import httpx
import pytest

from core.job import Job, JobStatus, random_id
from core.spec import EvaluationSpec
from flows.control.finish import finish
from store.workspace import Workspace
from tests.api.conftest import Service
from tests.scripted import ScriptedEndpoint, failure, last_content, text
from tests.service.bodies import chat_task
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, spec

JOBS = "/api/assay/v1/jobs"
TARGETS = "/v1/evaluation/targets"
CLEAR = "sk-clear-0123456789"


@pytest.fixture
def lab(service: Service, endpoint: ScriptedEndpoint) -> Lab:
    """A lab in the service's home; its model does not answer the second question."""
    endpoint.script = lambda call: (
        failure(400, "no")
        if last_content(call["body"]) == "q1"
        else text('{"score": 4}' if call["body"]["model"] == "j" else "a0")
    )
    return Lab(service.state, endpoint)


def wanted(lab: Lab) -> EvaluationSpec:
    given = [{"question": f"q{i}", "answer": "a0"} for i in range(3)]
    return spec(model(lab.model.url), given, CORRECT, judge(lab.model.url))


def ended(lab: Lab, asked: EvaluationSpec, **keys: str) -> Job:
    job = lab.add(asked, keys)
    lab.carry_out(job)
    return settled(lab.workspace, job, "completed")


def settled(workspace: Workspace, job: Job, status: JobStatus) -> Job:
    finish(workspace, job, status)
    return workspace.jobs.get(job.id)


def retry(service: Service, job: Job, **asked: Any) -> httpx.Response:
    return service.http.post(f"{JOBS}/{job.id}/retry", json=asked or None)


def test_a_rerun_asks_everything_again(service: Service, lab: Lab) -> None:
    first = ended(lab, wanted(lab))
    answer = service.http.post(f"{JOBS}/{first.id}/rerun")
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert (shown["retry_of"], shown["status"]) == (None, "created")
    lab.model.calls.clear()
    second = service.state.jobs.get(shown["id"])
    assert second.spec is not None
    assert first.spec is not None
    assert second.spec.model_copy(update={"tasks": first.spec.tasks}) == first.spec
    service.state.jobs.remove(first.id)  # it has the rows as its own
    lab.carry_out(second)
    assert len([call for call in lab.model.calls if call["body"]["model"] != "j"]) == 3


def test_a_job_that_has_not_ended_is_not_run_again_beside_itself(service: Service, lab: Lab) -> None:
    first = lab.add(wanted(lab), {})
    answer = service.http.post(f"{JOBS}/{first.id}/rerun")
    assert answer.status_code == 409
    assert f"job {first.id} is created: run it again once it has ended" in answer.text


def test_a_rerun_that_needs_a_key_which_was_deleted_says_so(service: Service, lab: Lab) -> None:
    keyed = model(lab.model.url, api_key="store:gone")
    first = ended(lab, spec(keyed, [{"question": "q0", "answer": "a0"}], CORRECT), gone=CLEAR)
    answer = service.http.post(f"{JOBS}/{first.id}/rerun")
    assert answer.status_code == 422
    assert "was deleted" in answer.text


def test_a_retry_links_to_the_job_before_it_and_makes_again_what_failed(service: Service, lab: Lab) -> None:
    first = ended(lab, wanted(lab))
    answer = retry(service, first)
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert (shown["retry_of"], shown["face"], shown["status"]) == (first.id, "nemo-v2", "created")
    second = service.state.jobs.get(shown["id"])
    lab.model.script = lambda call: text('{"score": 4}' if call["body"]["model"] == "j" else "a0")
    lab.model.calls.clear()
    summaries = lab.carry_out(second)
    assert lab.asked == ["q1", "grade a0"]
    assert [summary.count for summary in summaries] == [3, 3]
    settled(service.state, second, "completed")
    assert retry(service, second).json()["detail"] == (
        f"job {second.id} has nothing to retry: nothing of it failed; scores by outcome: scored 6"
    )
    row = service.state.folder(second.id).read_job()
    assert row
    assert row["retry_of"] == first.id


def test_what_cannot_be_retried_is_refused_in_a_sentence(service: Service, lab: Lab) -> None:
    running, first = lab.add(wanted(lab)), ended(lab, wanted(lab))
    assert service.http.post(f"{JOBS}/nowhere/retry").status_code == 404
    refused = retry(service, running)
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        f"job {running.id} is created and goes on by itself: retry it once it has ended",
    )
    early = settled(service.state, running, "failed")
    assert "ended before its dataset was read" in retry(service, early).json()["detail"]
    assert retry(service, first, only=["judge_error"]).status_code == 409
    folder = service.state.folder(first.id)
    damaged = folder.file("scores", 0)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    refused = retry(service, first)
    assert (refused.status_code, "scores/00000.parquet is damaged" in refused.json()["detail"]) == (409, True)
    service.http.delete(f"{JOBS}/{first.id}")
    assert retry(service, first).status_code == 404


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"only": ["scored"]}, "Input should be 'output_unparsable', 'judge_unparsable'"),
        ({"only": []}, "at least 1 item"),
        ({"only": ["target_error"], "judge_only": True}, "name one of cancelled, judge_error, judge_unparsable, not_"),
        ({"judges": ["nobody"]}, "has no judge 'nobody'; judges: graded"),
        ({"api_keys": [{"name": "nobody", "api_key": CLEAR}]}, "asks no target or judge 'nobody'"),
        ({"metrics": [{"type": "f1", "name": "f", "reference": "x"}] * 2}, "metric 'f' stands 2 times"),
        ({"everything": True}, "there is no such field"),
    ],
)
def test_what_is_wrong_with_the_request_is_named(service: Service, lab: Lab, asked: dict[str, Any], told: str) -> None:
    refused = retry(service, ended(lab, wanted(lab)), **asked)
    assert refused.status_code == 422
    assert told in refused.json()["detail"][0]["msg"]


def test_stored_outputs_are_judged_again_by_a_changed_judge_and_scored_by_a_new_metric(
    service: Service, lab: Lab
) -> None:
    first = ended(lab, wanted(lab))
    changed = judge(lab.model.url, "strictly {{ sample.output_text }}").model_dump(mode="json", exclude_none=True)
    new = {"type": "f1", "name": "overlap", "reference": "{{ item.answer }}"}
    answer = retry(service, first, metrics=[changed, new])
    assert answer.status_code == 201, answer.text
    lab.model.calls.clear()
    summaries = lab.carry_out(service.state.jobs.get(answer.json()["id"]))
    assert lab.asked == ["strictly a0"] * 2
    assert [(summary.metric, summary.count) for summary in summaries] == [("correct", 2), ("graded", 2), ("overlap", 2)]


def test_judging_alone_asks_the_judges_about_every_output(service: Service, lab: Lab) -> None:
    first = ended(lab, wanted(lab))
    for asked in ({"judge_only": True}, {"judges": ["graded"]}):
        second = service.state.jobs.get(retry(service, first, **asked).json()["id"])
        lab.model.calls.clear()
        lab.carry_out(second)
        assert lab.asked == ["grade a0"] * 2


def test_a_job_without_a_judge_has_none_to_ask_again(service: Service, lab: Lab) -> None:
    asked = wanted(lab)
    (task,) = asked.tasks
    alone = asked.model_copy(update={"tasks": (task.model_copy(update={"metrics": task.metrics[:1]}),)})
    refused = retry(service, ended(lab, alone), judge_only=True)
    assert (refused.status_code, "it has no judge" in refused.json()["detail"]) == (409, True)


def test_keys_that_went_with_the_job_come_again_where_they_are_needed(service: Service, lab: Lab) -> None:
    asked = wanted(lab)
    endpoint = {"endpoint": asked.targets[0].endpoint.model_copy(update={"api_key": "store:gone"})}  # type: ignore[union-attr]
    first = ended(
        lab, asked.model_copy(update={"targets": (asked.targets[0].model_copy(update=endpoint),)}), gone=CLEAR
    )
    refused = retry(service, first)
    assert refused.status_code == 422
    assert f"the key of 'target' was deleted as job {first.id} ended" in refused.json()["detail"][0]["msg"]
    answer = retry(service, first, api_keys=[{"name": "target", "api_key": CLEAR}])
    assert answer.status_code == 201, answer.text
    assert CLEAR not in answer.text
    lab.model.calls.clear()
    lab.carry_out(service.state.jobs.get(answer.json()["id"]))
    assert {call["headers"]["authorization"] for call in lab.model.calls if call["body"]["model"] == "m"} == {
        f"Bearer {CLEAR}"
    }
    again = retry(service, first, judge_only=True)  # which asks no target
    assert again.status_code == 201
    second = service.state.jobs.get(again.json()["id"])
    lab.model.script = lambda call: text("a0")
    lab.carry_out(second)
    refused = retry(service, settled(service.state, second, "completed"))
    assert "the key of 'target' was deleted" in refused.json()["detail"][0]["msg"]


def test_all_keys_that_are_lacking_are_named_at_once(service: Service, lab: Lab) -> None:
    asked = wanted(lab).model_dump(mode="json")
    asked["targets"][0]["endpoint"]["api_key"] = "store:first"
    asked["tasks"][0]["metrics"][1]["endpoint"]["api_key"] = "store:second"
    first = ended(lab, EvaluationSpec.model_validate(asked), first=CLEAR, second=CLEAR)
    assert retry(service, first).json()["detail"][0]["msg"] == (
        f"the keys of 'target', 'graded' were deleted as job {first.id} ended: send them again "
        "(--key target=env:VARIABLE --key graded=env:VARIABLE, or api_keys)"
    )


def test_the_key_of_a_stored_target_is_used_again_as_long_as_it_goes_where_it_went(service: Service, lab: Lab) -> None:
    endpoint = {"url": lab.model.url, "model_id": "m", "api_key": CLEAR}
    name = random_id("target-")
    service.http.post(TARGETS, json={"type": "model", "name": name, "model": {"api_endpoint": endpoint}})
    rows = b'{"question": "q0", "answer": "a0"}\n{"question": "q1", "answer": "a0"}\n'
    sent: dict[str, Any] = {"files": {"file": ("rows.jsonl", rows)}, "data": {"purpose": "eval", "file_type": "jsonl"}}
    files_url = f"file:{service.http.post('/v1/files', **sent).json()['id']}"
    config = {"type": "custom", "tasks": {"qa": chat_task(files_url)}}
    body = {"target": f"default/{name}", "config": config}
    created = service.http.post("/v1/evaluation/jobs", json=body).json()
    first = service.state.jobs.get(created["id"])
    lab.carry_out(first)
    first = settled(service.state, first, "completed")
    answer = retry(service, first)
    assert answer.status_code == 201, answer.text
    lab.model.calls.clear()
    lab.carry_out(service.state.jobs.get(answer.json()["id"]))
    assert [call["headers"]["authorization"] for call in lab.model.calls] == [f"Bearer {CLEAR}"]
    moved = endpoint | {"url": "http://127.0.0.1:1/v1"}
    assert service.http.patch(f"{TARGETS}/default/{name}", json={"model": {"api_endpoint": moved}}).is_success
    assert retry(service, first).status_code == 422
