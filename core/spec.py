"""What to evaluate: targets, tasks, prompts and metrics, in the terms of no vendor.

A face translates its request into an `EvaluationSpec`; every later stage reads only that.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, field_validator, model_validator

SecretRef = Annotated[str, StringConstraints(pattern=r"^(env|store|model):.+$")]
"""Where a key is kept: `env:NAME`, `store:ID` or `model:NAME`; never the key itself."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Frozen(BaseModel):
    """A value: immutable, strict about its fields, and silent in errors about what it was given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


# Targets: the systems under test.


class Endpoint(Frozen):
    """An OpenAI-style model endpoint; `url` is a base URL or that of a route.

    Without a URL the model's is looked up in the settings: `[models]`, then the default endpoint.
    """

    url: str | None = None
    model: str
    api_key: SecretRef | None = None

    @field_validator("url")
    @classmethod
    def _has_no_key(cls, url: str | None) -> str | None:
        if url and "@" in urlsplit(url).netloc:
            raise ValueError("a URL has no user or password in it; name a key by api_key, e.g. env:MY_KEY")
        return url


class Reasoning(Frozen):
    """How a model's thinking is told from its answer."""

    end_token: str = "</think>"
    include_if_unfinished: bool = False


class ModelTarget(Frozen):
    """A model that is asked; `generation` holds request fields such as max_tokens."""

    kind: Literal["model"] = "model"
    name: Name = "target"
    endpoint: Endpoint
    generation: dict[str, JsonValue] = {}
    reasoning: Reasoning = Reasoning()


class RecordedTarget(Frozen):
    """Outputs that exist already, in `column`; without one, metrics read the row alone."""

    kind: Literal["recorded"] = "recorded"
    name: Name = "target"
    column: str | None = None


Target = Annotated[ModelTarget | RecordedTarget, Field(discriminator="kind")]


# Datasets.

FileFormat = Literal["csv", "json", "jsonl", "parquet"]


class RowsDataset(Frozen):
    """Samples given in the request."""

    kind: Literal["rows"] = "rows"
    rows: list[dict[str, JsonValue]]
    limit: Annotated[int, Field(ge=1)] | None = None


class FilesDataset(Frozen):
    """Samples in files: `hf://datasets/<ns>/<name>[/<path>]`, or `file:<id>` for an upload.

    Rows of the `layout` bfcl are those of the Berkeley Function-Calling Leaderboard; see `tasks.bfcl`.
    """

    kind: Literal["files"] = "files"
    url: str
    format: FileFormat | None = None
    split: str | None = None
    layout: Literal["bfcl"] | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    hub: str | None = None
    token: SecretRef | None = None


Dataset = Annotated[RowsDataset | FilesDataset, Field(discriminator="kind")]


# Prompts and metrics.


class Prompt(Frozen):
    """A chat request (`messages`) or a completions request (`prompt`) whose strings are templates.

    Other fields of `body` are request fields, and win over the target's `generation`.
    """

    body: dict[str, JsonValue]

    @model_validator(mode="after")
    def _is_a_request(self) -> Self:
        if ("messages" in self.body) == ("prompt" in self.body):
            raise ValueError("a prompt has either 'messages' or 'prompt'")
        return self

    @property
    def route(self) -> str:
        """The path of the endpoint's route, without a leading slash."""
        return "chat/completions" if "messages" in self.body else "completions"


class RegexParser(Frozen):
    """The number in group 1 of `pattern` (linear-time syntax), anchored at the start by `match`."""

    type: Literal["regex"] = "regex"
    pattern: str
    method: Literal["match", "search"] = "match"


class JsonParser(Frozen):
    """The number under the key `path` of a reply that is a JSON object."""

    type: Literal["json"] = "json"
    path: str


Parser = Annotated[RegexParser | JsonParser, Field(discriminator="type")]


class Parsed(Frozen):
    """A judge's reply read by parsers into named numbers."""

    kind: Literal["parsed"] = "parsed"
    scores: Annotated[dict[str, Parser], Field(min_length=1)]


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

    `parts` are the fields that are templates, `names` the scores that a sample gets.
    """

    parts: ClassVar[tuple[str, ...]] = ("candidate", "reference")
    names: ClassVar[tuple[str, ...]]

    name: Name

    @property
    def templates(self) -> dict[str, str]:
        """The templates by the part that they play."""
        return {part: getattr(self, part) for part in self.parts}

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of a sample's scores."""
        return self.names


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


class Bleu(Computed):
    """BLEU of each candidate, and in the summary that of the corpus, from 0 to 100."""

    names = ("sentence",)

    type: Literal["bleu"] = "bleu"
    candidate: str = OUTPUT
    references: Annotated[tuple[str, ...], Field(min_length=1)]

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


ComputedMetric = StringCheck | NumberCheck | Bleu | Rouge | ExactMatch | F1 | Accuracy | ToolCalling | FunctionCall


class Judge(Frozen):
    """A model grades each output; its reply is read by `scale`."""

    type: Literal["judge"] = "judge"
    name: Name
    endpoint: Endpoint
    prompt: Prompt
    generation: dict[str, JsonValue] = {}
    scale: Scale
    reasoning: Reasoning = Reasoning()


MetricSpec = Annotated[ComputedMetric | Judge, Field(discriminator="type")]


class TaskSpec(Frozen):
    """A dataset, a prompt for each model target (by its name), and metrics over the outputs."""

    name: Name
    dataset: Dataset
    prompts: dict[str, Prompt] = {}
    metrics: tuple[MetricSpec, ...] = ()

    @model_validator(mode="after")
    def _metrics_have_names(self) -> Self:
        refuse_duplicates("metric", [metric.name for metric in self.metrics])
        return self


class Params(Frozen):
    """How a job is carried out; None means the service's default."""

    parallelism: Annotated[int, Field(ge=1, le=4096)] | None = None
    limit_samples: Annotated[int, Field(ge=1)] | None = None
    request_timeout_s: Annotated[float, Field(gt=0)] = 120.0
    max_retries: Annotated[int, Field(ge=0, le=100)] = 5
    retry_window_s: Annotated[float, Field(gt=0)] = 600.0


class EvaluationSpec(Frozen):
    """One evaluation: every task is run on every target."""

    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    tasks: Annotated[tuple[TaskSpec, ...], Field(min_length=1)]
    params: Params = Params()

    def with_params(self, params: Mapping[str, JsonValue]) -> Self:
        """Return the specification with other values for some of its parameters."""
        return self.model_copy(update={"params": Params.model_validate({**self.params.model_dump(), **params})})

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        refuse_duplicates("target", [target.name for target in self.targets])
        refuse_duplicates("task", [task.name for task in self.tasks])
        for task in self.tasks:
            for target in self.targets:
                if isinstance(target, ModelTarget) and target.name not in task.prompts:
                    raise ValueError(f"task {task.name!r} has no prompt for the model target {target.name!r}")
            for metric in task.metrics:
                if isinstance(metric, Judge) and metric.scale.kind == "preference" and len(self.targets) != 2:
                    raise ValueError(f"metric {metric.name!r} compares two targets; there are {len(self.targets)}")
        return self


def refuse_duplicates(what: str, names: list[str]) -> None:
    """Raise ValueError naming the first name that stands more than once."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{what} {name!r} stands {count} times; names must differ")
