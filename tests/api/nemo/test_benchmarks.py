import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api.nemo.benchmarks import BENCHMARKS
from api.nemo.benchmarks.gsm8k import SOLVE
from api.nemo.schema.jobs import JobInput
from api.nemo.translate.jobs import carried_out, to_spec
from core.endpoint import Prompt
from core.errors import NotFound, SpecInvalid
from core.metric import F1, FunctionCall
from core.spec import EvaluationSpec, FilesDataset, ModelTarget, RecordedTarget, TaskSpec

CUSTOM: dict[str, Any] = {
    "type": "custom",
    "tasks": {
        "t": {
            "type": "chat-completion",
            "dataset": {"files_url": "hf://datasets/a/b/c.jsonl"},
            "params": {"template": {"messages": [{"role": "user", "content": "{{ item.q }}"}]}},
        }
    },
}
VENDOR_EXAMPLE = json.loads((Path(__file__).parent / "bodies" / "vendor_example.json").read_text())


def asked(config: dict[str, Any], url: str = "https://models.example/v1", **target: Any) -> Any:
    model = {"api_endpoint": {"url": url, "model_id": "m"}}
    return JobInput.model_validate({"target": {"type": "model", "model": model} | target, "config": config})


def only_task(spec: EvaluationSpec) -> Any:
    [task] = spec.tasks
    return task


def test_every_benchmark_is_a_config_of_its_name() -> None:
    assert {"bfclv3", "gsm8k", "similarity_metrics"} <= set(BENCHMARKS)
    for name in BENCHMARKS:
        dataset = {"files_url": "hf://datasets/a/b/c.jsonl"}
        task = only_task(to_spec(asked({"type": name, "params": {"extra": {"dataset": dataset}}})))
        assert task.name == BENCHMARKS[name].task
        assert task.metrics == BENCHMARKS[name].metrics
        assert task.dataset.url == "hf://datasets/a/b/c.jsonl"
        assert (task.dataset.layout, task.dataset.format) == ("bfcl" if name == "bfclv3" else None, None)


def test_the_vendors_example_is_one_function_call_against_its_possible_answers() -> None:
    spec = to_spec(JobInput.model_validate(VENDOR_EXAMPLE["spec"]))
    task = only_task(spec)
    assert (task.name, spec.params.limit_samples) == ("task1", 10)
    assert task.dataset == FilesDataset(
        url="hf://datasets/gorilla-llm/Berkeley-Function-Calling-Leaderboard/BFCL_v3_simple.json",
        format="jsonl",
        layout="bfcl",
    )
    assert task.prompts["target"].body["tools"] == "{{ item.tools | tojson }}"
    assert task.metrics == (FunctionCall(name="accuracy", reference="{{ item.ground_truth | tojson }}"),)


def test_a_category_of_the_leaderboard_has_a_file_of_its_own() -> None:
    task = only_task(to_spec(asked({"type": "bfclv3", "tasks": {"t": {"type": "irrelevance"}}})))
    assert task.dataset.url.endswith("/Berkeley-Function-Calling-Leaderboard/BFCL_v3_irrelevance.json")


def test_gsm8k_needs_nothing_but_a_model() -> None:
    spec = to_spec(asked({"type": "gsm8k", "params": {"max_tokens": 9, "extra": {"hf_token": "store:hub"}}}))
    task = only_task(spec)
    assert task.dataset == FilesDataset(url="hf://datasets/openai/gsm8k/main", split="test", token="store:hub")
    assert task.prompts["target"] == Prompt(body={"messages": [{"role": "user", "content": SOLVE}]})
    assert isinstance(spec.targets[0], ModelTarget)
    assert spec.targets[0].generation == {"max_tokens": 9}
    assert task.metrics[0].scores == ("gsm8k-metric_ranking-1", "gsm8k-metric_ranking-3")


@pytest.mark.parametrize(
    ("extra", "trials"),
    [({"n_samples": 4}, 4), ({"num_repeats": 3}, 3), ({"n_samples": 2, "num_repeats": 2}, 2), ({}, 1)],
)
def test_questions_of_gsm8k_are_asked_as_often_as_is_wanted(extra: dict[str, int], trials: int) -> None:
    assert to_spec(asked({"type": "gsm8k", "params": {"extra": extra}})).params.trials == trials


def test_repeats_that_say_two_things_or_cannot_be_are_refused_by_name() -> None:
    with pytest.raises(SpecInvalid, match="n_samples and num_repeats both say") as refused:
        to_spec(asked({"type": "gsm8k", "params": {"extra": {"n_samples": 2, "num_repeats": 3}}}))
    assert refused.value.field == "config.params.extra"
    with pytest.raises(ValidationError, match="n_samples"):
        asked({"type": "gsm8k", "params": {"extra": {"n_samples": 0}}})
    assert to_spec(asked(CUSTOM | {"params": {"extra": {"n_samples": 1}}})).params.trials == 1


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("https://h/v1", "chat/completions"),
        ("https://h/v1/chat/completions", "chat/completions"),
        ("https://h/v1/completions", "completions"),
    ],
)
def test_a_completions_route_is_given_the_prompt_as_a_text(url: str, route: str) -> None:
    prompt = only_task(to_spec(asked({"type": "gsm8k"}, url))).prompts["target"]
    assert prompt.route == route
    assert SOLVE in (prompt.body.get("prompt"), prompt.body.get("messages", [{}])[0].get("content"))


def test_a_task_may_bring_its_dataset_template_and_metrics() -> None:
    own = {"files_url": "hf://datasets/org/own/f.json", "limit": 3}
    task = {"type": "default", "dataset": own, "params": {"template": {"prompt": "{{prompt}}"}}}
    task["metrics"] = {"words": {"type": "f1"}}
    config = {
        "type": "similarity_metrics",
        "tasks": {"mine": task},
        "params": {"extra": {"dataset": "hf://datasets/a/b"}},
    }
    read = only_task(to_spec(asked(config)))
    assert read.name == "mine"
    assert (read.dataset, read.limit) == (FilesDataset(url="hf://datasets/org/own/f.json"), 3)
    assert read.prompts["target"].body == {"prompt": "{{prompt}}"}
    assert read.metrics == (F1(name="words", reference="{{ item.ideal_response }}"),)


@pytest.mark.parametrize("name", ["f.json", "folder"])
def test_rows_of_the_leaderboard_are_one_a_line_unless_said_otherwise(name: str) -> None:
    def dataset(**given: Any) -> Any:
        files = {"files_url": f"hf://datasets/a/b/{name}", **given}
        return only_task(
            to_spec(asked({"type": "bfclv3", "tasks": {"t": {"type": "simple", "dataset": files}}}))
        ).dataset

    assert (dataset().format, dataset().layout) == ("jsonl", "bfcl")
    assert dataset().split == (None if name.endswith(".json") else "simple")
    assert dataset(split="java").split == "java"
    assert (dataset(format="json").format, dataset(format="json").layout) == ("json", "bfcl")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"type": "bfclv3", "tasks": {"t": {"type": "parallel"}}},
            "config.tasks.t.type: task type 'parallel' .* simple",
        ),
        ({"type": "gsm8k", "tasks": {"t": {"type": "data"}}}, "config.tasks.t.type: task type 'data'"),
        ({"type": "mmlu"}, "config.type: config type 'mmlu' is not supported; supported: custom, bfclv3, gsm8k"),
        (
            {"type": "bfclv3", "params": {"extra": {"num_repeats": 3}}},
            r"config\.params\.extra\.num_repeats: 3 is not supported in a config of type bfclv3 .* gsm8k, of a model",
        ),
        (
            CUSTOM | {"params": {"extra": {"n_samples": 2}}},
            r"config\.params\.extra\.n_samples: 2 is not supported in a config of type custom",
        ),
    ],
)
def test_what_is_not_supported_is_a_failure_and_no_error(config: dict[str, Any], message: str) -> None:
    spec, failure = carried_out(asked(config))
    assert spec is None
    assert failure is not None
    assert (failure.code, failure.blame) == ("unsupported", "user")
    assert re.match(message, failure.message)


@pytest.mark.parametrize(
    ("config", "target", "field"),
    [
        ({"type": "similarity_metrics"}, {}, "spec.config.tasks.default.dataset"),
        ({"type": "gsm8k"}, {"type": "rows", "rows": [{"question": "?"}]}, "spec.target.type"),
        ({"type": "gsm8k"}, {"model": None}, "spec.target.model"),
        ({"type": "gsm8k", "groups": {"g": {"tasks": ["other"]}}}, {}, "spec.config.groups.g.tasks"),
    ],
)
def test_what_is_missing_is_refused_naming_the_place(config: Any, target: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        carried_out(asked(config, **target), at="spec")
    assert caught.value.field == field
    with pytest.raises(NotFound):
        carried_out(asked({"type": "gsm8k", "params": {"extra": {"dataset": "org/stored"}}}))


CACHED = {"files_url": "hf://datasets/a/b/out.jsonl"}


@pytest.mark.parametrize(
    "target", [{"type": "cached_outputs", "cached_outputs": CACHED}, {"model": {"cached_outputs": CACHED}}]
)
@pytest.mark.parametrize("name", ["gsm8k", "similarity_metrics"])
def test_a_benchmark_over_texts_takes_outputs_that_exist(name: str, target: dict[str, Any]) -> None:
    given = target if "type" in target else {"type": "model", **target}
    spec = to_spec(JobInput.model_validate({"target": given, "config": {"type": name}}))
    assert spec.targets == (RecordedTarget(name="target", column="response"),)
    assert only_task(spec) == TaskSpec(
        name=BENCHMARKS[name].task, dataset=FilesDataset(url=CACHED["files_url"]), metrics=BENCHMARKS[name].metrics
    )


def test_a_benchmark_over_calls_says_how_cached_ones_are_scored() -> None:
    target = {"type": "cached_outputs", "cached_outputs": CACHED}
    with pytest.raises(SpecInvalid, match="config of type custom with a task of type data"):
        to_spec(JobInput.model_validate({"target": target, "config": {"type": "bfclv3"}}))


def test_calls_that_were_made_before_are_read_from_the_rows() -> None:
    metric = {"type": "tool-calling", "params": {"tool_calls_ground_truth": "{{ item.tool_calls | tojson }}"}}
    config = {"type": "custom", "tasks": {"t": {"type": "data", "metrics": {"calls": metric}}}}
    for target in ({"type": "rows", "rows": [{}]}, {"type": "cached_outputs", "cached_outputs": CACHED}):
        spec = to_spec(JobInput.model_validate({"target": target, "config": config}))
        assert only_task(spec).metrics[0].candidate == "{{ item.response | tojson }}"
