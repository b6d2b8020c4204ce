import re
from collections import Counter
from typing import Any, get_args

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import EndpointFailed, EndpointRefused
from core.job import Job
from core.metric import Judge
from core.result import Outcome
from core.spec import RecordedTarget, Target
from tasks.endpoint.breaker import IDENTICAL_ERRORS
from tests.scripted import Answer, Received, Script, failure, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, preferring, recorded, rows, spec

PAIRS = [{"x": f"x{i}", "y": f"y{i}"} for i in range(4)]


def verdict(**fields: Any) -> Answer:
    return text(orjson.dumps(fields).decode())


def choosing(likes: str) -> Script:
    """A judge that likes the output that begins with `likes`, wherever it stands."""

    def script(call: Received) -> Answer:
        first, second = re.findall(r"[AB]=(\w+)", last_content(call["body"]))
        return verdict(choice="A" if first.startswith(likes) else "B" if second.startswith(likes) else "Tie")

    return script


def compared(lab: Lab, *, swap: bool = True) -> list[tuple[str, float | None, str | None]]:
    job = lab.add(spec(recorded("x", "y"), PAIRS, preferring(lab.model.url, swap=swap)))
    lab.carry_out(job)
    return [(score.outcome, score.value, score.label) for score in lab.scores(job)]


# Comparisons.


def test_a_preference_is_asked_in_two_passes_with_the_outputs_exchanged(lab: Lab) -> None:
    lab.model.script = choosing("x")
    assert compared(lab) == [("scored", 1.0, "A")] * 4
    assert lab.asked == [asked for i in range(4) for asked in (f"A=x{i} B=y{i}", f"A=y{i} B=x{i}")]


@pytest.mark.parametrize(("likes", "value", "label"), [("x", 1.0, "A"), ("y", 0.0, "B"), ("z", 0.5, "Tie")])
def test_swapping_the_targets_mirrors_the_preference(lab: Lab, likes: str, value: float, label: str) -> None:
    lab.model.script = choosing(likes)
    assert compared(lab) == [("scored", value, label)] * 4
    job = lab.add(spec(recorded("y", "x"), PAIRS, preferring(lab.model.url)))
    (summary,) = lab.carry_out(job)
    assert summary.mean == 1.0 - value
    assert (summary.target, summary.count) == ("y", 4)


def test_a_judge_that_prefers_a_position_gives_a_tie(lab: Lab) -> None:
    lab.model.script = lambda _: verdict(choice="A", feedback="the first")
    assert compared(lab) == [("scored", 0.5, "Tie")] * 4
    assert compared(lab, swap=False) == [("scored", 1.0, "A")] * 4
    assert len(lab.model.calls) == 8 + 4


@pytest.mark.parametrize("broken", [text("I cannot choose"), failure(400, "too long"), failure(503)])
def test_a_pass_that_fails_leaves_the_decision_to_the_other(lab: Lab, broken: Answer) -> None:
    lab.model.script = lambda call: verdict(choice="B") if last_content(call["body"]).startswith("A=x") else broken
    assert compared(lab) == [("scored", 0.0, "B")] * 4
    assert len(lab.model.calls) == 8


def test_a_pair_of_which_one_output_could_not_be_had_is_not_judged(lab: Lab) -> None:
    lab.model.script = lambda call: (
        failure(400, "too long")
        if last_content(call["body"]) == "x1"
        else verdict(choice="A")
        if call["body"]["model"] == "j"
        else text("fine")
    )
    targets: list[Target] = [model(lab.model.url, "asked"), *recorded("y")]
    job = lab.add(spec(targets, PAIRS, preferring(lab.model.url), prompt="{{ item.x }}"))
    (summary,) = lab.carry_out(job)
    assert summary.outcomes == {"scored": 3, "target_error": 1}
    assert [score.error for score in lab.scores(job)] == [None, "HTTP 400: too long", None, None]
    assert sum(call["body"]["model"] == "j" for call in lab.model.calls) == 6


# References and images.


def test_outputs_are_judged_against_those_of_a_reference(lab: Lab) -> None:
    lab.model.script = lambda call: (
        verdict(score=4)
        if call["body"]["model"] == "j"
        else failure(400, "too long")
        if last_content(call["body"]) == "x2"
        else text(f"best {last_content(call['body'])}")
    )
    targets: list[Target] = [*recorded("y"), model(lab.model.url, "best")]
    against = judge(lab.model.url, "{{ sample.output_text }} / {{ sample.reference_text }}")
    wanted = spec(targets, PAIRS, against, CORRECT.model_copy(update={"right": "y1"}), prompt="{{ item.x }}")
    job = lab.add(wanted.model_copy(update={"reference": "best"}))
    summaries = {summary.metric: summary for summary in lab.carry_out(job)}
    assert [asked for asked in lab.asked if "/" in asked] == [f"y{i} / best x{i}" for i in (0, 1, 3)]
    assert {score.target for score in lab.scores(job)} == {"y"}
    assert summaries["graded"].outcomes == {"scored": 3, "target_error": 1}
    assert (summaries["correct"].count, summaries["correct"].sum) == (3, 1.0)
    lost = [score.error for score in lab.scores(job) if score.outcome != "scored"]
    assert lost == ["the reference 'best' gave no output: HTTP 400: too long"] * 2


def test_a_target_and_its_judge_see_the_images_of_a_row(lab: Lab) -> None:
    lab.model.script = lambda call: verdict(score=4) if call["body"]["model"] == "j" else text("a cat")
    url = "data:image/png;base64,eA=="
    wanted = spec(model(lab.model.url), [{"picture": url}, {}], judge(lab.model.url), prompt="What is it?")
    (task,) = wanted.tasks
    seen = {"prompts": {"target": task.prompts["target"].model_copy(update={"images": "picture"})}}
    (grading,) = (metric for metric in task.metrics if isinstance(metric, Judge))
    prompt = grading.prompt.model_copy(update={"images": "picture"})
    task = task.model_copy(update={**seen, "metrics": (grading.model_copy(update={"prompt": prompt}),)})
    lab.carry_out(lab.add(wanted.model_copy(update={"tasks": (task,)})))
    contents = [call["body"]["messages"][-1]["content"] for call in lab.model.calls]
    image = {"type": "image_url", "image_url": {"url": url}}
    assert [{"type": "text", "text": "What is it?"}, image] in contents
    assert [{"type": "text", "text": "grade a cat"}, image] in contents
    assert [content for content in contents if isinstance(content, str)] == ["What is it?", "grade a cat"]


# A judge that fails never lowers a score.


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (text("a fine answer"), "judge_unparsable"),
        (verdict(score=5), "judge_unparsable"),
        (failure(400, "too long"), "judge_error"),
        (failure(503), "judge_error"),
        (text("", finish_reason="content_filter"), "judge_error"),
        (text("<think>let me see"), "judge_error"),
        (text(" "), "judge_error"),
    ],
)
def test_a_judge_that_fails_gives_no_score(lab: Lab, answer: Answer, outcome: Outcome) -> None:
    lab.model.script = lambda call: answer if last_content(call["body"]) == "grade x1" else verdict(score=4)
    job = lab.add(spec(recorded("x"), PAIRS, judge(lab.model.url)))
    (summary,) = lab.carry_out(job)
    assert (summary.mean, summary.count, summary.nan_count) == (4.0, 3, 1)
    assert summary.outcomes == {"scored": 3, outcome: 1}
    lost = lab.scores(job)[1]
    assert (lost.outcome, lost.value, lost.passed) == (outcome, None, None)


def test_a_score_keeps_what_the_judge_said_of_it(lab: Lab) -> None:
    lab.model.script = lambda _: text('<think>hm</think>{"score": 2.5, "feedback": "so so"}')
    job = lab.add(spec(recorded("x"), PAIRS[:1], judge(lab.model.url)))
    lab.carry_out(job)
    (score,) = lab.scores(job)
    assert (score.value, score.passed, score.feedback) == (2.5, False, "so so")
    assert (score.task, score.sample, score.target, score.metric, score.name) == ("qa", 0, "x", "graded", "score")


# A model that answers nothing at all fails the job, with its results kept.


def test_a_target_that_refuses_everything_is_the_user_s_to_mend(lab: Lab) -> None:
    lab.model.script = lambda _: failure(401, "no such key")
    job = lab.add(spec(model(lab.model.url), rows(9), CORRECT))
    with pytest.raises(EndpointRefused, match=r"task 'qa': the target 'target' answered no request: HTTP 401"):
        lab.carry_out(job)
    (summary,) = lab.workspace.folder(job.id).read_summaries() or []
    assert summary.outcomes == {"target_error": IDENTICAL_ERRORS, "not_attempted": 4}
    failed = lab.progress(job).failure
    assert failed is not None
    assert (failed.blame, failed.code) == ("user", "endpoint_refused")


def test_a_judge_that_is_down_is_upstream_s_to_mend(lab: Lab) -> None:
    lab.model.script = lambda _: failure(503, "down")
    job = lab.add(spec(recorded("x"), PAIRS, judge(lab.model.url)))
    with pytest.raises(EndpointFailed, match=r"task 'qa': the judge 'graded' answered no request: HTTP 503: down"):
        lab.carry_out(job)
    failed = lab.progress(job).failure
    assert failed is not None
    assert (failed.blame, failed.code, lab.progress(job).results_ready_at) == ("upstream", "endpoint_failed", None)


# The law: each sample ends, per metric, in exactly one outcome.

ENDS = {
    "good": text("good"),
    "wrong": text("wrong"),
    "empty": text(""),
    "filtered": text("", finish_reason="content_filter"),
    "odd": Answer(orjson.dumps({"choices": [{"message": {"content": [{"text": 1}]}}]})),
    "hollow": Answer(b'{"choices": []}'),
    "html": Answer(b"<html>", 502),
    "refused": failure(400, "no"),
    "down": failure(503, "down"),
}
JUDGEMENTS = ENDS | {"best": verdict(score=4), "worst": verdict(score=0), "above": verdict(score=9)}
LOST: dict[str, Outcome] = {
    "filtered": "refused",
    "hollow": "target_error",
    "html": "target_error",
    "refused": "target_error",
    "down": "target_error",
}


def scripted_by_row(call: Received) -> Answer:
    target, judgement = last_content(call["body"]).split()
    return JUDGEMENTS[judgement] if call["body"]["model"] == "j" else ENDS[target]


def check_counts(lab: Lab, job: Job, size: int) -> None:
    scores = lab.scores(job)
    assert Counter((score.metric, score.sample) for score in scores) == {
        (metric, sample): 1 for metric in ("correct", "graded") for sample in range(size)
    }
    assert all((score.outcome == "scored") == (score.value is not None) for score in scores)
    assert {score.outcome for score in scores} <= set(get_args(Outcome))
    for summary in lab.workspace.folder(job.id).read_summaries() or []:
        assert summary.count + summary.nan_count == sum(summary.outcomes.values()) == size
        values = [s.value for s in scores if s.metric == summary.metric and s.value is not None]
        assert summary.count == len(values)
        assert summary.mean == (None if not values else pytest.approx(sum(values) / len(values)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(ENDS)), st.sampled_from(sorted(JUDGEMENTS))), min_size=1, max_size=12))
def test_every_sample_ends_in_one_outcome_for_each_metric(lab: Lab, script: list[tuple[str, str]]) -> None:
    lab.model.script = scripted_by_row
    given_rows = [{"target": target, "judge": judgement, "answer": "good"} for target, judgement in script]
    asks = judge(lab.model.url, "{{ item.target }} {{ item.judge }}")
    prompt = "{{ item.target }} {{ item.judge }}"
    job = lab.add(spec(model(lab.model.url), given_rows, CORRECT, asks, prompt=prompt, parallelism=4))
    try:
        lab.carry_out(job)
    except (EndpointRefused, EndpointFailed):
        assert lab.workspace.folder(job.id).read_summaries()
    check_counts(lab, job, len(script))
    by_sample = {score.sample: score for score in lab.scores(job) if score.metric == "correct"}
    for sample, (target, _) in enumerate(script):
        assert by_sample[sample].outcome in (LOST.get(target, "scored"), "not_attempted")


def test_a_metric_over_rows_alone_needs_no_target(lab: Lab) -> None:
    lab.model.script = lambda _: verdict(score=3)
    job = lab.add(spec(RecordedTarget(), PAIRS, judge(lab.model.url, "grade {{ item.x }}")))
    (summary,) = lab.carry_out(job)
    assert (summary.mean, summary.count) == (3.0, 4)
    assert lab.asked == [f"grade x{i}" for i in range(4)]
