import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api.nemo.schema.jobs import JobCreate, JobInput
from api.nemo.translate.jobs import to_new_job, to_spec
from core.endpoint import Endpoint, Prompt, Reasoning
from core.errors import NotFound, SpecInvalid
from core.job import NewJob
from core.metric import JsonParser, Judge, Parsed, RegexParser, StringCheck
from core.spec import EvaluationSpec, FilesDataset, ModelTarget, Params, RecordedTarget, RowsDataset, TaskSpec

BODIES = Path(__file__).parent / "bodies"

SPECS = {
    "chat": EvaluationSpec(
        targets=(
            ModelTarget(
                endpoint=Endpoint(url="https://models.example/v1", model="llama-3", api_key="store:target"),
                generation={
                    "reasoning_effort": "low",
                    "max_tokens": 256,
                    "temperature": 0.7,
                    "top_p": 0.5,
                    "stop": ["<|eot|>"],
                },
                reasoning=Reasoning(end_token="</t>", include_if_unfinished=True),
            ),
        ),
        tasks=(
            TaskSpec(
                name="qa",
                dataset=FilesDataset(url="hf://datasets/org/ds/math.csv", token="store:hub"),
                limit=50,
                prompts={
                    "target": Prompt(
                        body={
                            "messages": [
                                {"role": "system", "content": "detailed thinking on"},
                                {"role": "user", "content": "Q: {{item.question}}"},
                            ],
                            "max_tokens": 200,
                        }
                    )
                },
                metrics=(
                    StringCheck(
                        name="accuracy",
                        left="{{sample.output_text}}",
                        operator="equals",
                        right="{{item.answer}}",
                    ),
                ),
            ),
        ),
        params=Params(parallelism=4, limit_samples=100, request_timeout_s=60, max_retries=3),
    ),
    "judge": EvaluationSpec(
        targets=(RecordedTarget(),),
        tasks=(
            TaskSpec(
                name="correctness",
                dataset=RowsDataset(rows=[{"content": "c", "summary": "s", "token": "a column, no key", "note": None}]),
                metrics=(
                    Judge(
                        name="likert",
                        endpoint=Endpoint(url="https://judge.example/v1", model="judge", api_key="store:judge"),
                        prompt=Prompt(
                            body={
                                "messages": [{"role": "user", "content": "{{content}} / {{summary}}: SCORE: <0-4>"}],
                            }
                        ),
                        generation={"max_tokens": 1024},
                        scale=Parsed(
                            scores={
                                "correct": RegexParser(pattern=r"SCORE: (\d)", method="match"),
                                "found": RegexParser(pattern=r"(\d)", method="search"),
                                "clear": JsonParser(path="clear"),
                            }
                        ),
                    ),
                ),
            ),
        ),
    ),
    "completion": EvaluationSpec(
        targets=(ModelTarget(endpoint=Endpoint(model="llama-3")),),
        tasks=(
            TaskSpec(
                name="continue",
                dataset=FilesDataset(url="hf://datasets/org/ds", format="jsonl", hub="https://hub.example"),
                prompts={"target": Prompt(body={"prompt": "{{ item.start }}"})},
            ),
        ),
    ),
    "cached_outputs": EvaluationSpec(
        targets=(RecordedTarget(column="response"),),
        tasks=(
            TaskSpec(
                name="check",
                dataset=FilesDataset(url="hf://datasets/org/outputs/f.jsonl"),
                metrics=(StringCheck(name="has", left="{{sample.output_text}}", operator="contains", right="42"),),
            ),
        ),
    ),
}


def sealed(name: str) -> dict[str, Any]:
    """An example body as the service keeps it, with references that can be compared."""
    return json.loads((BODIES / f"{name}.json").read_text().replace("MARKER-", "store:"))


def spec_of(body: dict[str, Any]) -> EvaluationSpec:
    return to_spec(JobInput.model_validate(body["spec"]))


@pytest.mark.parametrize("name", SPECS)
def test_an_example_body_becomes_its_specification(name):
    spec = spec_of(sealed(name))
    assert spec == SPECS[name]
    assert EvaluationSpec.model_validate_json(spec.model_dump_json()) == spec


def new_job(name: str) -> NewJob:
    asked = JobCreate.model_validate(sealed(name))
    return to_new_job("job-1", "nemo-v2", asked, asked.spec, request=asked.sealed, at="spec")


def test_a_job_carries_the_names_for_display():
    job = new_job("chat")
    assert (job.name, job.namespace, job.face) == ("nightly", "org", "nemo-v2")
    assert (job.target, job.config, job.model) == ("org/llama", "org/qa", "llama-3")
    unnamed = new_job("judge")
    assert (unnamed.name, unnamed.namespace) == ("job-1", "default")
    assert (unnamed.target, unnamed.config, unnamed.model) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "operator"),
    [
        ("==", "equals"),
        ("!=", "not equals"),
        ("<>", "not equals"),
        (" Contains ", "contains"),
        ("not contains", "not contains"),
        ("startswith", "startswith"),
        ("endswith", "endswith"),
    ],
)
def test_operators_have_their_synonyms(written, operator):
    body = sealed("cached_outputs")
    body["spec"]["config"]["tasks"]["check"]["metrics"]["has"]["params"]["check"][1] = written
    [metric] = spec_of(body).tasks[0].metrics
    assert isinstance(metric, StringCheck)
    assert metric.operator == operator


def test_a_data_task_of_a_model_target_reads_the_tasks_own_dataset_and_asks_nothing():
    body = sealed("chat")
    body["spec"]["config"]["tasks"]["qa"]["type"] = "data"
    spec = spec_of(body)
    assert spec.targets == (RecordedTarget(),)
    assert spec.tasks[0].prompts == {}
    assert spec.tasks[0].dataset == SPECS["chat"].tasks[0].dataset


@pytest.mark.parametrize("kind", ["rows", "dataset"])
def test_a_task_that_generates_needs_a_model(kind):
    body = sealed("chat")
    body["spec"]["target"] = {"type": kind, "rows": [{}], "dataset": {"files_url": "hf://datasets/a/b"}}
    with pytest.raises(SpecInvalid, match="needs a target of type model") as caught:
        spec_of(body)
    assert caught.value.field == "config.tasks.qa.type"


def test_a_data_task_needs_a_job_of_its_own():
    body = sealed("chat")
    tasks = body["spec"]["config"]["tasks"]
    tasks["read"] = {**tasks["qa"], "type": "data"}
    with pytest.raises(SpecInvalid, match="a job of its own") as caught:
        spec_of(body)
    assert caught.value.field == "config.tasks.read.type"


def test_cached_outputs_stand_in_for_the_model_of_a_task_that_generates():
    body = sealed("chat")
    body["spec"]["target"] |= {"type": "cached_outputs", "cached_outputs": {"files_url": "hf://datasets/a/b"}}
    spec = spec_of(body)
    assert spec.targets == (RecordedTarget(column="response"),)
    assert spec.tasks[0].prompts == {}
    assert spec.tasks[0].dataset == FilesDataset(url="hf://datasets/a/b", token="store:hub")


def test_a_template_with_its_own_system_message_keeps_it():
    body = sealed("chat")
    own = [{"role": "system", "content": "mine"}, {"role": "user", "content": "hi"}]
    body["spec"]["config"]["tasks"]["qa"]["params"]["template"] = {"messages": own, "seed": None}
    assert spec_of(body).tasks[0].prompts["target"].body == {"messages": own}


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_judge_whose_template_bounds_its_tokens_has_no_other_bound(field):
    body = sealed("judge")
    params = body["spec"]["config"]["tasks"]["correctness"]["metrics"]["likert"]["params"]
    params["template"][field] = 5
    [judge] = spec_of(body).tasks[0].metrics
    assert isinstance(judge, Judge)
    assert judge.generation == {}
    assert judge.prompt.body[field] == 5


def test_an_empty_key_is_no_key():
    body = sealed("chat")
    body["spec"]["target"]["model"]["api_endpoint"]["api_key"] = ""
    body["spec"]["config"]["params"]["extra"]["hf_token"] = ""
    spec = spec_of(body)
    (target,), dataset = spec.targets, spec.tasks[0].dataset
    assert isinstance(target, ModelTarget)
    assert isinstance(dataset, FilesDataset)
    assert (target.endpoint.api_key, dataset.token) == (None, None)


def test_a_dataset_of_another_content_format_is_read_by_its_ending():
    body = sealed("completion")
    for given, kept in (("SQuAD", None), ("CSV", "csv")):
        body["spec"]["config"]["tasks"]["continue"]["dataset"]["format"] = given
        dataset = spec_of(body).tasks[0].dataset
        assert isinstance(dataset, FilesDataset)
        assert dataset.format == kept


def test_the_name_of_a_stored_dataset_is_not_found():
    body = sealed("completion")
    body["spec"]["config"]["tasks"]["continue"]["dataset"] = "org/ds"
    with pytest.raises(NotFound, match="Dataset 'org/ds' not found"):
        spec_of(body)
    with pytest.raises(ValidationError):
        spec_of({"spec": {"target": body["spec"]["target"]}})


def test_metrics_over_a_group_are_refused_at_any_depth():
    body = sealed("chat")
    inner = {"metrics": {"m": {"type": "string-check"}}}
    body["spec"]["config"]["groups"]["all"]["groups"] = {"inner": inner}
    with pytest.raises(SpecInvalid, match="metrics over a group") as caught:
        spec_of(body)
    assert caught.value.field == "config.groups.all.groups.inner"
