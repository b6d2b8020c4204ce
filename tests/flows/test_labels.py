from dataclasses import replace
from typing import Any

import pytest

from core.job import Job, utcnow
from core.spec import RecordedTarget
from flows.labels import LONGEST_NAME, run_name, tags
from tests.tasks.specs import judge, model, spec

JOB = Job(
    id="job-0123456789abcdef",
    face="nemo-v2",
    spec=None,
    request={},
    name="job-0123456789abcdef",
    created_at=utcnow(),
    updated_at=utcnow(),
)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": "nightly"}, "nightly-abcdef"),
        ({"name": "nightly-abcdef"}, "nightly-abcdef"),
        ({"config": "demo/qa", "model": "m"}, "demo/qa-abcdef"),
        ({"model": "m"}, "m-abcdef"),
        ({}, "nemo-v2-abcdef"),
        ({"name": "two\nlines\x1b[2J"}, r"two lines\x1b[2J-abcdef"),
        ({"name": "x" * 999}, "x" * LONGEST_NAME + "-abcdef"),
    ],
)
def test_a_run_is_named_by_what_its_job_is_about_and_the_end_of_its_id(fields: dict[str, Any], name: str) -> None:
    assert run_name(replace(JOB, **fields)) == name


def test_a_run_is_tagged_with_all_by_which_one_would_look_for_it() -> None:
    job = replace(JOB, name="nightly", project="p", config="demo/qa", model="m")
    named = ["nemo-v2", "job:job-0123456789abcdef", "name:nightly", "namespace:default", "project:p", "config:demo/qa"]
    assert tags(job) == [*named, "model:m"]
    assert tags(replace(JOB, spec=spec(RecordedTarget(), [{}]))) == [*named[:2], "namespace:default"]


def test_a_run_is_tagged_with_all_models_judges_too() -> None:
    asked = spec(model("http://host/v1"), [{}], judge("http://host/v1"), judge("http://host/v1", name="again"))
    assert [tag for tag in tags(replace(JOB, spec=asked, model="m")) if tag.startswith("model:")] == [
        "model:m",
        "model:j",
    ]
