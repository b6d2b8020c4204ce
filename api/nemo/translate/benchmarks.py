"""The benchmarks that a config may name in place of its tasks: their rows, prompts and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from core.metric import F1, Accuracy, Bleu, ExactMatch, FinalNumber, FunctionCall, MetricSpec, Rouge
from core.spec import FilesDataset

SOLVE: Final = """\
Question: {{ item.question }}
Think step by step. End your answer with the number alone, after ####.
Answer:"""
IDEAL: Final = "{{ item.ideal_response }}"
BLEU: Final = "bleu_score"


@dataclass(frozen=True)
class Benchmark:
    """An evaluation that is written down already.

    Its task is called `task` where the config has none; those that it has are of one of `task_types`, and may
    bring their own dataset, template and metrics. Rows of a dataset given instead of `dataset` are of the same shape.
    Its metrics read texts, which may be there already, unless `reads_text` is false. `bleu` is what its BLEU is called.
    """

    task: str
    task_types: tuple[str, ...]
    dataset: FilesDataset | None
    template: dict[str, JsonValue]
    reference: str
    metrics: tuple[MetricSpec, ...]
    reads_text: bool = True
    bleu: str | None = None

    def named(self, metric: MetricSpec) -> MetricSpec:
        """Return a metric with its scores called as in this benchmark's results."""
        return metric.model_copy(update={"score": self.bleu}) if isinstance(metric, Bleu) else metric


def _ask(text: str) -> dict[str, JsonValue]:
    return {"messages": [{"role": "user", "content": text}]}


BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    # The number after ####, and the last one of all, against that of the reference, which stands after ####.
    "gsm8k": Benchmark(
        task="exact_match",
        task_types=("default", "gsm8k"),
        dataset=FilesDataset(url="hf://datasets/openai/gsm8k/main", split="test"),
        template=_ask(SOLVE),
        reference="{{ item.answer }}",
        metrics=(
            FinalNumber(
                name="exact_match",
                reference="{{ item.answer }}",
                marker="####",
                strict="gsm8k-metric_ranking-1",
                flexible="gsm8k-metric_ranking-3",
            ),
        ),
    ),
    # One object a line, in spite of the name.
    "bfclv3": Benchmark(
        task="simple",
        task_types=("simple",),
        dataset=FilesDataset(
            url="hf://datasets/gorilla-llm/Berkeley-Function-Calling-Leaderboard/BFCL_v3_simple.json",
            format="jsonl",
            layout="bfcl",
        ),
        template={"messages": "{{ item.messages | tojson }}", "tools": "{{ item.tools | tojson }}"},
        reference="{{ item.ground_truth | tojson }}",
        metrics=(FunctionCall(name="accuracy", reference="{{ item.ground_truth | tojson }}"),),
        reads_text=False,
    ),
    "similarity_metrics": Benchmark(
        task="default",
        task_types=("default",),
        dataset=None,
        template=_ask("{{ item.prompt }}"),
        reference=IDEAL,
        metrics=(
            Accuracy(name="accuracy", reference=IDEAL),
            Bleu(name="bleu", references=(IDEAL,), score=BLEU),
            Rouge(name="rouge", reference=IDEAL),
            ExactMatch(name="em", reference=IDEAL),
            F1(name="f1", reference=IDEAL),
        ),
        bleu=BLEU,
    ),
}
