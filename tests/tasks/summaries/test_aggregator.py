"""How sure a summary is of its mean: on which scale, over what units, with what left out."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import pytest

from core.errors import ResultsMissing
from core.metric import Bleu, Code, JsonParser, MetricSpec, Parsed
from core.plan import Shard
from core.result import SINCE, Outcome, Output, Score, Summary
from core.spec import RecordedTarget, RowsDataset, TaskSpec
from core.stats.proportion import wilson
from core.stats.tango import Changes, tango_limits
from store.results.counts import OutputCount
from tasks.endpoint.breaker import Unwatched
from tasks.fsck.results import fsck
from tasks.metrics.bleu import corpus_bleu, sentence_bleu
from tasks.metrics.computed import computed_scores
from tasks.metrics.subject import Subject
from tasks.summaries.aggregator import Aggregator, complete_summaries
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, ITS_OWN, judge, preferring, spec

UNKNOWN = Code(name="free", source="", item={})


def task(metric: MetricSpec, **fields: Any) -> TaskSpec:
    return TaskSpec(name="qa", dataset=RowsDataset(rows=[]), metrics=(metric,), **fields)


def scores(metric: MetricSpec, name: str, values: Sequence[float | None]) -> list[Score]:
    """One score a sample; None for one that a judge failed at."""
    outcomes: list[Outcome] = ["judge_error" if value is None else "scored" for value in values]
    ends = enumerate(zip(outcomes, values, strict=True))
    return [Score("qa", i, "target", 0, metric.name, name, outcome, value) for i, (outcome, value) in ends]


def summary(
    metric: MetricSpec,
    name: str,
    values: Sequence[float | None],
    rows: Sequence[dict[str, Any]] = (),
    outputs: dict[tuple[str, str], OutputCount] | None = None,
    **fields: Any,
) -> Summary:
    aggregator = Aggregator([task(metric, **fields)])
    aggregator.place(Shard(index=0, task="qa", start=0, stop=len(rows)), rows)
    aggregator.add(scores(metric, name, values))
    [made] = aggregator.summaries(outputs)
    return made


def test_checks_have_the_interval_of_a_share_and_bounds_for_what_was_left_out() -> None:
    made = summary(CORRECT, "string-check", [1.0] * 63 + [0.0] * 18 + [None] * 19)
    low, high = wilson(63, 81)
    assert (made.ci_method, made.ci_level, made.ci_reason) == ("wilson", 0.95, None)
    assert [made.ci_low, made.ci_high] == pytest.approx([low, high])
    assert (made.scale_min, made.scale_max, made.samples, made.trials, made.clusters) == (0.0, 1.0, 81, 1, None)
    assert (made.worst_case, made.best_case) == (0.63, 0.82)  # all 19 failed, or all passed
    assert made.cautions == ["excluded_samples"]


@pytest.mark.parametrize(
    ("metric", "values", "reason"),
    [
        (CORRECT, [None, None], "nothing_scored"),
        (UNKNOWN, [7.0], "too_few"),
        (UNKNOWN, [7.0] * 40, "no_variation"),
    ],
)
def test_what_has_no_interval_says_why(metric: MetricSpec, values: list[float | None], reason: str) -> None:
    made = summary(metric, "score" if metric is UNKNOWN else "string-check", values)
    assert (made.ci_method, made.ci_low, made.ci_high, made.ci_level, made.ci_reason) == (*[None] * 4, reason)


def test_without_a_known_scale_a_mean_has_no_bounds() -> None:
    made = summary(UNKNOWN, "score", [*map(float, range(40)), None])
    assert (made.ci_method, made.scale_min, made.worst_case, made.best_case) == ("t", None, None, None)
    far = summary(UNKNOWN, "score", [1.0] * 29 + [2.0, 900.0])
    assert far.cautions == ["skewed"]


def test_a_preference_counts_wins_and_losses() -> None:
    made = summary(preferring("http://x/v1"), "choice", [1.0] * 52 + [0.0] * 31 + [0.5] * 17)
    low, high = tango_limits(Changes(52, 31, 100))
    assert (made.ci_method, made.ci_low, made.ci_high) == ("tango", (1 + low) / 2, (1 + high) / 2)


def test_samples_of_one_cluster_are_drawn_together() -> None:
    values = ([1.0] * 9 + [0.0]) * 4
    rows = [{"text": i // 10 if i < 30 else "last"} for i in range(40)]
    apart = summary(CORRECT, "string-check", values, rows)
    together = summary(CORRECT, "string-check", values, rows, cluster="text")
    assert (apart.ci_method, apart.clusters, together.ci_method, together.clusters) == ("wilson", None, "exact", 4)
    assert together.mean == apart.mean
    assert together.cautions == ["few_clusters"]
    one = summary(CORRECT, "string-check", values, [{"text": 1}] * 40, cluster="text")
    assert (one.ci_reason, one.clusters, one.standard_error) == ("one_cluster", 1, None)


def test_a_weighted_mean_counts_each_sample_as_often_as_it_says() -> None:
    rows: list[dict[str, Any]] = [{"share": "1"}, {"share": 3}, {"share": 0}, {"share": 4}]
    made = summary(CORRECT, "string-check", [0.0, 1.0, 0.0, None], rows, weight="share")
    assert (made.mean, made.variance, made.sum, made.count, made.nan_count) == (0.75, 0.1875, 1.0, 3, 1)
    assert (made.standard_error, made.ci_method) == (0.375, "score")
    assert (made.worst_case, made.best_case) == (3 / 8, 7 / 8)
    nothing = summary(CORRECT, "string-check", [None, None, 0.0, None], rows, weight="share")
    assert (nothing.mean, nothing.ci_reason, nothing.count) == (None, "nothing_scored", 1)


def test_the_error_of_a_corpus_is_that_of_leaving_out_each_sentence() -> None:
    metric = Bleu(name="bleu", candidate="{{ item.c }}", references=("{{ item.r }}",))
    texts = [("the cat sat on the mat", "the cat sat on a mat"), ("a b c d e", "a b c d"), ("no", "yes it is so")]
    counts = [sentence_bleu(candidate, [reference])[1] for candidate, reference in texts]
    said = [Output("qa", i, "target", text=c) for i, (c, _) in enumerate(texts)]
    about = [Subject("qa", i, "target", 0, {"c": c, "r": r}, (said[i],), ITS_OWN) for i, (c, r) in enumerate(texts)]
    aggregator = Aggregator([task(metric)])
    aggregator.add(computed_scores(metric, about, Unwatched()))
    sentence, corpus = aggregator.summaries()
    without = [corpus_bleu(counts[:i] + counts[i + 1 :]) for i in range(3)]
    middle = sum(without) / 3
    assert corpus.standard_error == pytest.approx((2 / 3 * sum((each - middle) ** 2 for each in without)) ** 0.5)
    assert (corpus.ci_method, corpus.scale_max, corpus.worst_case, corpus.samples) == ("score", 100.0, None, 3)
    assert corpus.mean is not None
    assert corpus.ci_low is not None
    assert corpus.ci_high is not None
    assert 0 <= corpus.ci_low < corpus.mean < corpus.ci_high <= 100
    assert (sentence.ci_method, sentence.scale_max) == ("score", 100.0)


def test_outputs_that_were_cut_off_are_a_caution_of_the_scores_about_them() -> None:
    cut = {
        ("qa", "target"): OutputCount(1, 99),
        ("qa", "other"): OutputCount(0, 99),
        ("x", "target"): OutputCount(9, 9),
    }
    assert "truncated" in (summary(CORRECT, "string-check", [1.0] * 99, outputs=cut).cautions or ())
    # A preference is about both targets: 1 of 198.
    assert "truncated" not in (summary(preferring("http://x/v1"), "choice", [1.0] * 99, outputs=cut).cautions or ())


@pytest.mark.parametrize("value", [1.01, -0.5, float("inf"), float("nan")])
def test_a_value_that_there_cannot_be_is_refused_with_its_row(value: float) -> None:
    told = f"task 'qa', sample 1, target 'target', metric 'correct': the score 'string-check' is {value}"
    with pytest.raises(ResultsMissing, match=told):
        summary(CORRECT, "string-check", [1.0, value])


def test_a_job_keeps_its_clusters_and_weights_through_all_stages(lab: Lab) -> None:
    given = [{"said": str(i % 3), "answer": "0", "text": i // 4, "share": 1 + i % 2} for i in range(60)]
    asked = spec(RecordedTarget(column="said"), given, CORRECT)
    grouped = asked.tasks[0].model_copy(update={"cluster": "text", "weight": "share"})
    job = lab.add(asked.model_copy(update={"tasks": (grouped,)}))
    (made,) = lab.carry_out(job)
    folder = lab.workspace.folder(job.id)
    assert (made.clusters, made.samples, made.ci_method) == (15, 60, "score")
    assert folder.read_summaries() == [made] == complete_summaries(folder)
    assert fsck(folder).difference is None
    assert made.ci_low is not None
    for off, name in ((1e-6, "ci_low"), (1e-13, None)):
        folder.write_summaries([replace(made, ci_low=made.ci_low + off)])
        found = fsck(folder).difference
        assert (found and found.problem) == (name and f"{name} of qa / target / correct / string-check")


def test_every_later_field_of_a_summary_is_known_to_what_is_made_from_rows() -> None:
    later = {field.name for field in fields(Summary) if field.metadata.get(SINCE, 1) > 1}
    made = summary(CORRECT, "string-check", [1.0] * 30 + [0.0] * 10)
    assert {name for name in later if getattr(made, name) is None} == {"clusters", "repeats"}


def test_an_interval_does_not_go_beyond_the_one_end_that_is_known() -> None:
    # mean 3, standard error 3, t(0.975, 2) = 4.303: from -9.9 to 15.9
    for parser, low, high in (
        (JsonParser(path="s"), -9.908, 15.908),
        (JsonParser(path="s", minimum=0), 0.0, 15.908),
        (JsonParser(path="s", maximum=10), -9.908, 10.0),
    ):
        made = summary(judge("http://judge", scale=Parsed(scores={"s": parser})), "s", [0.0, 0.0, 9.0])
        assert (made.ci_method, made.scale_min) == ("t", None)
        assert [made.ci_low, made.ci_high] == pytest.approx([low, high], abs=1e-3)
