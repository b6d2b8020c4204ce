"""What an evaluation is that is written down already."""

from dataclasses import dataclass

from pydantic import JsonValue

from core.metric import Bleu, MetricSpec
from core.spec import FilesDataset


@dataclass(frozen=True)
class Benchmark:
    """An evaluation that is written down already.

    Its task is called `task` where the config has none; those that it has are of one of `task_types`, and may
    bring their own dataset, template and metrics. Rows of a dataset given instead of `dataset` are of the same shape;
    the URL of that names the task's type as `{type}`, if there is a file for each.
    Its metrics read texts, which may be there already, unless `reads_text` is false. `bleu` is what its BLEU is called.
    The vendor's runs of it take a number of repeats if it is `repeated`.
    """

    task: str
    task_types: tuple[str, ...]
    dataset: FilesDataset | None
    template: dict[str, JsonValue]
    reference: str
    metrics: tuple[MetricSpec, ...]
    reads_text: bool = True
    bleu: str | None = None
    repeated: bool = False

    def named(self, metric: MetricSpec) -> MetricSpec:
        """Return a metric with its scores called as in this benchmark's results."""
        return metric.model_copy(update={"score": self.bleu}) if isinstance(metric, Bleu) else metric


def ask(text: str) -> dict[str, JsonValue]:
    """Return the template of a chat request with one message."""
    return {"messages": [{"role": "user", "content": text}]}
