"""What one score is about: an output, or the two outputs of a sample that are compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from core.result import Outcome, Output, Score
from core.spec import Judge, MetricSpec, Preference

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """An output, or a pair of them, with its row; `outcome` is `scored` if there is something to score."""

    task: str
    sample: int
    target: str
    trial: int
    row: Row
    outputs: tuple[Output, ...]

    @property
    def lost(self) -> Output | None:
        """The output that could not be had, if there is one."""
        return next((output for output in self.outputs if output.outcome != "scored"), None)

    def values(self, *, swapped: bool = False, with_response: bool = False) -> Mapping[str, Any]:
        """Return what a template sees as `sample`: text and tool calls, or `output_a` and `output_b` of a pair."""
        if len(self.outputs) == 1:
            (output,) = self.outputs
            response = orjson.loads(output.response) if with_response and output.response else None
            tool_calls = orjson.loads(output.tool_calls) if output.tool_calls else []
            return {"output_text": output.text, "tool_calls": tool_calls, "response": response}
        first, second = reversed(self.outputs) if swapped else self.outputs
        return {"output_a": first.text, "output_b": second.text}

    def score(self, metric: str, name: str, outcome: Outcome, **fields: Any) -> Score:
        """Return a score of this subject."""
        return Score(self.task, self.sample, self.target, self.trial, metric, name, outcome, **fields)


def subjects(metric: MetricSpec, outputs: Sequence[Output], rows: Sequence[Row], start: int) -> Iterator[Subject]:
    """Yield what `metric` scores: each output, or for a preference each sample's pair, by order of targets.

    `outputs` are in the order of samples; `rows[0]` is sample `start`. A pair's score is its first target's.
    """
    size = 2 if isinstance(metric, Judge) and isinstance(metric.scale, Preference) else 1
    for i in range(0, len(outputs), size):
        first = outputs[i]
        row = rows[first.sample - start]
        yield Subject(first.task, first.sample, first.target, first.trial, row, tuple(outputs[i : i + size]))
