"""`python -m bench.comparisons`: what it takes to hold two large results against each other, from their files.

Both jobs are made up in a temporary home, through the store as an engine would. Each comparison is the first of a
process of its own, whose peak of memory it is; beside it stands what it takes to read the same columns and do no more.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from statistics import median
from time import process_time

import orjson

from core.endpoint import Endpoint, Prompt
from core.metric import Judge, MetricSpec, Range, StringCheck
from core.plan import DatasetDigest, Manifest, cut_shards
from core.result import Output, Score
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from store.results.scan import read_values
from tasks.comparisons.compare import Asked, compare
from tasks.comparisons.sides import open_side

SIDES = ("job-baseline", "job-candidate")
METRICS: dict[str, MetricSpec] = {
    "check": StringCheck(name="correct", left="{{ sample.output_text }}", operator="equals", right="{{ item.a }}"),
    "grade": Judge(
        name="graded",
        endpoint=Endpoint(url="http://127.0.0.1:1/v1", model="judge"),
        prompt=Prompt(body={"messages": [{"role": "user", "content": "{{ sample.output_text }}"}]}),
        scale=Range(minimum=1, maximum=5, threshold=3),
    ),
}
NAMES = {"check": "string-check", "grade": "score"}
CASES = {
    "check": "checks, equal datasets",
    "grade": "grades from 1 to 5, equal datasets",
    "rows": "checks, matched by their rows",
    "slices": "checks, by the six values of a column",
}


def main() -> None:
    """Make the jobs, compare them in processes of their own, and print what it took."""
    options = _options()
    if options.case:
        print(json.dumps(_measure(options.home, options.case)))
        return
    with tempfile.TemporaryDirectory(prefix="assay-comparisons-") as home:
        for case in CASES:
            for side in SIDES:
                write(JobFolder(Path(home) / case, side), options.samples, case)
        print(f"2 x {options.samples:,} samples, medians of {options.rounds}, each the first of its process")
        print(f"{'CPU s':>7} {'x reading':>9} {'peak MB':>8} {'of them new':>11}")
        for case, title in CASES.items():
            rounds = [_alone(home, case) for _ in range(options.rounds)]
            cpu, times, peak, new = (median(figures) for figures in zip(*rounds, strict=True))
            print(f"{cpu:7.2f} {times:9.1f} {peak:8.0f} {new:11.0f}  {title}", flush=True)


def write(folder: JobFolder, samples: int, case: str) -> None:
    """Write the results of a job over recorded answers; the samples of both sides are the same."""
    metric, name = (METRICS[case], NAMES[case]) if case in METRICS else (METRICS["check"], NAMES["check"])
    chance = random.Random(folder.job_id)  # the same jobs in every run
    spec = EvaluationSpec(
        targets=(RecordedTarget(column="said"),),
        tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[]), metrics=(metric,)),),
    )
    shards = cut_shards({"qa": samples}, 2)
    for shard in shards:
        numbers = range(shard.start, shard.stop)
        folder.write_samples(shard, [_item(n) for n in numbers])
        folder.finish_generate(shard, [Output("qa", n, "target", text=f"answer {n}") for n in numbers], [])
        values = [float(chance.random() < 0.7) if name == "string-check" else chance.randint(1, 5) for _ in numbers]
        scores = [
            Score("qa", n, "target", 0, metric.name, name, "scored", float(value))
            for n, value in zip(numbers, values, strict=True)
        ]
        folder.finish_judge(shard, scores, [])
    digest = DatasetDigest(task="qa", sha256=folder.job_id if case == "rows" else "", rows=samples)
    folder.write_manifest(Manifest(job_id=folder.job_id, code_version="", spec=spec, shards=shards, datasets=(digest,)))


def _item(n: int) -> str:
    chance = random.Random(n)
    words = " ".join(
        chance.choices(["what", "is", "the", "capital", "of", "a", "country", "that", "lies", "by", "no", "sea"], k=20)
    )
    return orjson.dumps({"q": f"{n}: {words}", "a": f"answer {n}", "topic": n % 6, "said": f"answer {n}"}).decode()


def _alone(home: str, case: str) -> list[float]:
    command = [sys.executable, "-m", "bench.comparisons", "--case", case, "--home", home]
    figures: list[float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    return figures


def _measure(home: Path, case: str) -> list[float]:
    """Return the seconds of the processor, those against the same for reading, and megabytes: all and new."""
    before, begun = _peak_mb(), process_time()
    sides = [open_side(JobFolder(home / case, side)) for side in SIDES]
    compare(sides[0], sides[1], Asked(slice="topic" if case == "slices" else None))
    cpu, peak = process_time() - begun, _peak_mb()
    begun = process_time()
    for side in sides:
        for shard in side.manifest.shards:
            deque(read_values(side.folder, shard), maxlen=0)
    return [cpu, cpu / (process_time() - begun), peak, peak - before]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.comparisons", description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5, help="comparisons of each case")
    parser.add_argument("--case", choices=CASES, help="measure one in this process, of jobs that are there")
    parser.add_argument("--home", type=Path, help="where the jobs are")
    return parser.parse_args()


if __name__ == "__main__":
    main()
