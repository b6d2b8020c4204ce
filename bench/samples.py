"""`python -m bench.samples`: how long a page of one large job's samples takes, by what it is asked.

The API answers over a socket; the job is made up in a temporary home, through the store as an engine would.
"""

import argparse
import random
import tempfile
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import httpx
import orjson

from bench.lists import serving
from core.job import NewJob
from core.plan import DatasetDigest, Manifest, Shard, cut_shards
from core.result import Output, Score
from core.settings import Settings
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from store.workspace import Workspace

JOB = "job-samples"
WARM_UP = 2
TOPICS = ("geography", "arithmetic", "literature", "history", "law", "physics")
WORDS = [f"{a}{b}" for a in ("ba", "lo", "mi", "tu", "re", "sa") for b in ("ster", "nd", "ck", "ring", "vel", "mon")]
SPEC = EvaluationSpec(targets=(RecordedTarget(),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[])),))

TYPED = (
    "",
    "filter[truncated]=true",
    "filter[sample][gte]=999000",
    "filter[outcome]=judge_unparsable",
    "filter[outcome]=judge_unparsable&filter[truncated]=true",
    "filter[score.grade][gte]=3&filter[score.string-check]=0",
    "filter[score.grade][gt]=4",
    "filter[metric]=correct&filter[passed]=false",
    "sort=-sample",
    "sort=-score.grade",
    "sort=score.grade&filter[score.string-check]=0",
)
IN_TEXT = (
    "filter[item.topic]=physics",
    "filter[item.topic]=nowhere",
    "filter[item.n][gte]=999000",
    "search[output]=lond%20revel",
    "search[output]=not%20to%20be%20found",
    "search[item]=not%20to%20be%20found",
)


def main() -> None:
    """Make the job, ask for its samples, and print the times."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="assay-samples-") as home:
        workspace = Workspace.open(Settings(home=Path(home)), migrating=True)
        workspace.jobs.add(NewJob(id=JOB, face="nemo-v2", spec=SPEC, request={}, name=JOB))
        write(workspace.folder(JOB), options.samples)
        print(f"{options.samples} samples with two scores each, pages of 50, {options.rounds} requests of each query")
        print(f"{'median':>8} {'p95':>8}  milliseconds")
        with serving(workspace) as http:
            for title, queries in (("by typed columns", TYPED), ("in the text of items and outputs", IN_TEXT)):
                print(title)
                for query in queries:
                    _measure(http, query, options.rounds)
        workspace.close()


def write(folder: JobFolder, samples: int) -> None:
    """Write the results of a job; one score in a thousand could not be had."""
    chance = random.Random(1)  # the same job in every run
    shards = cut_shards({"qa": samples}, 2)
    for shard in shards:
        numbers = range(shard.start, shard.stop)
        folder.write_samples(shard, [_item(n, chance) for n in numbers])
        outputs = [
            Output("qa", n, "target", text=_text(chance, 30), finish_reason="stop", truncated=chance.random() < 0.01)
            for n in numbers
        ]
        folder.finish_generate(shard, outputs, [])
        folder.finish_judge(shard, _scores(shard, chance), [])
    digest = DatasetDigest(task="qa", sha256="", rows=samples)
    folder.write_manifest(Manifest(job_id=JOB, code_version="", spec=SPEC, shards=shards, datasets=(digest,)))


def _item(n: int, chance: random.Random) -> str:
    row = {"question": _text(chance, 20), "answer": _text(chance, 3), "topic": chance.choice(TOPICS), "n": n}
    return orjson.dumps(row).decode()


def _scores(shard: Shard, chance: random.Random) -> list[Score]:
    scores: list[Score] = []
    for n in range(shard.start, shard.stop):
        right = chance.random() < 0.7
        scores.append(Score("qa", n, "target", 0, "correct", "string-check", "scored", float(right), passed=right))
        key = ("qa", n, "target", 0, "graded", "grade")
        if chance.random() < 0.001:
            scores.append(Score(*key, "judge_unparsable", error="no number in the reply"))
        else:
            scores.append(Score(*key, "scored", float(chance.randrange(5)), feedback=_text(chance, 12)))
    return scores


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def _measure(http: httpx.Client, query: str, rounds: int) -> None:
    taken = []
    for _ in range(WARM_UP + rounds):
        began = perf_counter()
        http.get(f"/api/assay/v1/jobs/{JOB}/samples?limit=50&{query}").raise_for_status()
        taken.append(1_000 * (perf_counter() - began))
    taken = taken[WARM_UP:]
    print(f"{median(taken):8.1f} {quantiles(taken, n=20)[-1]:8.1f}  {query or 'the first page'}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.samples", description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=10, help="requests of each query")
    return parser.parse_args()


if __name__ == "__main__":
    main()
