"""What came out: calls, outputs, scores and summaries, and the outcome of each.

A `Call` is the record of what was asked and paid; outputs and scores derive from it. A `ModelUsage` sums calls up.

The fields of the other classes are the columns of the result files (`store.results.schemas`). A new field comes last,
says by `since` with which version of its kind of file it came, and is None in what was written before.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from core.stats.repeats import Repeats
from core.stats.words import Caution, Method, Reason

Outcome = Literal[
    "scored",
    "output_unparsable",
    "judge_unparsable",
    "judge_error",
    "metric_error",
    "target_error",
    "refused",
    "missing_field",
    "not_attempted",
    "cancelled",
]
"""How a sample ended, for one metric. Only `scored` carries a value; the others are counted."""

CallOutcome = Literal["answered", "refused", "error", "transient", "not_attempted", "cancelled", "missing_field"]
"""How a call ended. `transient` is an error that a later attempt may not meet."""

Role = Literal["target", "judge"]

SINCE: Final = "since"


def since(version: int) -> Any:
    """Return the default of a field that files have since a version of their kind: None."""
    return field(default=None, metadata={SINCE: version})


class CallKey(NamedTuple):
    """What a call was for: `metric` is empty for a target's; `ordinal` counts the passes of a judge."""

    task: str
    sample: int
    target: str
    trial: int
    role: Role
    metric: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them; None where it did not say.

    Those of the prompt that were `cached_tokens`, and those of the completion that were `reasoning_tokens`, are kept
    apart; whether the counts beside them include them is the endpoint's way.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = since(2)
    reasoning_tokens: int | None = since(2)

    def __add__(self, other: "Usage") -> "Usage":
        """Return the tokens of both; a count that one of them lacks is the other's."""
        return Usage(
            _sum(self.prompt_tokens, other.prompt_tokens),
            _sum(self.completion_tokens, other.completion_tokens),
            _sum(self.total_tokens, other.total_tokens),
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.reasoning_tokens, other.reasoning_tokens),
        )


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """The calls to a model in a role; those `taken_over` were paid for by another job and are in no other count.

    `retries` are the attempts after the first at a call, `seconds` the time that calls took, one after the other.
    """

    model: str
    role: Role
    calls: int = 0
    answered: int = 0
    taken_over: int = 0
    retries: int = 0
    seconds: float = 0.0
    tokens: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Call:
    """One finished call to a model; `request` and `response` are JSON texts without keys.

    One that was taken over from an earlier job names that as `paid_by`: its usage is not of this job.
    """

    key: CallKey
    outcome: CallOutcome
    request: str
    response: str | None = None
    status: int | None = None
    error: str | None = None
    usage: Usage = Usage()
    started_at: float = 0.0
    seconds: float = 0.0
    attempts: int = 0
    paid_by: str | None = since(3)


@dataclass(frozen=True, slots=True)
class Output:
    """A target's output on one sample; `text` is None if none could be had.

    `response` is an answer that was recorded in a row: a model's is that of its call.
    """

    task: str
    sample: int
    target: str
    trial: int = 0
    text: str | None = None
    reasoning: str | None = None
    tool_calls: str | None = None
    response: str | None = None
    finish_reason: str | None = None
    truncated: bool = False
    empty: bool = False
    outcome: Outcome = "scored"
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One metric's score `name` on one sample; `value` is None unless `outcome` is `scored`.

    `detail` is JSON text of what the summary needs besides the value.
    """

    task: str
    sample: int
    target: str
    trial: int
    metric: str
    name: str
    outcome: Outcome
    value: float | None = None
    label: str | None = None
    passed: bool | None = None
    feedback: str | None = None
    error: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The scores of one (task, target, metric, name), aggregated.

    `count` rows were scored and enter the statistics, `nan_count` were not; variance is that of
    the population. With `count` 0 the statistics are None. A value of all rows together, such as
    the BLEU of a corpus, stands as `mean` alone. Where a task names weights, mean and variance are weighted.

    The fields of the second version say how sure the mean is, about the population that the samples stand for: of
    `samples` with up to `trials` each, in `clusters` where the task names them, made by `ci_method`, which is None
    where there is no interval (docs/statistics.md). `worst_case` and `best_case` are what the mean would be if all that
    was not scored had the least, or the greatest value. There are `repeats` if more than one trial was asked for.
    """

    task: str
    target: str
    metric: str
    name: str
    count: int
    nan_count: int
    sum: float | None
    mean: float | None
    min: float | None
    max: float | None
    sum_squared: float | None
    variance: float | None
    stddev: float | None
    stderr: float | None
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    samples: int | None = since(2)
    trials: int | None = since(2)
    clusters: int | None = since(2)
    standard_error: float | None = since(2)
    ci_low: float | None = since(2)
    ci_high: float | None = since(2)
    ci_level: float | None = since(2)
    ci_method: Method | None = since(2)
    scale_min: float | None = since(2)
    scale_max: float | None = since(2)
    worst_case: float | None = since(2)
    best_case: float | None = since(2)
    repeats: Repeats | None = since(2)
    cautions: list[Caution] | None = since(2)

    @property
    def ci_reason(self) -> Reason | None:
        """Why there is no interval; None where there is one, or where none was made yet."""
        if self.ci_method is not None or self.samples is None:
            return None
        if self.mean is None:
            return "nothing_scored"
        if self.scale_min is not None:
            return "one_cluster"
        groups = self.samples if self.clusters is None else self.clusters
        return "too_few" if groups < 2 else "no_variation"


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one + (other or 0)
