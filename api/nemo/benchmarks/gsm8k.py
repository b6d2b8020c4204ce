"""GSM8K: word problems of grade school (Cobbe et al. 2021).

The number after ####, and the last one of all, against that of the reference, which stands after ####.
"""

from typing import Final

from api.nemo.benchmarks.benchmark import Benchmark, ask
from core.metric import FinalNumber
from core.spec import FilesDataset

SOLVE: Final = """\
Question: {{ item.question }}
Think step by step. End your answer with the number alone, after ####.
Answer:"""
ANSWER: Final = "{{ item.answer }}"

BENCHMARK: Final = Benchmark(
    task="exact_match",
    task_types=("default", "gsm8k"),
    dataset=FilesDataset(url="hf://datasets/openai/gsm8k/main", split="test"),
    template=ask(SOLVE),
    reference=ANSWER,
    metrics=(
        FinalNumber(
            name="exact_match",
            reference=ANSWER,
            marker="####",
            strict="gsm8k-metric_ranking-1",
            flexible="gsm8k-metric_ranking-3",
        ),
    ),
    repeated=True,
)
