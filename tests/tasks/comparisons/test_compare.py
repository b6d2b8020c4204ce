"""Real results held against each other: which samples are the same, and what changed."""

import random
from dataclasses import replace
from typing import Any

import orjson
import pytest

from core.errors import Conflict, InvalidInput, NotFound
from core.metric import Code, StringCheck
from core.spec import EvaluationSpec, RecordedTarget
from tasks.comparisons.compare import Asked, Comparison, compare
from tasks.comparisons.pairing import pair_results
from tasks.comparisons.samples import changed_samples, chosen_score
from tasks.comparisons.sides import open_side
from tests.scripted import Answer, Received, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, model, recorded, spec

SAME = StringCheck(name="same", left="{{ item.id }}", operator="equals", right="{{ item.id }}")


def given(*said: str, start: int = 0) -> list[dict[str, Any]]:
    return [{"id": start + i, "said": each, "answer": "yes"} for i, each in enumerate(said)]


def done(lab: Lab, asked: EvaluationSpec) -> str:
    job = lab.add(asked)
    lab.carry_out(job)
    return job.id


def of_rows(lab: Lab, rows: list[dict[str, Any]]) -> str:
    return done(lab, spec(RecordedTarget(column="said"), rows, CORRECT))


def compared(lab: Lab, baseline: str, candidate: str, *targets: str, **asked: Any) -> Comparison:
    named = targets or (None, None)
    first, second = (
        open_side(lab.workspace.folder(job), name) for job, name in zip((baseline, candidate), named, strict=True)
    )
    return compare(first, second, Asked(**asked))


def test_recorded_answers_to_the_same_questions_are_pairs(lab: Lab) -> None:
    """Their rows differ in the answers, which are what is compared."""
    worse, better = of_rows(lab, given(*["no"] * 12, *["yes"] * 8)), of_rows(lab, given(*["yes"] * 20))
    found = compared(lab, worse, better)
    [(_, matching)], [score] = found.tasks, found.scores
    assert (matching.by, len(matching.pairs), matching.only_baseline) == ("item", 20, 0)
    assert score.difference is not None
    assert score.verdict is not None
    assert (score.difference.value, score.difference.up, score.verdict.word) == (0.6, 12, "better")
    assert found.attribution == "noise"


def test_rows_are_the_same_whatever_the_order_of_their_columns_and_the_first_of_equals_goes_with_the_first(
    lab: Lab,
) -> None:
    def job(*rows: str) -> str:
        metric = StringCheck(name="same", left="{{ item.n }}", operator="equals", right="1")
        return done(lab, spec(RecordedTarget(), [orjson.loads(row) for row in rows], metric))

    one, turned, other = '{"n": 1, "output": "a"}', '{"output": "a", "n": 1}', '{"n": 2, "output": "a"}'
    first, second = job(one, turned, one, other), job(turned, '{"n": 3, "output": "a"}', one, other)
    [(_, matching)] = compared(lab, first, second).tasks
    assert matching.pairs == [(0, 2), (1, 0), (3, 3)]
    assert (matching.by, matching.only_baseline, matching.only_candidate) == ("item", 1, 1)
    [(_, matching)] = compared(lab, job(one, one), job(turned, turned, one)).tasks
    assert matching.pairs == [(0, 2), (1, 0)]


def test_two_targets_of_one_job_are_compared_by_the_numbers_of_their_samples(lab: Lab) -> None:
    rows = [{"a": "no", "b": "yes", "answer": "yes"}] * 15
    job = done(lab, spec(recorded("a", "b"), rows, CORRECT))
    found = compared(lab, job, job, "b", "a")
    assert [matching.by for _, matching in found.tasks] == ["sample"]
    assert found.scores[0].verdict is not None
    assert (found.scores[0].verdict.word, found.attribution) == ("worse", "model")
    with pytest.raises(InvalidInput, match=f"several targets; name one: {job}/a"):
        open_side(lab.workspace.folder(job))
    with pytest.raises(NotFound, match="evaluates no target 'c'; targets: a, b"):
        open_side(lab.workspace.folder(job), "c")


def test_other_samples_are_counted_and_matched_by_a_column(lab: Lab) -> None:
    first, second = of_rows(lab, given(*["yes"] * 12)), of_rows(lab, given(*["no"] * 12, start=4))
    [(_, matching)] = compared(lab, first, second).tasks
    assert (len(matching.pairs), matching.only_baseline, matching.only_candidate) == (8, 4, 4)
    assert matching.pairs[0] == (4, 0)
    change = compared(lab, first, second).scores[0].about.change
    assert change is not None
    assert (change.total, change.paired, change.composition) == (-1.0, -1.0, 0.0)
    reworded = [{**row, "answer": "yes " if row["id"] < 6 else "yes"} for row in given(*["no"] * 12, start=4)]
    third = of_rows(lab, reworded)
    by_column = compared(lab, first, third, match="id")
    [(_, matching)] = by_column.tasks
    assert (matching.by, len(matching.pairs), matching.items_changed) == ("column", 8, 2)
    assert set(by_column.scores[0].remarks) == {"unmatched_samples", "items_changed"}


def test_a_column_that_tells_no_samples_apart_is_refused(lab: Lab) -> None:
    first, second = of_rows(lab, given("yes", "no")), of_rows(lab, given("yes", "yes", start=1))
    with pytest.raises(InvalidInput, match=r"column 'answer' has \"yes\" twice, in rows 1 and 2"):
        compared(lab, first, second, match="answer")
    with pytest.raises(InvalidInput, match="row 1: no value in column 'nope'"):
        compared(lab, first, second, match="nope")


def test_neither_the_order_of_rows_nor_the_shards_change_a_bit(lab: Lab) -> None:
    """The last job has seventy other rows before its sixty, so that its shards are cut elsewhere."""
    chance = random.Random(1)
    said = [chance.choice(["yes", "no", "yes "]) for _ in range(60)]
    rows, turned = given(*said), given(*(chance.choice(["yes", "no"]) for _ in said))
    order = chance.sample(range(60), 60)
    plain = compared(lab, of_rows(lab, rows), of_rows(lab, turned))
    shuffled = [of_rows(lab, [each[at] for at in order]) for each in (rows, turned)]
    more = of_rows(
        lab, [*given(*["yes"] * 140, start=100)[:70], *(turned[at] for at in order), *given(*["no"] * 70, start=400)]
    )
    for other in (compared(lab, *shuffled), compared(lab, shuffled[0], more)):
        [first], [second] = plain.scores, other.scores
        assert first.difference == second.difference
        assert (first.means, first.bounds, first.verdict) == (second.means, second.bounds, second.verdict)


def test_without_anything_in_common_there_is_nothing_to_compare(lab: Lab) -> None:
    first = of_rows(lab, given("yes"))
    other = done(lab, spec(RecordedTarget(column="said"), given("yes"), SAME))
    with pytest.raises(InvalidInput, match="no score in common"):
        compared(lab, first, other)
    with pytest.raises(InvalidInput, match="primary: no metric 'nope' on both sides; metrics: correct"):
        compared(lab, first, first, primary=("nope",))
    with pytest.raises(Conflict, match="has no samples: it has not begun"):
        open_side(lab.workspace.folder(lab.add(spec(RecordedTarget(column="said"), given("yes"), CORRECT)).id))


def test_slices_are_by_the_baseline_s_rows_and_few_pairs_have_no_verdict(lab: Lab) -> None:
    rows = [{**row, "topic": {0: "law", 1: None}.get(row["id"] % 3, 3)} for row in given(*["yes"] * 31)]
    job = of_rows(lab, rows)
    found = compared(lab, job, job, slice="topic")
    shown = [(each.value, each.score.difference and each.score.difference.n) for each in found.slices]
    assert shown == [("law", 11), (3, 10), (None, 10)]
    assert all(each.score.verdict for each in found.slices)
    few = compared(lab, job, of_rows(lab, rows[:27]), slice="topic").slices
    assert [each.score.verdict for each in few] == [None] * 3
    wide = of_rows(lab, given(*["yes"] * 51))
    with pytest.raises(InvalidInput, match="slice: column 'id' has 51 values in task 'qa'; at most 50 are compared"):
        compared(lab, wide, wide, slice="id")


def test_the_most_changed_samples_come_first_and_the_direction_is_that_of_the_score(lab: Lab) -> None:
    source = "def run_evaluation(item):\n    return float(item['n'])"
    sides = []
    for values in ([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 1.0, 9.0]):
        metric = Code(name="own", source=source, item={"n": "{{ item.n }}"}, lower_is_better=True)
        rows = [{"id": i, "said": str(n), "n": n} for i, n in enumerate(values)]
        sides.append(open_side(lab.workspace.folder(done(lab, spec(RecordedTarget(column="said"), rows, metric)))))
    both = sides[0], sides[1]
    paired = pair_results(*both, "id")
    score = chosen_score(paired, None)
    several = replace(paired, scores=[*paired.scores, replace(paired.scores[0], name="other")])
    with pytest.raises(InvalidInput, match=r"several scores; name one of: own/other, own/score"):
        chosen_score(several, None)
    worse = changed_samples(both, paired, score, "regressed", limit=9)
    assert [(each.baseline.sample, each.difference) for each in worse] == [(3, 5.0), (0, 1.0)]
    assert changed_samples(both, paired, score, "regressed", limit=9, after=worse[0].place) == worse[1:]
    [better] = changed_samples(both, paired, score, "improved", limit=9)
    assert (better.difference, better.candidate.outputs) == (-2.0, ["1.0"])


def test_what_graded_otherwise_cannot_be_told_from_what_answered_otherwise(lab: Lab) -> None:
    source = "def run_evaluation(item):\n    return {}"
    sides = []
    for value in ("1", "0"):
        metric = Code(name="own", source=source.format(value), item={}, scale=(0, 1))
        sides.append(done(lab, spec(RecordedTarget(column="said"), given(*["yes"] * 20), metric)))
    found = compared(lab, *sides)
    assert found.scores[0].verdict is not None
    assert found.scores[0].verdict.reasons == ("metric_changed",)
    assert [(each.part, each.metric) for each in found.changed] == [("metric", "own")]
    assert found.attribution == "metric"


def test_trials_are_compared_by_their_mean_or_one_with_another(lab: Lab) -> None:
    """Of ten samples nine are right at once, and all the second time."""

    def script(call: Received) -> Answer:
        asked, seed = last_content(call["body"]), call["body"]["seed"]
        return text("no" if (asked, seed) == ("q3", 1) else "yes")

    lab.model.script = script
    seeded = model(lab.model.url).model_copy(update={"generation": {"seed": 1}})
    questions = [{"question": f"q{i}", "answer": "yes"} for i in range(10)]
    twice = lab.workspace.folder(done(lab, spec(seeded, questions, CORRECT, trials=2)))
    once = lab.workspace.folder(done(lab, spec(seeded, questions, CORRECT)))
    assert compare(open_side(once), open_side(twice, trial=1), Asked()).attribution == "noise"
    first, second = (open_side(twice, trial=trial) for trial in (0, 1))
    for sides, difference, outputs in (
        ((first, second), 0.1, (["no"], ["yes"])),
        ((open_side(once), open_side(twice)), 0.05, (["no"], ["no", "yes"])),
    ):
        found = compare(*sides, Asked())
        assert found.scores[0].difference is not None
        assert found.scores[0].difference.value == pytest.approx(difference)
        assert [matching.by for _, matching in found.tasks] == ["sample" if sides[0] is first else "dataset"]
        assert found.attribution == ("noise" if sides[0] is first else "generation")
        paired = pair_results(*sides)
        (changed,) = changed_samples(sides, paired, chosen_score(paired, None), "improved", limit=9)
        assert (changed.baseline.sample, changed.baseline.outputs, changed.candidate.outputs) == (3, *outputs)
    with pytest.raises(NotFound, match=f"job {twice.job_id} has no trial 2; its trials: 0 to 1"):
        open_side(twice, trial=2)
