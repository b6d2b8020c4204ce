import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from core.metric import Code
from core.result import Output, Score
from core.spec import RecordedTarget
from tasks.endpoint.breaker import STOPS_IN_A_ROW, Unwatched
from tasks.engine.calls import Stopped
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.metrics.code import code_scores
from tasks.metrics.subject import Subject
from tasks.sandbox.contract import Evaluated, Failed, Limits
from tasks.sandbox.pool import Pool
from tests.tasks.conftest import Lab
from tests.tasks.specs import ITS_OWN, model, rows, spec

ITEM: dict[str, Any] = {
    "sample": {"output": "{{ sample.output_text }}", "response": "{{ sample.response | tojson }}"},
    "ground_truth": {"output": "{{ item.answer }}"},
}
SAME = """
def run_evaluation(item):
    print("held against", item["ground_truth"]["output"])
    return {"score": item["sample"]["output"] == item["ground_truth"]["output"]}
"""
ANSWERS = """
def run_evaluation(item):
    return len(item["sample"]["response"]["choices"]) / 4
"""
ROW = {"answer": "4 cats"}
RESPONSE = json.dumps({"choices": [{"message": {"content": "4 cats"}}]})


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with closing(Hurrying(Limits(seconds=60.0))) as pool:
        yield pool


class Hurrying(Pool):
    """A pool in which what loops is given less time, which is the clock's, than what ends."""

    def run(self, source: str, item: Any) -> Evaluated | Failed:
        loops = "while" in source and item.get("said") != "ok"
        self.limits = Limits(seconds=0.2 if loops else 60.0)
        return super().run(source, item)


def code(source: str = SAME, **fields: Any) -> Code:
    return Code(name="same", source=source, item=fields.pop("item", ITEM), **fields)


def score(pool: Pool, metric: Code, text: str | None = "4 cats", row: dict[str, Any] = ROW, **output: Any) -> Score:
    made = Output("qa", 3, "target", text=text, response=output.pop("response", RESPONSE), **output)
    [scored] = code_scores(pool, metric, [Subject("qa", 3, "target", 0, row, (made,), ITS_OWN)], Unwatched())
    return scored


def test_an_output_gets_the_score_that_the_evaluator_gives_it(pool: Pool) -> None:
    right = score(pool, code())
    assert right == Score(
        "qa", 3, "target", 0, "same", "score", "scored", value=1.0, passed=True, feedback="held against 4 cats\n"
    )
    wrong = score(pool, code(), "5 dogs")
    assert (wrong.outcome, wrong.value, wrong.passed) == ("scored", 0.0, False)


@pytest.mark.parametrize(("threshold", "passed"), [(0.25, True), (0.26, False), (-1.0, True)])
def test_a_score_of_at_least_the_threshold_passes(pool: Pool, threshold: float, passed: bool) -> None:
    scored = score(pool, code(ANSWERS, threshold=threshold))
    assert (scored.value, scored.passed) == (0.25, passed)
    assert scored.feedback is None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("return item['nope']", "metric 'same': line 2: KeyError: nope"),
        ("return 'good'", "metric 'same': it returned the str 'good', not a number"),
        ("return float('nan')", "metric 'same': it returned nan, not a number"),
        ("while True: pass", "metric 'same': it ran for more than 0.2 s"),
        ("return len([0] * 10**9)", "metric 'same': it needs more than 64 MB of memory"),
        ("return run_evaluation(item)", "metric 'same': line 2: RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_an_evaluator_that_fails_gives_no_zero_but_says_why(pool: Pool, body: str, error: str) -> None:
    failed = score(pool, code(f"def run_evaluation(item):\n    {body}\n"))
    assert (failed.outcome, failed.value, failed.passed) == ("metric_error", None, None)
    assert failed.error == error


def test_a_score_that_is_not_on_the_scale_is_an_error(pool: Pool) -> None:
    ok = score(pool, code("def run_evaluation(item):\n    return 5", scale=(1, 5)))
    assert (ok.outcome, ok.value) == ("scored", 5.0)
    strayed = score(pool, code("def run_evaluation(item):\n    print('hm')\n    return 5.01", scale=(1, 5)))
    assert (strayed.outcome, strayed.value, strayed.feedback) == ("metric_error", None, "hm\n")
    assert strayed.error == "metric 'same': 5.01 is not on its scale, 1 to 5"


def test_what_could_not_be_had_is_not_evaluated(pool: Pool) -> None:
    lost = score(pool, code(), None, outcome="refused", error="400")
    assert (lost.outcome, lost.value, lost.error) == ("refused", None, "400")
    missing = score(pool, code(), row={})
    assert (missing.outcome, missing.value) == ("missing_field", None)
    assert "metric 'same' (item) (ground_truth.output)" in str(missing.error)
    broken = score(pool, code(item={"x": "{{ 1 / 0 }}"}))
    assert broken.outcome == "metric_error"
    assert "division by zero" in str(broken.error)


def test_a_job_scores_by_code_and_counts_what_failed(lab: Lab) -> None:
    source = "def run_evaluation(item):\n    return 1 / (len(item['asked']) - 12)\n"
    metric = code(source, item={"asked": "{{ item.question }}"}, threshold=0.5)
    given = [{"question": "x" * length} for length in (12, 13, 14, 16)]
    job = lab.add(spec(RecordedTarget(column="question"), given, metric))
    (summary,) = lab.carry_out(job)
    assert (summary.name, summary.count, summary.nan_count) == ("score", 3, 1)
    assert summary.mean == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert summary.outcomes == {"scored": 3, "metric_error": 1}
    assert [each.passed for each in lab.scores(job)] == [None, True, True, False]


def test_a_model_is_asked_and_its_whole_response_can_be_graded(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), code(ANSWERS), code().model_copy(update={"name": "text"})))
    by_response, by_text = lab.carry_out(job)
    assert (by_response.mean, by_text.mean) == (0.25, 1.0)
    assert len(lab.model.calls) == 2


def test_a_job_that_stops_does_not_wait_for_its_evaluators(lab: Lab) -> None:
    endless = code("def run_evaluation(item):\n    while True: pass\n")
    job = lab.add(spec(RecordedTarget(column="question"), rows(20), endless))
    with lab.engaged(job) as engine:
        (shard,) = engine.manifest.shards
        generate_shard(engine, shard, final=True)
        engine.abandon()
        with pytest.raises(Stopped):
            judge_shard(engine, shard, final=True)
        assert not engine.folder.is_finished("judge", shard)


def test_an_evaluator_that_a_limit_stops_every_time_is_run_no_more_for_that_target(pool: Pool, lab: Lab) -> None:
    source = "def run_evaluation(item):\n    while item['said'] == 'loop': pass\n    return 1\n"
    metric = code(source, item={"said": "{{ sample.output_text }}"})
    said = [("good", "ok"), ("bad", "loop")] * (STOPS_IN_A_ROW + 2)
    about = [
        Subject("qa", n, target, 0, ROW, (Output("qa", n, target, text=text),), ITS_OWN)
        for n, (target, text) in enumerate(said)
    ]
    with lab.engaged(lab.add(spec(RecordedTarget(), rows(1)))) as engine:
        scores = list(code_scores(pool, metric, about, engine.calls))
    good, bad = scores[::2], scores[1::2]
    assert {each.outcome for each in good} == {"scored"}
    assert [each.outcome for each in bad] == ["metric_error"] * STOPS_IN_A_ROW + ["not_attempted"] * 2
    assert str(bad[-1].error).startswith("metric 'same': it was stopped 10 times in a row")


def test_an_evaluator_that_raises_every_time_is_run_on_all(lab: Lab) -> None:
    raising = code("def run_evaluation(item):\n    return item['nope']\n")
    job = lab.add(spec(RecordedTarget(column="question"), rows(2 * STOPS_IN_A_ROW), raising))
    (summary,) = lab.carry_out(job)
    assert summary.outcomes == {"metric_error": 2 * STOPS_IN_A_ROW}
