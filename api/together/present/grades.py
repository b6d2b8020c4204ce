"""The rows of a finished job as Together's result file has them, and what they come to."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, assert_never

from api.together.schema import responses as wire
from core.metric import Judge, Labels, Parsed, Preference, Range, Scale
from core.result import Call, Output, Score, Summary
from tasks.endpoint.reply import answer_text
from tasks.judging.verdict import Verdict, read_verdict

Row = dict[str, Any]

OUTPUT: Final = "MODEL_TO_EVALUATE_OUTPUT"
MIRRORED: Final = {"A": "B", "B": "A"}


class Reading(NamedTuple):
    """What a judge said in one pass, and the verdict in it; no text if it gave no answer."""

    text: str | None
    verdict: Verdict | None

    @property
    def choice(self) -> str | None:
        """The verdict's label."""
        return self.verdict.label if self.verdict else None

    @property
    def feedback(self) -> str | None:
        """What the judge said for its verdict."""
        return self.verdict.feedback if self.verdict else None

    @property
    def is_failed(self) -> bool:
        """Whether the judge said nothing at all."""
        return not (self.text and self.text.strip())

    @property
    def is_invalid(self) -> bool:
        """Whether the judge said what is no verdict."""
        return self.verdict is None and not self.is_failed


NOT_ASKED: Final = Reading(None, None)


class Graded(NamedTuple):
    """A row with its outputs and its score; `readings` are the judge's passes, none if an output could not be had."""

    item: Row
    outputs: Sequence[Output]
    score: Score
    readings: Sequence[Reading]

    @property
    def is_scored(self) -> bool:
        """Whether the judge came to a verdict."""
        return self.score.outcome == "scored"


def graded(
    judge: Judge, items: Sequence[Row], outputs: Sequence[Output], scores: Sequence[Score], calls: Iterable[Call]
) -> Iterator[Graded]:
    """Put together the rows of a shard, in their order."""
    readings: defaultdict[int, list[Reading]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.key.ordinal):
        readings[call.key.sample].append(_reading(judge, call))
    targets = len(outputs) // len(items)
    for place, (item, score) in enumerate(zip(items, scores, strict=True)):
        yield Graded(item, outputs[place * targets : (place + 1) * targets], score, readings[score.sample])


def _reading(judge: Judge, call: Call) -> Reading:
    if call.outcome != "answered":
        return NOT_ASKED
    text = answer_text(call, judge.reasoning)
    (verdict,) = read_verdict(judge.scale, text).values()
    return Reading(text, verdict if isinstance(verdict, Verdict) else None)


def columns(scale: Scale, row: Graded) -> Row:
    """Return a line of the result file: the row's own columns, then what the evaluation adds."""
    added = _added(scale, row)
    return {name: value for name, value in row.item.items() if name not in added} | added


def _added(scale: Scale, row: Graded) -> Row:
    match scale:
        case Preference():
            return _compared(row, swap=scale.swap)
        case Labels():
            verdict: Row = {"label": row.score.label}
        case Range() | Parsed():
            verdict = {"score": row.score.value}
        case _:
            assert_never(scale)
    alone = {OUTPUT: row.outputs[0].text, "evaluation_successful": row.is_scored}
    return alone | verdict | {"feedback": row.score.feedback}


def _compared(row: Graded, *, swap: bool) -> Row:
    """Return the columns of a comparison; the choice of the flipped pass names the models as the first pass does."""
    straight, flipped = [*row.readings, NOT_ASKED, NOT_ASKED][:2]
    choice = flipped.choice
    columns = {
        f"{OUTPUT}_A": row.outputs[0].text,
        f"{OUTPUT}_B": row.outputs[1].text,
        "judge_raw_output_original": straight.text,
        "judge_raw_output_flipped": flipped.text,
        "choice_original": straight.choice,
        "judge_feedback_original_order": straight.feedback,
        "choice_flipped": choice and MIRRORED.get(choice, choice),
        "judge_feedback_flipped_order": flipped.feedback,
        "final_decision": row.score.label,
        "evaluation_successful": row.is_scored,
        "is_invalid_judge_output": any(reading.is_invalid for reading in row.readings),
    }
    return columns if swap else {name: value for name, value in columns.items() if "flipped" not in name}


@dataclass
class Tally:
    """Counts rows as they come."""

    rows: int = 0
    passed: int = 0
    not_generated: int = 0
    not_judged: int = 0
    invalid: int = 0
    labels: Counter[str | None] = field(default_factory=Counter)

    @property
    def scored(self) -> int:
        """How many rows have a verdict."""
        return self.labels.total()

    @property
    def pass_percentage(self) -> float:
        """The share of the rows with a verdict that pass."""
        return 100 * self.passed / self.scored if self.scored else 0.0

    def add(self, row: Graded) -> None:
        """Count a row: its outputs that could not be had, and its passes that gave no verdict."""
        self.rows += 1
        self.not_generated += sum(output.outcome != "scored" for output in row.outputs)
        self.not_judged += sum(reading.is_failed for reading in row.readings)
        self.invalid += sum(reading.is_invalid for reading in row.readings)
        if row.is_scored:
            self.passed += row.score.passed is True
            self.labels[row.score.label] += 1


def to_results(scale: Scale, tally: Tally, summary: Summary, file_id: str) -> wire.Results:
    """Return what the counted rows came to; `summary` has the statistics of their scores."""
    match scale:
        case Labels():
            return wire.ClassifyResults(
                label_counts={label: tally.labels[label] for label in scale.labels},
                pass_percentage=tally.pass_percentage,
                generation_fail_count=tally.not_generated,
                judge_fail_count=tally.not_judged,
                invalid_label_count=tally.invalid,
                result_file_id=file_id,
            )
        case Range() | Parsed():
            return wire.ScoreResults(
                aggregated_scores=wire.AggregatedScores(
                    mean_score=summary.mean, std_score=summary.stddev, pass_percentage=tally.pass_percentage
                ),
                failed_samples=tally.rows - tally.scored,
                invalid_score_count=tally.invalid,
                generation_fail_count=tally.not_generated,
                judge_fail_count=tally.not_judged,
                result_file_id=file_id,
            )
        case Preference():
            return wire.CompareResults(
                A_wins=tally.labels["A"],
                B_wins=tally.labels["B"],
                Ties=tally.labels["Tie"],
                num_samples=tally.rows,
                generation_fail_count=tally.not_generated,
                judge_fail_count=tally.not_judged + tally.invalid,
                result_file_id=file_id,
            )
        case _:
            assert_never(scale)
