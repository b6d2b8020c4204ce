import asyncio
import re
from inspect import signature
from pathlib import Path
from uuid import uuid4

import jsonschema
import pytest

from core.errors import SpecInvalid
from core.job import Failure
from core.spec import RecordedTarget
from flows.evaluate import evaluate
from flows.form import NO_SPEC, Asked, form_schema, read_form
from tests.tasks.specs import spec

SCHEMA = form_schema(evaluate)


def is_let_pass(**parameters: object) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(parameters))


def test_the_form_is_flat_and_each_field_says_what_it_is_for() -> None:
    assert list(SCHEMA["properties"]) == list(Asked.model_fields)
    assert len(SCHEMA["properties"]) == 7
    for name, field in SCHEMA["properties"].items():
        assert field["type"] in ("string", "integer"), name
        assert len(field["description"]) > 20, name
        assert field["examples"], name
        assert not {"anyOf", "oneOf", "allOf", "$ref"} & field.keys(), name


def test_nothing_needs_to_be_typed() -> None:
    assert is_let_pass()
    assert not SCHEMA.get("required")
    assert {name for name, field in SCHEMA["properties"].items() if "default" in field} == {"target", "config"}
    assert read_form({}) == (Asked(target="demo/model", config="demo/qa"), None)


@pytest.mark.parametrize("name", ["api_key", "token", "job_id", "spec", "password"])
def test_what_is_no_field_is_refused(name: str) -> None:
    assert not is_let_pass(**{name: "x"})
    assert is_let_pass(name="x")


@pytest.mark.parametrize("field", ["target", "config", "name", "project", "spec_file"])
@pytest.mark.parametrize("url", ["http://user:key@host/v1", "HTTPS://key@host", " https://u:k@h", "s3://u:k@bucket"])
def test_a_url_with_user_info_is_refused_in_every_field(field: str, url: str) -> None:
    assert not is_let_pass(**{field: url})
    asked, failure = read_form({field: url})
    assert asked == Asked()
    assert failure is not None
    assert f"parameter {field}: " in failure.message
    assert "key@" not in failure.message.lower()


def test_usual_values_are_let_pass() -> None:
    assert is_let_pass(
        target="my-team/gpt.4@2", config="a/b_c", name="Nightly @ 2am", project="p", spec_file="/a/b.yaml"
    )
    assert is_let_pass(limit_samples=1, parallelism=4096)
    assert not is_let_pass(limit_samples=0)
    assert not is_let_pass(parallelism=4097)
    assert not is_let_pass(target="no-namespace")


def test_parameters_that_went_around_the_form_fail_without_being_repeated() -> None:
    asked, failure = read_form({"limit_samples": "sk-secret", "target": "a/b"})
    assert asked == Asked()
    assert failure is not None
    assert failure.blame == "user"
    assert "limit_samples" in failure.message
    assert "sk-secret" not in failure.message


def test_a_specification_is_nothing_that_prefect_keeps() -> None:
    asked = {"target": "a/b", "spec": {"targets": [{"endpoint": {"api_key": "MARKER"}}]}}
    assert evaluate.serialize_parameters(asked) == {"target": "a/b"}
    assert "spec" in signature(evaluate.fn).parameters


def test_a_deployment_takes_no_specification_and_repeats_nothing_of_it() -> None:
    asked, failure = read_form({"target": "a/b", "spec": {"targets": [{"endpoint": {"token": "env:ASSAY_API_KEYS"}}]}})
    assert asked == Asked()
    assert failure == Failure(blame="user", code="invalid_spec", message=NO_SPEC)


def test_a_run_of_a_deployment_ends_before_it_opens_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", str(uuid4()))
    with pytest.raises(SpecInvalid, match=re.escape(NO_SPEC)):
        asyncio.run(evaluate.fn(spec=spec(RecordedTarget(), [{}])))
    assert not (tmp_path / "home").exists()
