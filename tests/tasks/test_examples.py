"""The examples in docs/spec.md, run, and the page itself."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from core.metric import Code, ComputedMetric, Scale
from core.settings import Settings
from core.spec import EvaluationSpec
from docs.reference import EXAMPLES, examples_of, members, page, tag
from store.workspace import Workspace
from tests.scripted import ScriptedEndpoint, last_content, text
from tests.tasks.conftest import Lab

MEANS: dict[str, dict[str, float]] = {
    "accuracy": {"accuracy": 0.5},
    "bleu": {"sentence": 68.278, "corpus": 66.52},
    "code": {"score": 0.5},
    "exact-match": {"em": 0.5},
    "f1": {"f1": 0.4},
    "final-number": {"strict-match": 0.5, "flexible-extract": 1.0},
    "function-call": {"accuracy": 1.0},
    "judge-labels": {"label": 1.0},
    "judge-parsed": {"grade": 3.0},
    "judge-preference": {"choice": 0.5},
    "judge-range": {"score": 4.0},
    "number-check": {"number-check": 0.5},
    "rouge": {"rouge_1_score": 0.667, "rouge_2_score": 0.4, "rouge_3_score": 0.0, "rouge_L_score": 0.333},
    "string-check": {"string-check": 0.5},
    "tool-calling": {"function_name_accuracy": 1.0, "function_name_and_args_accuracy": 0.0},
}
"""What each example comes to."""

REPLIES = {
    '"label"': '{"label": "good", "feedback": "It does."}',
    '"score"': '{"score": 4, "feedback": "Short."}',
    '"choice"': '{"choice": "A", "feedback": "It is first."}',
    "GRADE": "GRADE: 3",
}


def judged(call: Any) -> Any:
    return text(next(reply for asked, reply in REPLIES.items() if asked in last_content(call["body"])))


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_an_example_comes_to_what_it_should(name: str, endpoint: ScriptedEndpoint, tmp_path: Path) -> None:
    endpoint.script = judged
    settings = Settings(home=tmp_path, default_endpoint=endpoint.url)
    lab = Lab(Workspace.open(settings, migrating=True), endpoint)
    job = lab.add(EvaluationSpec.model_validate(yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())))
    means = {summary.name: round(summary.mean, 3) for summary in lab.carry_out(job) if summary.mean is not None}
    assert means == MEANS[name]


@pytest.mark.parametrize("part", [*members(ComputedMetric), *members(Scale), Code])
def test_every_metric_and_scale_has_an_example(part: Any) -> None:
    assert examples_of(part), f"docs/examples has nothing of {tag(part)}"


def test_the_page_is_made_of_the_classes_as_they_are() -> None:
    assert (EXAMPLES.parent / "spec.md").read_text() == page(), "run `make docs`"
