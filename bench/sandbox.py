"""`python -m bench.sandbox`: how long evaluations of a ten-line evaluator take, one and two at a time."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from time import perf_counter

from tasks.sandbox.contract import Evaluated
from tasks.sandbox.pool import Pool

SOURCE = """
import re

def words(side):
    text = side["output"]["choices"][0]["message"]["content"]
    return set(re.findall(r"[a-z]+", text.lower()))

def run_evaluation(item):
    said, true = words(item["sample"]), words(item["ground_truth"])
    return {"score": len(said & true) / len(said | true)}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.sandbox", description=__doc__)
    parser.add_argument("--n", type=int, default=1_000, help="number of evaluations")
    count = parser.parse_args().n
    with closing(Pool()) as pool:
        started = perf_counter()
        pool.prove()
        print(f"started and proved in {perf_counter() - started:.2f} s")
        for threads in (1, 2):
            _evaluate(pool, threads, threads)  # so that every process runs
            started = perf_counter()
            _evaluate(pool, count, threads)
            seconds = perf_counter() - started
            print(f"{count:,} evaluations, {threads} at a time: {seconds:.2f} s")


def _evaluate(pool: Pool, count: int, threads: int) -> None:
    item = {"sample": _said("It is Paris"), "ground_truth": _said("Paris it is, in France")}
    with ThreadPoolExecutor(threads) as executor:
        results = list(executor.map(lambda _: pool.run(SOURCE, item), range(count)))
    assert results == [Evaluated(0.6)] * count


def _said(text: str) -> dict[str, object]:
    question = {"messages": [{"role": "user", "content": "What is the capital of France?"}]}
    return {"input": question, "output": {"choices": [{"message": {"role": "assistant", "content": text}}]}}


if __name__ == "__main__":
    main()
