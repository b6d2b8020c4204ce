from typing import Any

import pytest
from pydantic import ValidationError

from core.spec import EvaluationSpec
from core.upgrade import SPEC_VERSION, UPGRADES, spec_v1_to_v2, upgraded


def written(dataset: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"targets": [{"kind": "recorded"}], "tasks": [{"name": "qa", "dataset": dataset}], **fields}


def test_a_limit_of_a_dataset_becomes_that_of_its_task() -> None:
    rows = {"kind": "rows", "rows": [{"limit": 7}]}
    spec = EvaluationSpec.model_validate(written(rows | {"limit": 3}))
    assert (spec.tasks[0].limit, spec.version) == (3, SPEC_VERSION)
    assert spec.tasks[0].dataset.model_dump() == rows
    assert EvaluationSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("limit", [None, 5])
def test_what_is_written_in_the_words_of_this_release_needs_no_version(limit: int | None) -> None:
    given = written({"kind": "rows", "rows": []})
    given["tasks"][0]["limit"] = limit
    assert EvaluationSpec.model_validate(given).tasks[0].limit == limit
    assert EvaluationSpec.model_validate(given | {"version": SPEC_VERSION}).tasks[0].limit == limit


@pytest.mark.parametrize("version", [1, 1.0, True])
def test_a_version_may_be_written_as_json_has_whole_numbers(version: object) -> None:
    old = written({"kind": "rows", "rows": [], "limit": 3}, version=version)
    assert EvaluationSpec.model_validate(old).tasks[0].limit == 3


def test_a_version_ends_what_it_did_away_with() -> None:
    old = written({"kind": "rows", "rows": [], "limit": 3}, version=SPEC_VERSION)
    with pytest.raises(ValidationError, match=r"dataset\.rows\.limit"):
        EvaluationSpec.model_validate(old)


@pytest.mark.parametrize("version", [SPEC_VERSION + 1, 0, -1, "two", None, [], 1.5])
def test_a_version_that_is_not_known_is_refused_by_name(version: object) -> None:
    with pytest.raises(ValidationError, match=f"this release reads 1 to {SPEC_VERSION}"):
        EvaluationSpec.model_validate(written({"kind": "rows", "rows": []}, version=version))


def test_upgrades_are_taken_one_after_another_from_the_version_of_the_specification() -> None:
    chain = [*UPGRADES, lambda spec: spec | {"third": spec["tasks"][0]["limit"]}]
    assert upgraded(written({"limit": 3}), chain)["third"] == 3
    assert upgraded({"version": 3, "tasks": []}, chain) == {"version": 3, "tasks": []}


@pytest.mark.parametrize("tasks", [None, "x", [None, 1], [{"dataset": None}], [{}]])
def test_what_is_no_specification_is_left_to_validation(tasks: object) -> None:
    assert spec_v1_to_v2({"tasks": tasks}) == {"tasks": tasks}
    with pytest.raises(ValidationError):
        EvaluationSpec.model_validate({"targets": [], "tasks": tasks})


def test_an_upgrade_leaves_what_it_is_given_as_it_was() -> None:
    given = written({"kind": "rows", "rows": [], "limit": 3})
    upgraded(given)
    assert given == written({"kind": "rows", "rows": [], "limit": 3})
