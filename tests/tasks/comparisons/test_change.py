"""Why two results differ: what was made otherwise, what is chance, and what was only scored otherwise."""

import re
from typing import Any

import orjson
import pytest

from core.errors import Conflict, InvalidInput
from core.metric import StringCheck
from core.spec import EvaluationSpec, RecordedTarget
from tasks.comparisons import rescoring
from tasks.comparisons.compare import Asked, compare
from tasks.comparisons.sides import open_side
from tests.scripted import Answer, Received, last_content, text
from tests.tasks.comparisons.test_compare import compared, done, given, of_rows
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, chat, judge, model, preferring, recorded, spec
from tests.tasks.test_takeover import retried

QUESTIONS = [{"question": f"q{i} ANSWER: {'yes' if i % 3 else 'no'}", "answer": "yes"} for i in range(30)]
CONTAINS = StringCheck(name="correct", left="{{ sample.output_text }}", operator="contains", right="e")


def asked(lab: Lab, *metrics: Any, prompt: str = "{{ item.question }}", **fields: Any) -> EvaluationSpec:
    target = model(lab.model.url).model_copy(update=fields)
    return spec(target, QUESTIONS, *(metrics or (CORRECT,)), prompt=prompt)


def changes(lab: Lab, *sides: str) -> dict[str, tuple[str | None, str | None]]:
    return {each.part: (each.baseline, each.candidate) for each in compared(lab, *sides).changed}


def test_a_metric_that_was_changed_scores_the_baseline_s_outputs_once_more(lab: Lab) -> None:
    """Those twenty of the thirty that say yes are right, and have an e in them."""
    first, second = done(lab, asked(lab, CORRECT)), done(lab, asked(lab, CONTAINS))
    calls = len(lab.model.calls)
    found = compared(lab, first, second)
    [score] = found.scores
    assert (found.attribution, score.about.remarks, score.about.doubts) == ("metric", ("rescored",), ())
    assert score.difference is not None
    assert (score.difference.value, score.difference.same, len(lab.model.calls)) == (0.0, 30, calls)
    change = score.about.change
    assert change is not None
    assert (change.total, change.rescored, change.paired, change.composition) == (0.0, 0.0, 0.0, 0.0)
    stricter = StringCheck(name="correct", left="{{ sample.output_text }}", operator="equals", right="no")
    third = done(lab, asked(lab, stricter))
    change = compared(lab, first, third).scores[0].about.change
    assert change is not None
    assert change.total == change.rescored == pytest.approx(-1 / 3)
    assert (change.paired, change.composition) == (0.0, 0.0)


def test_another_judge_is_no_comparison(lab: Lab) -> None:
    lab.model.script = lambda _: text('{"score": 3, "feedback": ""}')
    answers = [{"said": "yes"}] * 12
    sides = [
        done(lab, spec(RecordedTarget(column="said"), answers, judge(lab.model.url, f"{how} {{{{ item.said }}}}")))
        for how in ("grade", "grade well")
    ]
    found = compared(lab, *sides)
    assert found.attribution == "judge.prompt"
    assert found.scores[0].verdict is not None
    assert found.scores[0].verdict.reasons == ("judge_changed",)
    first, other = (lab.workspace.jobs.get(side) for side in sides)
    again = retried(lab, first, other.spec, targets=False, judges=("graded",))
    lab.carry_out(again)
    settled = compared(lab, again.id, sides[1])
    assert (settled.attribution, settled.changed) == ("noise", [])
    assert settled.scores[0].verdict is not None
    assert settled.scores[0].verdict.reasons == ("not_enough_evidence",)


def test_too_many_samples_are_not_scored_again_while_one_waits(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescoring, "MOST_RESCORED", 29)
    [score] = compared(lab, done(lab, asked(lab, CORRECT)), done(lab, asked(lab, CONTAINS))).scores
    assert score.verdict is not None
    assert score.verdict.reasons == ("metric_changed",)


def test_one_part_that_differs_is_what_it_comes_from_and_several_are_told_apart_by_a_run(lab: Lab) -> None:
    plain = done(lab, asked(lab))
    prompted = done(lab, asked(lab, prompt="Please: {{ item.question }}"))
    warmer = done(lab, asked(lab, prompt="Please: {{ item.question }}", generation={"temperature": 1.0}))
    assert (compared(lab, plain, plain).attribution, compared(lab, plain, plain).separating) == ("noise", None)
    assert compared(lab, plain, prompted).attribution == "prompt"
    found = compared(lab, plain, warmer)
    assert (found.attribution, found.parts) == ("joint", ["generation", "prompt"])
    assert found.separating is not None
    assert "run the baseline once more with the candidate's generation alone" in found.separating


def test_what_the_answers_are_held_against_is_a_part_of_its_own(lab: Lab) -> None:
    targets = (model(lab.model.url), model(lab.model.url, "gold"))

    def held(prompt: str, generation: dict[str, Any]) -> str:
        gold = targets[1].model_copy(update={"generation": generation})
        made = spec((targets[0], gold), QUESTIONS, CORRECT).model_copy(update={"reference": "gold"})
        [task] = made.tasks
        task = task.model_copy(update={"prompts": {**task.prompts, "gold": chat(prompt)}})
        return done(lab, made.model_copy(update={"tasks": (task,)}))

    plain = "{{ item.question }}"
    sides = [held(plain, {}), held(f"Well: {plain}", {}), held(plain, {"n": 1})]
    assert list(changes(lab, *sides[:2])) == ["reference"]
    assert "Well" in (changes(lab, *sides[:2])["reference"][1] or "")
    assert list(changes(lab, sides[0], sides[2])) == ["reference"]


def test_a_model_that_answers_as_another_than_before_has_changed(lab: Lab) -> None:
    """What is asked for is the same; the answers name another fingerprint."""

    def served(model: str | None, fingerprint: str | None) -> str:
        named = {"model": model, "system_fingerprint": fingerprint}
        choices = [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}]
        lab.model.script = lambda _: Answer(orjson.dumps({"choices": choices, **named}))
        return done(lab, asked(lab))

    before, same, after, silent = served("m-1", "fp1"), served("m-1", "fp1"), served("m-1", "fp2"), served(None, None)
    assert changes(lab, before, same) == {}
    assert list(changes(lab, before, after)) == ["model"]
    assert orjson.loads(changes(lab, before, after)["model"][1] or "")["served_as"] == ["m-1 (fp2)"]
    assert changes(lab, before, silent) == {}  # nobody can tell


def test_a_dataset_is_told_by_its_digest_and_rows(lab: Lab) -> None:
    first, second = of_rows(lab, given("yes", "no")), of_rows(lab, given("yes", "no", "no"))
    baseline, candidate = changes(lab, first, second)["dataset"]
    assert (orjson.loads(baseline or "")["rows"], orjson.loads(candidate or "")["rows"]) == (2, 3)


def test_answers_of_all_recorded_targets_are_no_part_of_the_question(lab: Lab) -> None:
    """Both jobs have two columns of answers, of which none is as on the other side."""
    sides = [
        done(
            lab,
            spec(
                recorded("a", "b"), [{"id": i, "a": f"{n}a", "b": f"{n}b", "answer": "0a"} for i in range(12)], CORRECT
            ),
        )
        for n in range(2)
    ]
    [(_, matching)] = compared(lab, *sides, "a", "a").tasks
    assert (matching.by, len(matching.pairs)) == ("item", 12)


def test_jobs_without_a_common_sample_are_refused_and_so_is_one_that_has_finished_none(lab: Lab) -> None:
    first, second = of_rows(lab, given("yes", "no")), of_rows(lab, given("yes", "no", start=7))
    with pytest.raises(InvalidInput, match=f"jobs {first} and {second} have no sample in common.*match=item.id"):
        compared(lab, first, second)
    with pytest.raises(InvalidInput, match="no sample in common: no value of that column is on both sides"):
        compared(lab, first, second, match="id")
    begun = lab.add(spec(RecordedTarget(column="said"), given("yes"), CORRECT))
    with lab.engaged(begun):
        pass
    with pytest.raises(Conflict, match=f"job {begun.id} has finished none of its samples yet"):
        compared(lab, first, begun.id)


def test_a_preference_is_itself_the_comparison_of_the_two_targets(lab: Lab) -> None:
    """Of 24 the judge likes y in 16, x in 4, and neither in 4: as 16 up and 4 down of 24."""

    def script(call: Received) -> Any:
        first, second = re.findall(r"[AB]=([a-z]+)", last_content(call["body"]))
        choice = "A" if first == "good" else "B" if second == "good" else "Tie"
        return text(orjson.dumps({"choice": choice}).decode())

    lab.model.script = script
    kinds = [("bad", "good")] * 16 + [("good", "bad")] * 4 + [("same", "same")] * 4
    job = done(lab, spec(recorded("x", "y"), [{"x": x, "y": y} for x, y in kinds], preferring(lab.model.url)))
    [there], [back] = (compared(lab, job, job, *names).scores for names in (("x", "y"), ("y", "x")))
    assert there.difference is not None
    assert back.difference is not None
    assert (there.difference.up, there.difference.down, there.difference.interval.method) == (16, 4, "tango")
    assert there.difference.value == -back.difference.value == 12 / 24
    assert there.means == (0.25, 0.75)  # win rates: ties count half
    [alone] = compared(lab, job, job, "x", "x").scores  # no rival: what it won against the other, once and again
    assert alone.difference is not None
    assert (alone.means, alone.difference.same) == ((0.25, 0.25), 24)
    assert there.verdict is not None
    assert back.verdict is not None
    assert (there.verdict.word, back.verdict.word) == ("better", "worse")


def test_an_earlier_run_of_the_same_tells_what_is_chance(lab: Lab) -> None:
    """Of 30 samples the rerun answers 3 otherwise: two for the worse, one for the better."""
    flipped = {"q1 ", "q2 ", "q3 "}

    def answering(flips: set[str]) -> str:
        def script(call: Received) -> Any:
            asked = last_content(call["body"])
            said = asked.rpartition("ANSWER: ")[2]
            if any(asked.startswith(each) for each in flips):
                said = "no" if said == "yes" else "yes"
            return text(said)

        lab.model.script = script
        return done(lab, asked(lab))

    baseline, rerun = answering(set()), answering(flipped)
    better = done(lab, asked(lab, prompt="{{ item.question }} "))
    other = done(lab, asked(lab, prompt="{{ item.question }}  "))
    folders = [lab.workspace.folder(job) for job in (baseline, other, rerun)]
    sides = [open_side(lab.workspace.folder(job)) for job in (baseline, better)]
    for first, second in (sides, sides[::-1]):
        [score] = compare(first, second, Asked(), {baseline: folders}).scores
        assert score.noise is not None
        assert (score.noise.job, score.noise.flip_rate) == (rerun, 0.1)
        assert score.noise.difference == pytest.approx(1 / 30)
        assert score.noise.expected(30) == pytest.approx(1.5)
    assert compare(sides[0], sides[1], Asked(), {baseline: folders[:2]}).scores[0].noise is None


def test_an_earlier_run_whose_results_are_damaged_tells_nothing_and_the_next_one_does(lab: Lab) -> None:
    baseline, rerun, damaged = (done(lab, asked(lab)) for _ in range(3))
    better = done(lab, asked(lab, prompt="{{ item.question }} "))
    for file in (lab.workspace.folder(damaged).path / "scores").glob("*.parquet"):
        file.write_bytes(b"PAR1")
    folders = [lab.workspace.folder(job) for job in (damaged, rerun)]
    sides = [open_side(lab.workspace.folder(job)) for job in (baseline, better)]
    [score] = compare(sides[0], sides[1], Asked(), {baseline: folders}).scores
    assert score.noise is not None
    assert score.noise.job == rerun
    assert compare(sides[0], sides[1], Asked(), {baseline: folders[:1]}).scores[0].noise is None
