"""The words that stand beside figures: how one was made, why there is none, and what to be careful about."""

from typing import Final, Literal

Method = Literal["exact", "tango", "wilson", "score", "t"]
"""How an interval was made; docs/statistics.md says when which is."""

Reason = Literal["nothing_scored", "too_few", "no_variation", "one_cluster"]
"""Why there is no interval."""

REASONS: Final[dict[Reason, str]] = {
    "nothing_scored": "nothing was scored",
    "too_few": "one sample on an unknown scale says nothing about others",
    "no_variation": "all values are the same, on an unknown scale",
    "one_cluster": "one cluster says nothing about others",
}

Caution = Literal["few_samples", "few_clusters", "excluded_samples", "truncated", "identical_trials", "skewed"]
"""What to be careful about in reading a figure."""

CAUTIONS: Final[dict[Caution, str]] = {
    "few_samples": "fewer than 30 samples were scored",
    "few_clusters": "the samples are of clusters that count for fewer than 30 of equal size",
    "excluded_samples": "1 % of the samples or more were not scored, and the mean says nothing of them",
    "truncated": "more than 1 % of the outputs were cut off at their longest",
    "identical_trials": "all trials of each sample gave the same output: they tell no more than one",
    "skewed": "a few values far from the others decide the mean, and there are fewer than 100",
}

Remark = Literal[
    "unmatched_samples",
    "items_changed",
    "unequal_failures",
    "unfinished",
    "rescored",
    "code_changed",
    "negligible",
    "within_noise",
    "together",
]
"""What to be careful about in reading a comparison."""

REMARKS: Final[dict[Remark, str]] = {
    "unmatched_samples": "more than 5 % of the samples of a side have no counterpart on the other",
    "items_changed": "samples were matched whose rows differ otherwise",
    "unequal_failures": "one side has scores for samples that the other has none for, more often than by chance",
    "unfinished": "a job has not finished all of its samples, and is compared on those that it has",
    "rescored": "the metric was changed, and the baseline's outputs were scored once more, as the candidate's are",
    "code_changed": "the two sides were made by different releases of this service",
    "negligible": "the difference is sure, and smaller than the margin",
    "within_noise": "the difference is no larger than what asking the same model once more makes",
    "together": "the score is of all samples together: none of them has it alone, so none is better or worse in it",
}

Word = Literal["better", "worse", "equivalent", "inconclusive"]
"""What a comparison comes to."""

Doubt = Literal[
    "no_common_samples",
    "too_few_pairs",
    "too_few_clusters",
    "judge_changed",
    "metric_changed",
    "no_interval",
    "not_enough_evidence",
    "excluded_could_reverse",
]
"""Why a comparison comes to nothing."""

DOUBTS: Final[dict[Doubt, str]] = {
    "no_common_samples": "the two sides have no sample in common",
    "too_few_pairs": "fewer than 10 samples were scored on both sides",
    "too_few_clusters": "the samples are of fewer than 5 clusters",
    "judge_changed": "the two sides were graded by different judges",
    "metric_changed": "the two sides were graded by different code",
    "no_interval": "there is no interval of the difference",
    "not_enough_evidence": "the samples are too few to tell the sides apart, or to call them equivalent",
    "excluded_could_reverse": "samples that were not scored on both sides could turn the answer around",
}

JUDGED_ALIKE: Final = (
    "to have both graded alike: assay retry {baseline} --metrics FILE, with the candidate's metrics in it, which asks "
    "only their judge, about the baseline's outputs; then compare the job that this makes"
)
"""What makes a verdict possible where the judge was changed; `baseline` is the id of its job."""
