import random
import statistics
from collections import Counter
from math import sqrt
from typing import Any, get_args

import orjson
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from core.errors import AssayError, EndpointFailed, EndpointRefused
from core.metric import Bleu, MetricSpec
from core.plan import Shard
from core.result import CallOutcome, Outcome, Output, Score, Summary
from core.spec import RecordedTarget, RowsDataset, TaskSpec
from store.results.counts import CallEnd
from tasks.aggregate import NOT_HAD, Failures, silent_models
from tasks.endpoint.breaker import Unwatched
from tasks.generate import recorded_outputs
from tasks.metrics.bleu import sentence_bleu
from tasks.metrics.computed import computed_scores, measure
from tasks.metrics.measure import Measure
from tasks.metrics.subject import subjects
from tasks.summaries.aggregator import Aggregator
from tasks.summaries.figures import summarise
from tests.tasks.specs import ITS_OWN

KEY = ("qa", "target", "graded", "score")
VALUES = st.floats(-1e6, 1e6)
OTHERS: list[Outcome] = [outcome for outcome in get_args(Outcome) if outcome != "scored"]
ENDS = st.lists(st.tuples(st.just("scored"), VALUES) | st.tuples(st.sampled_from(OTHERS), st.none()), max_size=30)
SCORES = ENDS.map(lambda ends: [score(i, outcome, value) for i, (outcome, value) in enumerate(ends)])  # type: ignore[arg-type]  # hypothesis widens the literals


def score(sample: int, outcome: Outcome, value: float | None = None, error: str | None = None) -> Score:
    task, target, metric, name = KEY
    return Score(task, sample, target, 0, metric, name, outcome, value, error=error)


def task(*metrics: MetricSpec, **fields: Any) -> TaskSpec:
    return TaskSpec(name="qa", dataset=RowsDataset(rows=[]), metrics=metrics, **fields)


def summaries(*shards: list[Score]) -> list[Summary]:
    aggregator = Aggregator()
    for shard in shards:
        aggregator.add(shard)
    return aggregator.summaries()


def test_a_summary_has_the_sums_of_what_was_scored_and_counts_the_rest() -> None:
    # 2, 4, 4, 4, 5, 5, 7, 9: sum 40, squares 232, population variance 32 / 8.
    values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
    summary = summarise(KEY, values, Counter({"scored": 8, "judge_error": 2}))
    assert (summary.count, summary.nan_count, summary.sum, summary.mean) == (8, 2, 40.0, 5.0)
    assert (summary.min, summary.max, summary.sum_squared) == (2.0, 9.0, 232.0)
    assert (summary.variance, summary.stddev, summary.stderr) == (4.0, 2.0, 2 / sqrt(8))
    assert summary.outcomes == {"scored": 8, "judge_error": 2}


def test_nothing_scored_has_no_statistics_rather_than_zero() -> None:
    summary = summarise(KEY, [], Counter({"target_error": 3}))
    assert (summary.count, summary.nan_count) == (0, 3)
    assert {summary.sum, summary.mean, summary.min, summary.max, summary.variance, summary.stderr} == {None}


@given(st.lists(VALUES, min_size=1, max_size=30))
def test_the_figures_are_those_of_the_standard_library(values: list[float]) -> None:
    summary = summarise(KEY, values, Counter({"scored": len(values)}))
    assert summary.mean == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-9)
    assert summary.variance == pytest.approx(statistics.pvariance(values), rel=1e-9, abs=1e-6)
    assert summary.stddev == pytest.approx(statistics.pstdev(values), rel=1e-9, abs=1e-3)
    assert (summary.min, summary.max) == (min(values), max(values))


@given(SCORES, st.randoms(use_true_random=False), st.integers(0, 30))
def test_neither_the_order_of_rows_nor_the_shards_change_a_figure(
    scores: list[Score], chance: random.Random, cut: int
) -> None:
    shuffled = chance.sample(scores, len(scores))
    assert summaries(scores) == summaries(scores[:cut], scores[cut:])
    assert summaries(scores) == summaries(shuffled[:cut], shuffled[cut:])


@given(SCORES)
def test_every_score_is_counted_once(scores: list[Score]) -> None:
    for summary in summaries(scores):
        assert summary.count + summary.nan_count == len(scores) == sum(summary.outcomes.values())
        assert summary.count == summary.outcomes.get("scored", 0)


def test_each_name_of_each_metric_has_its_own_summary_in_the_order_they_came() -> None:
    scores = [
        Score("qa", sample, target, 0, metric, "n", "scored", 1.0)
        for sample in (0, 1)
        for metric in ("second", "first")
        for target in ("b", "a")
    ]
    found = [(summary.metric, summary.target, summary.count) for summary in summaries(scores)]
    assert found == [("second", "b", 2), ("second", "a", 2), ("first", "b", 2), ("first", "a", 2)]


def test_a_model_whose_answers_say_200_and_cannot_be_read_is_not_the_users_fault() -> None:
    page = CallEnd("qa", "target", "", "error", "HTTP 200: text/html", 200)
    refused = page._replace(error="HTTP 404", status=404)
    assert [type(error) for error in silent_models([page])] == [EndpointFailed]
    assert [type(error) for error in silent_models([refused])] == [EndpointRefused]


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        ({"error": "HTTP 401", "not_attempted": "HTTP 401"}, EndpointRefused),
        ({"transient": "no answer", "not_attempted": "no answer"}, EndpointFailed),
        ({"error": "HTTP 400", "transient": "no answer"}, EndpointFailed),
        ({"error": "HTTP 400", "answered": None}, None),
        ({"error": "HTTP 400", "refused": "content filter"}, None),
        ({"missing_field": "no column"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("metric", ["", "graded"])
def test_a_model_that_answered_nothing_it_was_asked_fails_the_job(
    ends: dict[CallOutcome, str | None], kind: type[AssayError] | None, metric: str
) -> None:
    found = list(silent_models(CallEnd("qa", "model", metric, outcome, error) for outcome, error in ends.items()))
    assert [type(error) for error in found] == ([kind] if kind else [])
    named = "the judge 'graded'" if metric else "the target 'model'"
    assert all(f"task 'qa': {named} answered no request: " in error.message for error in found)


BLEU = Bleu(name="bleu", references=("{{ item.r }}",))
CANDIDATES = ["the cat sat on the mat", "", "你好 世界", "a b c d"]
REFERENCES = ["the cat sat on a mat", "nothing", "你好 世界", "x"]


@pytest.fixture(scope="module")
def sentences() -> list[Score]:
    """BLEU of recorded outputs, and of one that could not be had."""
    rows = [{"c": candidate, "r": reference} for candidate, reference in zip(CANDIDATES, REFERENCES, strict=True)]
    outputs = list(recorded_outputs(RecordedTarget(column="c"), Shard(index=0, task="qa", start=0, stop=4), rows))
    lost = Output("qa", 4, "target", outcome="refused")
    return list(
        computed_scores(BLEU, list(subjects(BLEU, [*outputs, lost], [*rows, {}], 0, responses=ITS_OWN)), Unwatched())
    )


def test_the_corpus_has_a_value_and_no_statistics(sentences: list[Score]) -> None:
    aggregator = Aggregator([task(BLEU)])
    aggregator.add(sentences)
    sentence, corpus = aggregator.summaries()
    assert (sentence.name, sentence.count, sentence.nan_count) == ("sentence", 4, 1)
    assert (corpus.name, corpus.count, corpus.nan_count) == ("corpus", 4, 1)
    assert corpus.mean == sacrebleu.corpus_bleu(CANDIDATES, [REFERENCES]).score
    assert corpus.mean != sentence.mean
    assert {corpus.sum, corpus.min, corpus.max, corpus.variance, corpus.stddev, corpus.stderr} == {None}


@given(st.randoms(use_true_random=False))
def test_the_corpus_does_not_depend_on_the_order_of_rows(sentences: list[Score], chance: random.Random) -> None:
    shuffled = chance.sample(sentences, len(sentences))
    half = chance.randint(0, len(sentences))
    whole, parts = Aggregator([task(BLEU)]), Aggregator([task(BLEU)])
    whole.add(sentences)
    parts.add(shuffled[:half])
    parts.add(shuffled[half:])
    assert parts.summaries() == whole.summaries()
    assert [summary.name for summary in whole.summaries()] == ["sentence", "corpus"]


def test_a_corpus_without_a_scored_sentence_has_no_value() -> None:
    aggregator = Aggregator([task(BLEU)])
    aggregator.add([Score("qa", 0, "target", 0, "bleu", "sentence", "refused")])
    _, corpus = aggregator.summaries()
    assert (corpus.name, corpus.count, corpus.nan_count, corpus.mean) == ("corpus", 0, 1, None)


def test_a_bleu_with_one_name_has_one_summary_which_is_the_corpus_as_a_fraction() -> None:
    bleu = BLEU.model_copy(update={"score": "bleu_score"})
    aggregator = Aggregator([task(bleu)])
    for sample, texts in enumerate(zip(CANDIDATES, REFERENCES, strict=True)):
        [measured] = measure(bleu, {"candidate": texts[0], "references[0]": texts[1]})
        assert isinstance(measured, Measure)
        value, counts = sentence_bleu(texts[0], [texts[1]])
        assert measured.value == value / 100
        detail = orjson.dumps(counts).decode()
        aggregator.add(
            [Score("qa", sample, "target", 0, "bleu", "bleu_score", "scored", measured.value, detail=detail)]
        )
    [summary] = aggregator.summaries()
    assert (summary.name, summary.sum) == ("bleu_score", None)
    assert summary.mean == pytest.approx(sacrebleu.corpus_bleu(CANDIDATES, [REFERENCES]).score / 100, abs=1e-12)


# Which failures fail a job.


def test_one_of_several_models_may_be_silent() -> None:
    ends = [CallEnd("qa", "dead", "", "transient", "no answer"), CallEnd("qa", "alive", "", "answered", None)]
    assert list(silent_models(ends)) == []
    other_task = CallEnd("other", "dead", "", "transient", "no answer")
    assert [error.message for error in silent_models([*ends, other_task])] == [
        "task 'other': the target 'dead' answered no request: no answer"
    ]


def test_a_silent_reference_is_missed_whatever_the_targets_say() -> None:
    ends = [CallEnd("qa", "gold", "", "error", "HTTP 401"), CallEnd("qa", "alive", "", "answered", None)]
    assert list(silent_models(ends)) == []
    assert [type(error) for error in silent_models(ends, reference="gold")] == [EndpointRefused]


def test_a_silent_judge_is_no_silent_target() -> None:
    ends = [CallEnd("qa", "model", "", "answered", None), CallEnd("qa", "model", "graded", "error", "HTTP 401")]
    assert [type(error) for error in silent_models(ends)] == [EndpointRefused]


@pytest.mark.parametrize("outcome", sorted(NOT_HAD))
def test_more_failed_samples_than_allowed_fail_the_job(outcome: Outcome) -> None:
    failures = Failures(0.3)
    failures.add([score(i, outcome, error="HTTP 500") if i < 3 else score(i, "scored", 1.0) for i in range(10)])
    failures.check()
    failures.add([score(10, outcome, error="HTTP 500")])
    with pytest.raises(EndpointFailed, match="4 of 11 samples could not be generated or judged, more than 30%: HTTP"):
        failures.check()


def test_replies_that_cannot_be_read_fail_no_job() -> None:
    failures = Failures(0.0)
    failures.add([score(i, "judge_unparsable") for i in range(10)])
    failures.check()
    failures.add([score(10, "target_error"), score(10, "judge_unparsable")])
    with pytest.raises(EndpointFailed, match="1 of 11 samples"):
        failures.check()


def test_a_job_that_needs_scores_fails_without_a_single_one() -> None:
    failures = Failures(None, needs_scores=True)
    failures.add([score(i, "judge_unparsable", error="the reply is 'well'") for i in range(3)])
    with pytest.raises(EndpointFailed, match="none of 3 samples has a score: the reply is 'well'"):
        failures.check()
    failures.add([score(3, "scored", 0.0)])
    failures.check()


def test_without_a_bound_all_samples_may_fail() -> None:
    failures = Failures(None)
    failures.add([score(i, "judge_error", error="HTTP 500") for i in range(3)])
    failures.check()
