"""How like the outputs are to ideal responses, in all ways that texts are compared in."""

from typing import Final

from api.nemo.benchmarks.benchmark import Benchmark, ask
from core.metric import F1, Accuracy, Bleu, ExactMatch, Rouge

IDEAL: Final = "{{ item.ideal_response }}"
BLEU: Final = "bleu_score"

BENCHMARK: Final = Benchmark(
    task="default",
    task_types=("default",),
    dataset=None,
    template=ask("{{ item.prompt }}"),
    reference=IDEAL,
    metrics=(
        Accuracy(name="accuracy", reference=IDEAL),
        Bleu(name="bleu", references=(IDEAL,), score=BLEU),
        Rouge(name="rouge", reference=IDEAL),
        ExactMatch(name="em", reference=IDEAL),
        F1(name="f1", reference=IDEAL),
    ),
    bleu=BLEU,
)
