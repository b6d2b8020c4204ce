"""What to evaluate: targets, tasks and datasets, in the terms of no vendor.

A face translates its request into an `EvaluationSpec`; every later stage reads only that.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, JsonValue, model_validator

from core.endpoint import Endpoint, Frozen, Name, Prompt, Reasoning, SecretRef
from core.metric import Judge, MetricSpec
from core.upgrade import SPEC_VERSION, upgraded

# Targets: the systems under test.


class ModelTarget(Frozen):
    """A model that is asked; `generation` holds request fields such as max_tokens.

    At most `parallelism` of a job's calls to it are made at a time.
    """

    kind: Literal["model"] = "model"
    name: Name = "target"
    endpoint: Endpoint
    generation: dict[str, JsonValue] = Field(default_factory=dict)
    reasoning: Reasoning = Reasoning()
    parallelism: Annotated[int, Field(ge=1)] | None = None


class RecordedTarget(Frozen):
    """Outputs that exist already, in `column`; without one, metrics read the row alone."""

    kind: Literal["recorded"] = "recorded"
    name: Name = "target"
    column: str | None = None


Target = Annotated[ModelTarget | RecordedTarget, Field(discriminator="kind")]


# Datasets.

FileFormat = Literal["csv", "json", "jsonl", "parquet", "tsv"]

UPLOAD_SCHEME: Final = "file:"
"""Before the id of an upload, in the place of a URL."""


class RowsDataset(Frozen):
    """Samples given in the request; a job that is recorded has them in a file."""

    kind: Literal["rows"] = "rows"
    rows: list[dict[str, JsonValue]]


class FilesDataset(Frozen):
    """Samples in files: `hf://datasets/<ns>/<name>[/<path>]`, or `file:<id>` for an upload.

    A specification that is itself a file may name a file by its path, relative to itself; that becomes an upload.
    What a file holds wins over `format` and over its name. Rows of the `layout` bfcl are those of the Berkeley
    Function-Calling Leaderboard, of squad those of SQuAD's articles; see `tasks.datasets.layouts`.
    """

    kind: Literal["files"] = "files"
    url: str
    format: FileFormat | None = None
    split: str | None = None
    layout: Literal["bfcl", "squad"] | None = None
    hub: str | None = None
    token: SecretRef | None = None


Dataset = Annotated[RowsDataset | FilesDataset, Field(discriminator="kind")]


class TaskSpec(Frozen):
    """A dataset, a prompt for each model target (by its name), and metrics over the outputs.

    Of the dataset's rows the first `limit` are the samples. Those with the same value in the column `cluster`, such as
    questions about one text, were drawn together, which intervals heed; `weight` is a column of how much each counts.
    """

    name: Name
    dataset: Dataset
    limit: Annotated[int, Field(ge=1)] | None = None
    cluster: Name | None = None
    weight: Name | None = None
    prompts: dict[str, Prompt] = Field(default_factory=dict)
    metrics: tuple[MetricSpec, ...] = ()

    @model_validator(mode="after")
    def _metrics_have_names(self) -> Self:
        refuse_duplicates("metric", [metric.name for metric in self.metrics])
        return self


MOST_TRIALS: Final = 1000


class Params(Frozen):
    """How a job is carried out; None means the service's default.

    Each model is asked about each sample `trials` times; a `seed` in its `generation` grows by one with each.
    A job fails of which more than `max_failed` (a share, 0 to 1) of the samples could not be generated or judged, each
    trial of a sample counting as one.
    With `needs_scores` it fails if there is not a single score. With `strict_columns` a dataset may have no column
    that nothing reads.
    """

    parallelism: Annotated[int, Field(ge=1, le=4096)] | None = None
    limit_samples: Annotated[int, Field(ge=1)] | None = None
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = 1
    request_timeout_s: Annotated[float, Field(gt=0)] = 120.0
    max_retries: Annotated[int, Field(ge=0, le=100)] = 5
    retry_window_s: Annotated[float, Field(gt=0)] = 600.0
    max_failed: Annotated[float, Field(ge=0, le=1)] | None = None
    needs_scores: bool = False
    strict_columns: bool = False


class EvaluationSpec(Frozen):
    """One evaluation: every task is run on every target.

    The target named `reference` is not evaluated: its outputs are what the others' are held against, and
    templates find them as `sample.reference_text` and `sample.reference_response`.
    One of an older release, or without a version, is read in the words of this one (`core.upgrade`).
    """

    version: Annotated[int, Field(ge=1, le=SPEC_VERSION)] = SPEC_VERSION
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    reference: Name | None = None
    tasks: Annotated[tuple[TaskSpec, ...], Field(min_length=1)]
    params: Params = Params()

    @property
    def model(self) -> str | None:
        """The name of the first model that is evaluated."""
        models = (target.endpoint.model for target in self.targets if isinstance(target, ModelTarget))
        return next(models, None)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of all models that are asked, those that are evaluated first."""
        targets = [target.endpoint.model for target in self.targets if isinstance(target, ModelTarget)]
        metrics = [metric for task in self.tasks for metric in task.metrics]
        judges = [metric.endpoint.model for metric in metrics if isinstance(metric, Judge)]
        return tuple(dict.fromkeys((*targets, *judges)))

    def with_params(self, params: Mapping[str, JsonValue]) -> Self:
        """Return the specification with other values for some of its parameters."""
        return self.model_copy(update={"params": Params.model_validate({**self.params.model_dump(), **params})})

    @model_validator(mode="before")
    @classmethod
    def _of_any_release(cls, spec: Any) -> Any:
        return upgraded(spec) if isinstance(spec, dict) else spec

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        refuse_duplicates("target", [target.name for target in self.targets])
        refuse_duplicates("task", [task.name for task in self.tasks])
        evaluated = [target.name for target in self.targets if target.name != self.reference]
        if self.reference is not None and len(evaluated) in (0, len(self.targets)):
            raise ValueError(f"the reference {self.reference!r} is one of several targets, and not the only one")
        for task in self.tasks:
            for target in self.targets:
                if isinstance(target, ModelTarget) and target.name not in task.prompts:
                    raise ValueError(f"task {task.name!r} has no prompt for the model target {target.name!r}")
            for metric in task.metrics:
                if isinstance(metric, Judge) and metric.scale.kind == "preference" and len(evaluated) != 2:
                    raise ValueError(f"metric {metric.name!r} compares two targets; there are {len(evaluated)}")
        return self

    @model_validator(mode="after")
    def _can_be_repeated(self) -> Self:
        for target in self.targets if self.params.trials > 1 else ():
            if isinstance(target, RecordedTarget) and target.name != self.reference:
                raise ValueError(
                    f"params.trials is {self.params.trials}, and the outputs of target {target.name!r} are recorded: "
                    "only a model can be asked again; leave trials out"
                )
        return self


def refuse_duplicates(what: str, names: list[str]) -> None:
    """Raise ValueError naming the first name that stands more than once."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{what} {name!r} stands {count} times; names must differ")
