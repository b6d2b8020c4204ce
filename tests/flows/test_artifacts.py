import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.spec import RecordedTarget
from flows.artifacts import artifact_key, histories
from tests.flows.test_page import BOMB, DEFUSED, JOB, findings, summary
from tests.tasks.specs import model, recorded, spec


def test_a_target_s_history_has_its_values_as_numbers_and_its_model() -> None:
    [(key, rows)] = histories(findings(summary(), spec=spec(model("http://host/v1"), [{}])))
    assert key == "default-demo-qa-results"
    assert rows == [
        {
            "model": "m",
            "task": "qa",
            "metric": "f1",
            "score": "n",
            "mean": 0.123456,
            "low": 0.05,
            "high": 0.25,
            "scored": 3,
            "not scored": 0,
            "cautions": "few_samples",
            "job": "nightly",
        }
    ]


def test_each_of_several_targets_has_a_history_but_not_the_one_they_are_held_against() -> None:
    asked = spec(recorded("a", "b", "gold"), [{}]).model_copy(update={"reference": "gold"})
    found = dict(histories(findings(summary(target="a"), summary(target="b", mean=1.0), spec=asked)))
    assert list(found) == ["default-demo-qa-a-results", "default-demo-qa-b-results"]
    assert [(row["model"], row["mean"]) for rows in found.values() for row in rows] == [
        ("recorded", 0.123456),
        ("recorded", 1.0),
    ]


def test_no_name_is_markup_in_a_history() -> None:
    [(_, [row])] = histories(
        findings(summary(task=BOMB), job=replace(JOB, name=BOMB), spec=spec(RecordedTarget(), [{}]))
    )
    assert (row["task"], row["job"]) == (DEFUSED, DEFUSED)


@pytest.mark.parametrize(
    ("text", "key"),
    [("job-1aB", "job-1ab"), ("default-My Config/v2-results", "default-my-config-v2-results"), ("--a__b--", "a-b")],
)
def test_a_key_is_in_prefect_s_form(text: str, key: str) -> None:
    assert artifact_key(text) == key
    assert artifact_key(key) == key


@given(st.text())
def test_every_text_gives_a_valid_key_or_none(text: str) -> None:
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", artifact_key(text))
    assert artifact_key(f"job-{text}").startswith("job")
