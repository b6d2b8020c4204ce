"""The metrics: what is computed from texts, what a model judges, and how its reply is read."""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, JsonValue, model_validator

from core.endpoint import Endpoint, Frozen, Name, Prompt, Reasoning
from core.stats.interval import SHARE, ScoreScale

Finite = Annotated[float, Field(allow_inf_nan=False)]


class RegexParser(Frozen):
    """The number in group 1 of `pattern` (linear-time syntax), anchored at the start by `match`.

    By `search` it is sought in all of the reply, and must be the same wherever the pattern fits.
    """

    type: Literal["regex"] = "regex"
    pattern: str
    method: Literal["match", "search"] = "match"


class JsonParser(Frozen):
    """The number under the key `path` of a reply that is a JSON object.

    One beyond `minimum` or `maximum` counts as that; `whole` if only whole numbers count.
    """

    type: Literal["json"] = "json"
    path: str
    minimum: float | None = None
    maximum: float | None = None
    whole: bool = False


class WordParser(Frozen):
    """What that of these words is worth which a reply states as its verdict, whatever its case."""

    type: Literal["word"] = "word"
    values: Annotated[dict[Name, float], Field(min_length=1)]


class NumberParser(Frozen):
    """The number that a reply states as its score."""

    type: Literal["number"] = "number"


class FirstParser(Frozen):
    """The number that the first of `parsers` finds which finds one."""

    type: Literal["first"] = "first"
    parsers: Annotated[tuple[RegexParser | JsonParser | WordParser | NumberParser, ...], Field(min_length=1)]


Parser = Annotated[RegexParser | JsonParser | WordParser | NumberParser | FirstParser, Field(discriminator="type")]


class Parsed(Frozen):
    """A judge's reply read by parsers into named numbers; those of at least `threshold` pass."""

    kind: Literal["parsed"] = "parsed"
    scores: Annotated[dict[str, Parser], Field(min_length=1)]
    threshold: float | None = None


class Labels(Frozen):
    """A judge's reply is `{"label", "feedback"}` with one of `labels`."""

    kind: Literal["labels"] = "labels"
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    passing: Annotated[tuple[str, ...], Field(min_length=1)]


class Range(Frozen):
    """A judge's reply is `{"score", "feedback"}` with a number from `minimum` to `maximum`."""

    kind: Literal["range"] = "range"
    minimum: float
    maximum: float
    threshold: float


class Preference(Frozen):
    """A judge's reply is `{"choice", "feedback"}` with `A`, `B` or `Tie`.

    With `swap` it is asked twice, the second time with the two outputs exchanged.
    """

    kind: Literal["preference"] = "preference"
    swap: bool = True


Scale = Annotated[Parsed | Labels | Range | Preference, Field(discriminator="kind")]

StringOperator = Literal["equals", "not equals", "contains", "not contains", "startswith", "endswith"]
NumberOperator = Literal["==", "!=", ">", ">=", "<", "<=", "absolute difference"]

OUTPUT: Final = "{{ sample.output_text }}"
TOOL_CALLS: Final = "{{ sample.tool_calls | tojson }}"


class Computed(Frozen):
    """A metric that is computed from rendered templates, with no model.

    `parts` are the fields that are templates, `names` the scores that a sample gets, which are shares unless `scale`
    says otherwise. Comparisons take the higher score for the better, unless `lower_is_better`.
    """

    parts: ClassVar[tuple[str, ...]] = ("candidate", "reference")
    names: ClassVar[tuple[str, ...]]

    name: Name
    lower_is_better: bool = False

    @property
    def templates(self) -> dict[str, str]:
        """The templates by the part that they play."""
        return {part: getattr(self, part) for part in self.parts}

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of a sample's scores."""
        return self.names

    @property
    def scale(self) -> ScoreScale:
        """The least and the greatest value that a score can have."""
        return SHARE


class StringCheck(Computed):
    """1 if `left` stands in the relation `operator` to `right`, else 0."""

    parts = ("left", "right")
    names = ("string-check",)

    type: Literal["string-check"] = "string-check"
    left: str
    operator: StringOperator
    right: str


class NumberCheck(Computed):
    """1 if the last number in `left` stands in the relation `operator` to that in `right`, else 0.

    An absolute difference holds up to `epsilon`. `score` is what the score is called.
    """

    parts = ("left", "right")

    type: Literal["number-check"] = "number-check"
    left: str
    operator: NumberOperator
    right: str
    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    score: Name = "number-check"

    @property
    def scores(self) -> tuple[str, ...]:
        """The name of a sample's score."""
        return (self.score,)


class FinalNumber(Computed):
    """Whether the number that an answer ends in is that of the reference, as GSM8K is scored (Cobbe et al. 2021).

    `strict` is the score of the number right after `marker`: where that is missing, the answer is wrong, since to keep
    to the form is part of the task. `flexible` is that of the last number, wherever it stands.
    """

    type: Literal["final-number"] = "final-number"
    candidate: str = OUTPUT
    reference: str
    marker: Annotated[str, Field(min_length=1)]
    strict: Name = "strict-match"
    flexible: Name = "flexible-extract"

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of a sample's scores."""
        return (self.strict, self.flexible)


class Bleu(Computed):
    """BLEU of each candidate as `sentence`, and in a summary of its own that of the corpus, from 0 to 100.

    With `score` there is one figure of that name, from 0 to 1: each candidate's own, and in the summary the corpus's.
    """

    type: Literal["bleu"] = "bleu"
    candidate: str = OUTPUT
    references: Annotated[tuple[str, ...], Field(min_length=1)]
    score: Name | None = None

    @property
    def scores(self) -> tuple[str, ...]:
        """The name of a sample's score."""
        return (self.score or "sentence",)

    @property
    def scale(self) -> ScoreScale:
        """The scale of the sentences' figures, and of the corpus's."""
        return SHARE if self.score else ScoreScale(0.0, 100.0)

    @property
    def templates(self) -> dict[str, str]:
        """The candidate, and each reference by its place."""
        references = {f"references[{i}]": source for i, source in enumerate(self.references)}
        return {"candidate": self.candidate, **references}


class Rouge(Computed):
    """F-measures of ROUGE-1, -2, -3 and -L over stemmed words."""

    names = ("rouge_1_score", "rouge_2_score", "rouge_3_score", "rouge_L_score")

    type: Literal["rouge"] = "rouge"
    candidate: str = OUTPUT
    reference: str


class ExactMatch(Computed):
    """1 if candidate and reference are the same words, without case, punctuation and articles."""

    names = ("em",)

    type: Literal["exact-match"] = "exact-match"
    candidate: str = OUTPUT
    reference: str


class F1(Computed):
    """How far candidate and reference share their words, without case, punctuation and articles."""

    names = ("f1",)

    type: Literal["f1"] = "f1"
    candidate: str = OUTPUT
    reference: str


class Accuracy(Computed):
    """1 if candidate and reference are the same text but for the white space around them."""

    names = ("accuracy",)

    type: Literal["accuracy"] = "accuracy"
    candidate: str = OUTPUT
    reference: str


class ToolCalling(Computed):
    """Whether the candidate's function calls are those of the reference, by name alone and with their arguments."""

    names = ("function_name_accuracy", "function_name_and_args_accuracy")

    type: Literal["tool-calling"] = "tool-calling"
    candidate: str = TOOL_CALLS
    reference: str


class FunctionCall(Computed):
    """1 if the candidate is one function call whose every argument has one of the reference's possible values."""

    names = ("accuracy",)

    type: Literal["function-call"] = "function-call"
    candidate: str = TOOL_CALLS
    reference: str


ComputedMetric = (
    StringCheck | NumberCheck | FinalNumber | Bleu | Rouge | ExactMatch | F1 | Accuracy | ToolCalling | FunctionCall
)


class Judge(Frozen):
    """A model grades each output; its reply is read by `scale`.

    It is asked to keep to `reply_schema` (a JSON Schema) where its endpoint takes one. At most `parallelism`
    of a job's calls to it are made at a time.
    """

    type: Literal["judge"] = "judge"
    name: Name
    endpoint: Endpoint
    prompt: Prompt
    generation: dict[str, JsonValue] = Field(default_factory=dict)
    scale: Scale
    reasoning: Reasoning = Reasoning()
    reply_schema: dict[str, JsonValue] | None = None
    parallelism: Annotated[int, Field(ge=1)] | None = None
    lower_is_better: bool = False


class Code(Frozen):
    """A user's function grades each output, in a sandbox.

    `source` defines `run_evaluation(item)`, which is given the rendered `item` and returns a number, a bool, or
    `{"score": number}`; a score of at least `threshold` passes. One that is not on the `scale`, where that says the
    least and the greatest that there can be, is an error.
    """

    type: Literal["code"] = "code"
    name: Name
    source: str
    item: dict[str, JsonValue]
    threshold: float = 0.5
    scale: tuple[Finite, Finite] | None = None
    lower_is_better: bool = False

    @model_validator(mode="after")
    def _scale_has_width(self) -> Self:
        if self.scale and self.scale[0] >= self.scale[1]:
            raise ValueError(f"metric {self.name!r}: scale is [lowest, highest], and not {list(self.scale)}")
        return self


MetricSpec = Annotated[ComputedMetric | Judge | Code, Field(discriminator="type")]
