import json
import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.together.schema.evaluations import ID, EvaluationRequest
from api.together.translate import base_url, new_id, to_new_job, to_spec
from core.endpoint import Endpoint
from core.errors import SpecInvalid
from core.metric import Judge, Labels, Preference, Range
from core.settings import ModelSettings, Settings
from core.spec import EvaluationSpec, FilesDataset, ModelTarget, RecordedTarget
from store.secrets import seal
from tasks.judging.scales import instruction, reply_schema
from tasks.templates.template import compile_body, compile_prompt, context
from tests.api.together import bodies

DATASET = FilesDataset(url="file:file-abc123", format="jsonl")
SETTINGS = Settings(default_endpoint="https://models.example/v1")
URL = "https://judge.example/v1"
LABELS = ["{{ good }}", "{% bad"]


def spec_of(body: dict[str, Any], settings: Settings = SETTINGS) -> EvaluationSpec:
    return to_spec(TypeAdapter(EvaluationRequest).validate_python(seal(body)[0]), DATASET, settings)


def judge_of(spec: EvaluationSpec) -> Judge:
    (metric,) = spec.tasks[0].metrics
    assert isinstance(metric, Judge)
    return metric


def asked(spec: EvaluationSpec, row: dict[str, Any], **sample: str) -> list[dict[str, str]]:
    """Return the messages that the judge is sent."""
    body = compile_body(judge_of(spec).prompt.body, where="judge")
    messages: list[dict[str, str]] = body.render(context(row, sample))["messages"]
    return messages


@pytest.mark.parametrize("name", bodies.CLIENTS)
def test_what_the_clients_send_is_understood(name):
    body = bodies.CLIENTS[name]
    sealed, keys = seal(body)
    job = to_new_job("eval-0000-1", sealed, DATASET, SETTINGS)
    assert job.spec is not None
    assert (job.face, job.name, job.request) == ("together", "eval-0000-1", sealed)
    assert not any(key in job.spec.model_dump_json() for key in keys.values())
    assert job.spec.tasks[0].name == body["type"]
    assert job.spec.tasks[0].dataset == DATASET
    assert job.spec.params.max_failed == 0.3


@pytest.mark.parametrize("name", bodies.SEEDS)
def test_a_name_in_the_place_of_a_model_is_that_of_a_column(name):
    spec = spec_of(bodies.SEEDS[name])
    assert spec.targets == (RecordedTarget(name="target", column="Qwen/Qwen3.5-9B"),)
    judge = judge_of(spec)
    assert judge.endpoint == Endpoint(model="openai/gpt-oss-120b")
    assert judge.scale == Labels(labels=("good", "bad"), passing=("good",))
    assert judge.generation == {"max_tokens": 32768, "temperature": 0.05}
    assert judge.reply_schema == reply_schema(judge.scale)
    assert (judge.parallelism, spec.params.parallelism) == (25, 25)


def test_scores_of_a_model_that_is_asked():
    spec = spec_of(bodies.EXTERNAL)
    judge = judge_of(spec)
    (target,) = spec.targets
    assert isinstance(target, ModelTarget)
    assert judge.scale == Range(minimum=1, maximum=10, threshold=7)
    assert judge.endpoint == Endpoint(
        url="http://127.0.0.1:9000/v1", model="gpt-4o-mini", api_key=judge.endpoint.api_key
    )
    assert judge.endpoint.api_key
    assert judge.generation == {"max_tokens": 2048, "temperature": 0.0}
    assert (target.endpoint, target.generation) == (Endpoint(model="m1"), {"max_tokens": 256, "temperature": 0.2})
    assert (judge.parallelism, target.parallelism, spec.params.parallelism) == (4, 25, 29)
    prompt = spec.tasks[0].prompts["target"]
    assert prompt.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "{{info.question}}"},
    ]
    assert (prompt.images, prompt.sample_names) == ("image_data_urls", False)
    assert prompt.model_copy(update={"body": judge.prompt.body}) == judge.prompt


def test_a_comparison_of_a_column_with_a_model():
    spec = spec_of(bodies.COMPARE)
    first, second = spec.targets
    assert first == RecordedTarget(name="a", column="response_a")
    assert isinstance(second, ModelTarget)
    assert (second.name, second.generation) == ("b", {"max_tokens": 1024, "temperature": 0.05})
    assert (second.parallelism, spec.params.parallelism) == (5, 30)
    assert judge_of(spec).scale == Preference(swap=True)
    alone = bodies.COMPARE["parameters"] | {"disable_position_bias_correction": True}
    assert judge_of(spec_of(bodies.COMPARE | {"parameters": alone})).scale == Preference(swap=False)


def test_the_judge_is_told_the_form_of_its_reply_after_its_own_template():
    body = bodies.classify(bodies.judge(URL, "Grade for {{ topic }}."), "f", labels=LABELS, pass_labels=LABELS[1:])
    spec = spec_of(body)
    system, user = asked(spec, {"topic": "{{ tone }}"}, output_text="{{ hm }}")
    assert system["content"] == "Grade for {{ tone }}.\n\n" + instruction(judge_of(spec).scale)
    assert '"{{ good }}", "{% bad"' in system["content"]
    assert user == {"role": "user", "content": "Response:\n{{ hm }}"}


def test_the_judge_sees_the_prompt_that_was_answered():
    spec = spec_of(bodies.score(bodies.judge(URL), "f", bodies.model(URL, "Say {{ info.word }}")))
    _, user = asked(spec, {"info": {"word": "x"}}, output_text="y")
    assert user["content"] == "Prompt:\nSay x\n\nResponse:\ny"


ODD = {"response": "r", "output_text": "o", "output_a": "a", "sample": ["s"], "item": {"x": 1}}
NAMED = "{{ response }} {{ output_text }} {{ output_a }} {{ sample[0] }} {{ item.x }}"


def test_every_name_in_a_template_is_a_columns():
    model = bodies.model(URL, NAMED, system_template=NAMED)
    spec = spec_of(bodies.score(bodies.judge(URL, NAMED), "f", model))
    target = compile_prompt(spec.tasks[0].prompts["target"], where="target")
    assert [each["content"] for each in target.render(context(ODD, None))["messages"]] == ["r o a s 1"] * 2
    judge = compile_prompt(judge_of(spec).prompt, where="judge")
    assert judge.columns == ODD.keys()
    system, user = judge.render(context(ODD, {"output_text": "said"}, sample_names=False))["messages"]
    assert system["content"].startswith("r o a s 1\n\n")
    assert user["content"] == "Prompt:\nr o a s 1\n\nResponse:\nsaid"


@pytest.mark.parametrize("value", [{"a": [1]}, ["x"], 5, None])
def test_what_a_template_gives_is_text_also_where_it_is_json(value):
    model = bodies.model(URL, "{{ info | tojson }}", system_template="{{ info | tojson }}")
    prompt = spec_of(bodies.score(bodies.judge(URL), "f", model)).tasks[0].prompts["target"]
    messages = compile_prompt(prompt, where="target").render(context({"info": value}, None))["messages"]
    assert [each["content"] for each in messages] == [json.dumps(value)] * 2


@pytest.mark.parametrize(
    ("a", "b", "prompt"),
    [
        ("response_a", "response_b", ""),
        ("response_a", bodies.model(URL, "B {{ q }}"), "Prompt:\nB why\n\n"),
        (bodies.model(URL, "A {{ q }}"), bodies.model(URL, "B {{ q }}"), "Prompt:\nA why\n\n"),
    ],
)
def test_the_judge_sees_a_before_b(a, b, prompt):
    spec = spec_of(bodies.compare(bodies.judge(URL), "f", a, b))
    _, user = asked(spec, {"q": "why"}, output_a="1", output_b="2")
    assert user["content"] == prompt + "Response A:\n1\n\nResponse B:\n2"
    assert set(spec.tasks[0].prompts) == {n for n, given in (("a", a), ("b", b)) if isinstance(given, dict)}


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://api.mistral.ai/", "https://api.mistral.ai/v1"),
        ("https://api.mistral.ai", "https://api.mistral.ai/v1"),
        ("http://127.0.0.1:9000/v1", "http://127.0.0.1:9000/v1"),
        ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1"),
        ("https://g.example/v1beta/openai/", "https://g.example/v1beta/openai"),
        ("https://m.example/proxy?team=1", "https://m.example/proxy/v1?team=1"),
        ("https://m.example/v1/chat/completions", "https://m.example/v1/chat/completions"),
    ],
)
def test_a_url_is_completed_unless_it_ends_in_a_version(given, base):
    assert base_url(given) == base
    assert base_url(base) == base


@pytest.mark.parametrize(
    ("model", "url", "name"),
    [
        ("openai/gpt-5", "https://api.openai.com/v1", "gpt-5"),
        ("anthropic/claude-x", "https://api.anthropic.com/v1", "claude-x"),
        ("google/gemini-x", "https://generativelanguage.googleapis.com/v1beta/openai", "gemini-x"),
    ],
)
def test_a_known_provider_needs_no_url(model, url, name):
    judge = judge_of(spec_of(bodies.classify(bodies.judge("", model=model), "f")))
    assert judge.endpoint.model_copy(update={"api_key": None}) == Endpoint(url=url, model=name)
    assert judge.endpoint.api_key
    assert judge.parallelism == 2


@pytest.mark.parametrize(
    ("source", "given", "workers"),
    [
        ({"model_source": "serverless"}, None, 25),
        ({}, None, 25),
        ({"model_source": "dedicated"}, None, 5),
        ({"model_source": "dedicated"}, 2, 5),
        ({"model_source": "dedicated"}, 9, 9),
        ({"model_source": "external", "external_base_url": URL}, None, 20),
        ({"model_source": "external", "external_base_url": URL}, 1, 1),
        ({"model_source": "serverless"}, 100_000, 100_000),
    ],
)
def test_workers_bound_the_calls_to_a_model(source, given, workers):
    spec = spec_of(bodies.classify({"model": "m", "system_template": "s", "num_workers": given} | source, "f"))
    assert judge_of(spec).parallelism == workers
    assert spec.params.parallelism == min(workers, 4096)


def test_a_model_without_a_url_is_looked_up_in_the_settings():
    known = Settings(models={"m": ModelSettings(url="https://m.example/v1"), "nowhere": ModelSettings()})
    body = bodies.NULLS
    assert judge_of(spec_of(body, known)).endpoint == Endpoint(model="m")
    for name in ("other", "nowhere"):
        body = bodies.classify({"model": name, "model_source": "dedicated", "system_template": "s"}, "f")
        with pytest.raises(SpecInvalid, match="ASSAY_DEFAULT_ENDPOINT") as caught:
            spec_of(body, known)
        assert caught.value.field == "parameters.judge.model"


def test_the_settings_decide_on_columns_that_nothing_reads():
    assert not spec_of(bodies.NULLS).params.strict_columns
    assert spec_of(bodies.NULLS, SETTINGS.model_copy(update={"strict_columns": True})).params.strict_columns


def test_ids_are_of_the_documented_form():
    ids = {new_id() for _ in range(100)}
    assert all(re.fullmatch(r"eval-[0-9a-f]{4}-\d{10}", each) and re.fullmatch(ID, each) for each in ids)
    assert len(ids) > 90
