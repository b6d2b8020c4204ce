"""What one score is about: an output, or the two outputs of a sample that are compared."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from core.metric import Judge, MetricSpec, Preference
from core.result import Outcome, Output, Score

Row = dict[str, Any]
Responses = Callable[[Output], str | None]


@dataclass(frozen=True, slots=True)
class Subject:
    """An output, or a pair of them, with its row, and the output that it is held against, if there is one."""

    task: str
    sample: int
    target: str
    trial: int
    row: Row
    outputs: tuple[Output, ...]
    responses: Responses = field(compare=False)
    """Finds the answer behind an output, as it came."""
    reference: Output | None = None

    @property
    def all_outputs(self) -> tuple[Output, ...]:
        """The outputs that a judge is shown, that of the reference among them."""
        return self.outputs if self.reference is None else (*self.outputs, self.reference)

    @property
    def lost(self) -> Output | None:
        """The output that could not be had, if there is one; of a reference its error says so."""
        lost = next((output for output in self.outputs if output.outcome != "scored"), None)
        if lost is None and self.reference and self.reference.outcome != "scored":
            error = f"the reference {self.reference.target!r} gave no output: {self.reference.error}"
            return replace(self.reference, error=error)
        return lost

    def values(self, *, swapped: bool = False, with_response: bool = False) -> Mapping[str, Any]:
        """Return what a template sees as `sample`: text and tool calls, or `output_a` and `output_b` of a pair.

        Beside them stand the text and, `with_response`, the response of a reference.
        """
        values: dict[str, Any] = {}
        if self.reference:
            response = self._response(self.reference) if with_response else None
            values = {"reference_text": self.reference.text, "reference_response": response}
        if len(self.outputs) == 1:
            (output,) = self.outputs
            response = self._response(output) if with_response else None
            tool_calls = orjson.loads(output.tool_calls) if output.tool_calls else []
            return values | {"output_text": output.text, "tool_calls": tool_calls, "response": response}
        first, second = reversed(self.outputs) if swapped else self.outputs
        return values | {"output_a": first.text, "output_b": second.text}

    def _response(self, output: Output) -> Any:
        response = self.responses(output)
        return orjson.loads(response) if response else None

    def score(self, metric: str, name: str, outcome: Outcome, **fields: Any) -> Score:
        """Return a score of this subject."""
        return Score(self.task, self.sample, self.target, self.trial, metric, name, outcome, **fields)


def subjects(
    metric: MetricSpec,
    outputs: Sequence[Output],
    rows: Sequence[Row],
    start: int,
    *,
    responses: Responses,
    reference: str | None = None,
) -> Iterator[Subject]:
    """Yield what `metric` scores: each output, or for a preference the pair of each sample and trial.

    `outputs` are in the order of samples, targets and trials; `rows[0]` is sample `start`. A pair's score is its first
    target's. The outputs of the target `reference` are not scored, but go with those of their sample and trial; one
    that is recorded is the same for all trials.
    """
    references = {(output.sample, output.trial): output for output in outputs if output.target == reference}
    evaluated = [output for output in outputs if output.target != reference]
    compares = isinstance(metric, Judge) and isinstance(metric.scale, Preference)
    for about in _pairs(evaluated) if compares else ((output,) for output in evaluated):
        first = about[0]
        held = references.get((first.sample, first.trial)) or references.get((first.sample, 0))
        yield Subject(
            first.task, first.sample, first.target, first.trial, rows[first.sample - start], about, responses, held
        )


def _pairs(outputs: Sequence[Output]) -> Iterable[tuple[Output, ...]]:
    """Return the outputs of each sample and trial together, by order of targets."""
    pairs: dict[tuple[int, int], list[Output]] = {}
    for output in outputs:
        pairs.setdefault((output.sample, output.trial), []).append(output)
    return map(tuple, pairs.values())
