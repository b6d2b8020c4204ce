"""Tool calling: did the model call the functions that it should have called?

As NeMo Evaluator defines it: the order of the calls is free, as they may run in parallel; case counts.
"""

from collections.abc import Sequence

from core.metric import ToolCalling
from tasks.metrics.function_calls import FunctionCall, read_calls, same
from tasks.metrics.measure import Measure, Texts, Unparsable, check


def tool_calling(candidate: str, reference: str) -> tuple[float, float | Unparsable]:
    """Return whether two JSON lists of calls name the same functions, and whether with the same arguments.

    Where arguments cannot be read, the names count all the same. Raises Unparsable for a text that is no list of calls.
    """
    given, wanted = read_calls("candidate", candidate), read_calls("reference", reference)
    same_names = sorted(call.name for call in given) == sorted(call.name for call in wanted)
    unread = next((call.given for call in (*given, *wanted) if isinstance(call.given, Unparsable)), None)
    return float(same_names), unread or float(same_names and _same_calls(given, wanted))


def measure(_metric: ToolCalling, texts: Texts) -> list[Measure | Unparsable]:
    """Return the scores of an output's texts, or why there is one of them alone."""
    return [check(value) if isinstance(value, float) else value for value in tool_calling(**texts)]


def _same_calls(given: Sequence[FunctionCall], wanted: Sequence[FunctionCall]) -> bool:
    left = list(wanted)
    for call in given:
        found = next((i for i, other in enumerate(left) if _is_same(call, other)), None)
        if found is None:
            return False
        del left[found]
    return not left


def _is_same(call: FunctionCall, other: FunctionCall) -> bool:
    return call.name == other.name and same(call.arguments, other.arguments)
