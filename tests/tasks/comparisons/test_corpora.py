"""Scores that samples have together, on two sides: BLEU, held against sacrebleu one left-out sentence after another."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
import sacrebleu

from core.comparison import ScoreComparison
from core.errors import InvalidInput
from core.metric import Bleu
from core.spec import EvaluationSpec
from core.stats.interval import Interval
from tasks.comparisons.compare import Asked, compare
from tasks.comparisons.pairing import pair_results
from tasks.comparisons.samples import changed_samples, chosen_score
from tasks.comparisons.sides import open_side
from tasks.metrics.bleu import sentence_bleu
from tasks.metrics.bleu_jackknife import Table, counted, paired_bleu
from tests.scripted import Answer, Received, last_content, text
from tests.tasks.comparisons.test_compare import compared, done
from tests.tasks.conftest import Lab
from tests.tasks.specs import model, recorded, spec

T_11 = 2.200985160082949
"""The 0.975 quantile of Student's distribution with 11 degrees of freedom (R: qt(.975, 11))."""

REFERENCES = [
    "the cat sat on the mat near the door",
    "a dog ran across the wide green field",
    "it rained all day and nobody went out",
    "she reads a book about the old city",
    "we will meet at noon in the station",
    "the train to the north was late again",
    "he bought bread and milk for the week",
    "children play in the garden after school",
    "the committee agreed on a new proposal",
    "nothing was found in the empty house",
    "they painted the wall white and blue",
    "the river rose quickly after the storm",
]
FIRST = [
    "a cat sat on a mat near the door",
    "the dog ran over the wide field",
    "it was raining all day and nobody went out",
    "she reads books about the old city",
    "we meet at noon in the station",
    "the train north was late",
    "he bought bread and milk",
    "children are playing in the garden after school",
    "the committee agreed on the proposal",
    "nothing was in the empty house",
    "they painted a wall white and blue",
    "the river quickly rose after a storm",
]
SECOND = [
    "the cat sat on the mat near a door",
    "a dog ran across the wide green field",
    "it rained all day and nobody went outside",
    "she reads a book about the old city",
    "we will meet at noon at the station",
    "the train to the north was late",
    "he bought bread and milk for a week",
    "children play in the garden after school",
    "the committee agreed on a proposal",
    "nothing was found in the empty house",
    "they painted the wall white and red",
    "the river rose quickly after the rain",
]
ROWS: list[dict[str, Any]] = [
    {"id": i, "first": a, "second": b, "reference": r, "text": i // 2, "share": i + 1}
    for i, (a, b, r) in enumerate(zip(FIRST, SECOND, REFERENCES, strict=True))
]
BLEU = Bleu(name="bleu", references=("{{ item.reference }}",))


def near(value: Any, within: float | None = None) -> Any:
    return pytest.approx(value, abs=within)


def asked(rows: list[dict[str, Any]], metric: Bleu = BLEU, **fields: Any) -> EvaluationSpec:
    made = spec(recorded("first", "second"), rows, metric)
    return made.model_copy(update={"tasks": (made.tasks[0].model_copy(update=fields),)})


def held(lab: Lab, made: EvaluationSpec, *targets: str) -> list[ScoreComparison]:
    job = done(lab, made)
    return compared(lab, job, job, *(targets or ("first", "second"))).scores


def corpus(side: str, rows: list[dict[str, Any]]) -> float:
    return sacrebleu.corpus_bleu([row[side] for row in rows], [[row["reference"] for row in rows]]).score


def difference(rows: list[dict[str, Any]]) -> float:
    return corpus("second", rows) - corpus("first", rows)


def jackknifed(rows: list[dict[str, Any]], unit: str) -> float:
    """The standard error of the difference, by the formula of the jackknife."""
    units = sorted({row[unit] for row in rows})
    without = [difference([row for row in rows if row[unit] != each]) for each in units]
    middle = sum(without) / len(units)
    return float(((len(units) - 1) / len(units) * sum((each - middle) ** 2 for each in without)) ** 0.5)


def test_the_bleu_of_all_samples_is_compared_as_sacrebleu_has_it(lab: Lab) -> None:
    sentence, whole = held(lab, asked(ROWS))
    assert [each.about.name for each in (sentence, whole)] == ["sentence", "corpus"]
    found, value, error = whole.difference, difference(ROWS), jackknifed(ROWS, "id")
    assert found is not None
    assert whole.means == (near(corpus("first", ROWS)), near(corpus("second", ROWS)))
    assert (found.value, found.standard_error) == (near(value), near(error))
    assert found.interval == Interval("t", near(value - T_11 * error), near(value + T_11 * error))
    assert (found.n, found.groups, whole.bounds, whole.margin) == (12, 12, None, 2.0)
    assert whole.verdict is not None
    assert whole.verdict.word == "better"
    # One family of two: the smaller of their p-values is doubled.
    p_values = [each.difference.p_value if each.difference else None for each in (sentence, whole)]
    known = [(p, each.p_adjusted) for p, each in zip(p_values, (sentence, whole), strict=True) if p is not None]
    assert min(known)[1] == near(2 * min(known)[0])


def test_clusters_are_left_out_whole_and_weights_do_not_count_as_in_the_summary(lab: Lab) -> None:
    for weight in (None, "share"):
        _, whole = held(lab, asked(ROWS, cluster="text", weight=weight))
        assert whole.difference is not None
        assert whole.difference.value == near(difference(ROWS))
        assert whole.difference.standard_error == near(jackknifed(ROWS, "text"))
        assert whole.difference.groups == 6


def test_neither_the_order_of_rows_nor_of_the_sides_changes_a_bit(lab: Lab) -> None:
    shuffled = random.Random(3).sample(ROWS, len(ROWS))
    _, there = held(lab, asked(ROWS, cluster="text"))
    _, again = held(lab, asked(shuffled, cluster="text"))
    assert (there.difference, there.means, there.verdict) == (again.difference, again.means, again.verdict)
    _, back = held(lab, asked(ROWS, cluster="text"), "second", "first")
    assert there.difference is not None
    assert back.difference is not None
    assert there.difference.interval.low is not None
    assert there.difference.interval.high is not None
    assert back.difference == replace(
        there.difference,
        value=-there.difference.value,
        interval=Interval("t", -there.difference.interval.high, -there.difference.interval.low),
        inner=back.difference.inner,
        up=there.difference.down,
        down=there.difference.up,
    )
    assert there.means is not None
    assert back.means == there.means[::-1]


def test_fewer_than_six_changed_samples_have_exact_limits_and_none_is_no_certainty(lab: Lab) -> None:
    """Of 12 samples two went up: the upper limit of Clopper and Pearson is 0.48414, and McNemar's mid-p 1/4."""
    few = [{**row, "second": row["second"] if row["id"] in (1, 3) else row["first"]} for row in ROWS]
    for rows, high, p in ((few, 48.414, 0.25), ([{**row, "second": row["first"]} for row in ROWS], 26.465, 1.0)):
        _, whole = held(lab, asked(rows))
        assert whole.difference is not None
        low_of_none = -26.465  # 100 * (1 - 0.025 ** (1 / 12))
        limits = whole.difference.interval
        assert (limits.method, limits.low, limits.high) == (
            *("exact", near(low_of_none, within=1e-3)),
            near(high, within=1e-3),
        )
        assert whole.difference.p_value == p
        assert whole.verdict is not None
        assert whole.verdict.reasons == ("not_enough_evidence",)


def test_a_bleu_of_one_name_is_compared_by_that_of_all_samples_and_lists_single_ones(lab: Lab) -> None:
    job = done(lab, asked(ROWS, Bleu(name="bleu", references=("{{ item.reference }}",), score="score")))
    [score] = compared(lab, job, job, "first", "second").scores
    assert (score.about.name, score.about.is_of_each, score.remarks) == ("score", True, ())
    assert score.difference is not None
    assert score.difference.value == near(difference(ROWS) / 100)
    assert score.difference.standard_error == near(jackknifed(ROWS, "id") / 100)
    sides = open_side(lab.workspace.folder(job), "first"), open_side(lab.workspace.folder(job), "second")
    paired = pair_results(*sides)
    listed = changed_samples(sides, paired, chosen_score(paired, None), "improved", limit=20)
    assert len(listed) == score.difference.up > 0


def test_a_corpus_has_no_single_samples_to_list(lab: Lab) -> None:
    job = done(lab, asked(ROWS))
    folder = lab.workspace.folder(job)
    paired = pair_results(open_side(folder, "first"), open_side(folder, "second"))
    assert chosen_score(paired, None) == ("bleu", "sentence")
    for named in ("corpus", "bleu/corpus"):
        with pytest.raises(
            InvalidInput, match="of all samples together, and no single one has it; name one of: bleu/s"
        ):
            chosen_score(paired, named)


def test_a_slice_is_a_corpus_of_its_own(lab: Lab) -> None:
    rows = [{**row, "half": row["id"] % 2} for row in ROWS]
    job = done(lab, asked(rows))
    slices = compared(lab, job, job, "first", "second", slice="half").slices
    found = {(each.score.about.name, each.value): each.score.difference for each in slices}
    for half in (0, 1):
        own, value = [row for row in rows if row["half"] == half], found["corpus", half]
        assert value is not None
        assert value.value == near(difference(own))
        assert value.standard_error == near(jackknifed(own, "id"))


def test_other_samples_and_another_definition_have_their_part_in_how_a_corpus_changed(lab: Lab) -> None:
    """The candidate has two samples more, and for its references its own texts."""
    other = Bleu(name="bleu", references=("{{ item.second }}",))
    rows = [{**row, "first": row["second"]} for row in ROWS]
    jobs = [done(lab, spec(recorded("first"), *each)) for each in ((ROWS[:10], BLEU), (rows, other))]
    scores = compared(lab, *jobs, match="id").scores
    whole = scores[-1]
    change = whole.about.change
    again = sacrebleu.corpus_bleu(FIRST[:10], [SECOND[:10]]).score
    assert change is not None
    assert {"rescored", "together"} < {*whole.remarks}
    assert (change.pairs, change.only_baseline, change.only_candidate) == (10, 0, 2)
    assert change.rescored == near(again - corpus("first", ROWS[:10]))
    assert change.total == near(100 - corpus("first", ROWS[:10]))
    assert change.paired == near(100 - again)
    assert whole.means == (near(again), near(100))


def answering(said: list[str]) -> Callable[[Received], Answer]:
    return lambda call: text(said[int(last_content(call["body"]))])


def test_a_side_of_which_nothing_is_scored_has_no_corpus_but_a_reason(lab: Lab) -> None:
    _, whole = held(lab, asked(ROWS, Bleu(name="bleu", references=("{{ item[sample.output_text] }}",))))
    assert (whole.means, whole.difference, whole.excluded.neither) == (None, None, 12)
    assert whole.verdict is not None
    assert whole.verdict.reasons == ("no_common_samples",)


def test_what_an_earlier_run_of_the_same_makes_of_a_corpus_is_its_noise(lab: Lab) -> None:
    folders = []
    for said in (FIRST, SECOND, REFERENCES):
        lab.model.script = answering(said)
        asked_again = spec(model(lab.model.url), ROWS, BLEU, prompt="{{ item.id }}")
        folders.append(lab.workspace.folder(done(lab, asked_again)))
    baseline, rerun, candidate = folders
    whole = compare(open_side(baseline), open_side(candidate), Asked(), {baseline.job_id: [rerun]}).scores[-1]
    assert whole.noise is not None
    assert (whole.noise.difference, whole.noise.flip_rate, whole.noise.job) == (
        *(near(difference(ROWS)), None),
        rerun.job_id,
    )


def test_all_trials_of_a_sample_are_left_out_with_it() -> None:
    def stored(*texts: str, times: int = 1) -> Table:
        details = [orjson.dumps(sentence_bleu(text, ["a b c d e f"])[1]).decode() for text in texts]
        return counted({sample: [each] * times for sample, each in enumerate(details)}).of(range(len(texts)))

    def alone(said: str) -> float:
        return sacrebleu.corpus_bleu([said], [["a b c d e f"]]).score

    first, second = ("a b c d e x", "a b c d x"), ("a b c d e f", "a b c d e")
    once = paired_bleu("xy", stored(*first), stored(*second))
    assert [*once.without] == near([alone(second[1]) - alone(first[1]), alone(second[0]) - alone(first[0])])
    twice = paired_bleu("xy", stored(*first, times=2), stored(*second))
    assert (twice.baseline, twice.candidate) == (near(once.baseline), near(once.candidate))
    assert [*twice.without] == near([*once.without])
    assert (once.changed, paired_bleu("xy", stored(*first), stored(*first)).changed) == ([True] * 2, [False] * 2)
