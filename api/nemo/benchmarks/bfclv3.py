"""The categories "simple" and "irrelevance" of the Berkeley Function-Calling Leaderboard v3 (Patil et al. 2025)."""

from typing import Final

from api.nemo.benchmarks.benchmark import Benchmark
from core.metric import FunctionCall
from core.spec import FilesDataset

POSSIBLE: Final = "{{ item.ground_truth | tojson }}"

BENCHMARK: Final = Benchmark(
    task="simple",
    task_types=("simple", "irrelevance", "live_irrelevance"),
    dataset=FilesDataset(
        url="hf://datasets/gorilla-llm/Berkeley-Function-Calling-Leaderboard/BFCL_v3_{type}.json",
        format="jsonl",  # one object a line, in spite of the name
        layout="bfcl",
    ),
    template={"messages": "{{ item.messages | tojson }}", "tools": "{{ item.tools | tojson }}"},
    reference=POSSIBLE,
    metrics=(FunctionCall(name="accuracy", reference=POSSIBLE),),
    reads_text=False,
)
