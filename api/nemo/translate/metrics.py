"""From NeMo's metrics to the core's."""

from collections.abc import Mapping
from typing import Final, get_args

from api.nemo.schema import metrics as wire
from api.nemo.translate.models import endpoint_of, generation_of, missing, prompt_of, reasoning_of
from core.errors import SpecInvalid, Unsupported
from core.metric import (
    F1,
    OUTPUT,
    TOOL_CALLS,
    Accuracy,
    Bleu,
    ExactMatch,
    JsonParser,
    Judge,
    MetricSpec,
    NumberCheck,
    NumberOperator,
    Parsed,
    Parser,
    RegexParser,
    Rouge,
    StringCheck,
    StringOperator,
    ToolCalling,
)

STRING_OPERATORS: Final[Mapping[str, StringOperator]] = {
    "==": "equals",
    "!=": "not equals",
    "<>": "not equals",
    **{operator: operator for operator in get_args(StringOperator)},
}

NUMBER_OPERATORS: Final[Mapping[str, NumberOperator]] = {
    "equals": "==",
    "not equals": "!=",
    "<>": "!=",
    "greater than": ">",
    "greater than or equal": ">=",
    "greater than or equal to": ">=",
    "less than": "<",
    "less than or equal": "<=",
    "less than or equal to": "<=",
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "gte": ">=",
    "ge": ">=",
    "lt": "<",
    "lte": "<=",
    "le": "<=",
    **{operator: operator for operator in get_args(NumberOperator)},
}

RECORDED_CALLS: Final = "{{ item.response | tojson }}"
"""Where function calls are that were made before: in a chat completion, its message, or a list of them."""

DIFFERENCE: Final = "absolute difference"
JUDGE_MAX_TOKENS: Final = 1024


def to_metric(
    name: str, metric: wire.Metric, field: str, *, reference: str | None = None, recorded: bool = False
) -> MetricSpec:
    """Return a metric; `reference` is the template of what outputs are compared with where it gives none.

    Outputs that are `recorded` come with no model.

    Raises SpecInvalid naming `field`, and Unsupported for a type that the service does not have.
    """
    match metric:
        case wire.Check(type="string-check"):
            return _string_check(name, metric.params.check, f"{field}.params.check")
        case wire.Check():
            return _number_check(name, metric.params.check, f"{field}.params.check")
        case wire.Bleu():
            return _bleu(name, metric.params or wire.BleuParams(), field, reference)
        case wire.Similarity():
            return _similarity(name, metric, field, reference)
        case wire.ToolCalling():
            candidate = RECORDED_CALLS if recorded else TOOL_CALLS
            return ToolCalling(name=name, candidate=candidate, reference=metric.params.tool_calls_ground_truth)
        case wire.LlmJudge():
            return _judge(name, metric.params, f"{field}.params")
        case wire.OtherMetric():
            supported = ", ".join(wire.METRIC_FORMS)
            raise Unsupported(f"{field}: metric type {metric.type!r} is not supported; supported: {supported}")


def _string_check(name: str, check: list[str], field: str) -> StringCheck:
    if len(check) != 3:
        raise SpecInvalid("a string check is a list of left side, operator and right side", field=field)
    left, operator, right = check
    known = STRING_OPERATORS.get(operator.strip().lower())
    if known is None:
        raise _unknown_operator(operator, STRING_OPERATORS, field)
    return StringCheck(name=name, left=left, operator=known, right=right)


def _number_check(name: str, check: list[str], field: str) -> NumberCheck:
    match check:
        case [operator, left, right, word, epsilon] if (operator, word) == (DIFFERENCE, "epsilon"):
            return NumberCheck(name=name, left=left, operator=DIFFERENCE, right=right, epsilon=_epsilon(epsilon, field))
        case [left, operator, right] if operator != DIFFERENCE:
            known = NUMBER_OPERATORS.get(operator.strip().lower())
            if known is None:
                raise _unknown_operator(operator, NUMBER_OPERATORS, field)
            return NumberCheck(name=name, left=left, operator=known, right=right)
    forms = f'[left, operator, right] or ["{DIFFERENCE}", left, right, "epsilon", number]'
    raise SpecInvalid(f"a number check is {forms}", field=field)


def _epsilon(text: str, field: str) -> float:
    try:
        epsilon = float(text)
    except ValueError:
        epsilon = -1.0
    if not 0 <= epsilon < float("inf"):
        raise SpecInvalid(f"epsilon is a number of at least 0, not {text!r}", field=field)
    return epsilon


def _bleu(name: str, params: wire.BleuParams, field: str, reference: str | None) -> Bleu:
    references = params.references or ([reference] if reference else [])
    if not references:
        raise missing(f"{field}.params.references")
    return Bleu(name=name, candidate=params.candidate or OUTPUT, references=tuple(references))


def _similarity(name: str, metric: wire.Similarity, field: str, reference: str | None) -> MetricSpec:
    params = metric.params or wire.ReferenceParams()
    wanted = params.ground_truth or reference
    if wanted is None:
        raise missing(f"{field}.params.ground_truth")
    candidate = params.candidate or params.prediction or OUTPUT
    match metric.type:
        case "rouge":
            return Rouge(name=name, candidate=candidate, reference=wanted)
        case "em" | "exact-match":
            return ExactMatch(name=name, candidate=candidate, reference=wanted)
        case "f1":
            return F1(name=name, candidate=candidate, reference=wanted)
        case "accuracy":
            return Accuracy(name=name, candidate=candidate, reference=wanted)


def _judge(name: str, params: wire.JudgeParams, field: str) -> Judge:
    prompt = prompt_of(params.template, params.model, f"{field}.template")
    generation = generation_of(params.model)
    if not {"max_tokens", "max_completion_tokens"} & {*generation, *prompt.body}:
        generation["max_tokens"] = JUDGE_MAX_TOKENS
    return Judge(
        name=name,
        endpoint=endpoint_of(params.model, f"{field}.model"),
        prompt=prompt,
        generation=generation,
        scale=Parsed(scores={key: _parser(score.parser) for key, score in params.scores.items()}),
        reasoning=reasoning_of(params.model),
    )


def _parser(parser: wire.RegexParser | wire.JsonParser) -> Parser:
    match parser:
        case wire.RegexParser():
            return RegexParser(pattern=parser.pattern, method=parser.method or "match")
        case wire.JsonParser():
            return JsonParser(path=parser.json_path.removeprefix("$."))


def _unknown_operator(operator: str, known: Mapping[str, str], field: str) -> SpecInvalid:
    return SpecInvalid(f"operator {operator!r} is not supported; supported: {', '.join(known)}", field=field)
