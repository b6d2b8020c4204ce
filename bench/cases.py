"""What is measured: the cases, their samples, and the requests that both sides make for them."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

MODEL = "bench/model"
JUDGE = "Reference: {answer}\nOutput: {output}\nIs the output right? ANSWER: SCORE: 1"
"""What the judge is asked; the scripted endpoint says what follows `ANSWER:`."""

MAX_TOKENS = 1024
"""What a NeMo judge is asked for unless its job says otherwise."""


@dataclass(frozen=True)
class Latency:
    """What the endpoint takes for a call: always `median_s`, or with a `sigma` log-normal around it."""

    median_s: float
    sigma: float = 0.0

    @property
    def mean_s(self) -> float:
        """The mean."""
        return self.median_s * math.exp(self.sigma**2 / 2)

    @property
    def label(self) -> str:
        """The latency in words."""
        return f"{'log-normal around ' if self.sigma else ''}{self.median_s * 1e3:g} ms"


AT_ONCE: Final = Latency(0.0)
STEADY: Final = Latency(0.05)
SPREAD: Final = Latency(0.3, 0.5)
LATENCIES: Final = {"0": AT_ONCE, "50": STEADY, "300": SPREAD}

SMALL: Final = 2_000
EQUAL_SHARDS: Final = 6_000
"""From here on a job's shards have the same size, so that it has no more samples in its hands at a time."""

LARGE: Final = 20_000
SIZES: Final = (1, SMALL, LARGE)
CONCURRENCIES: Final = (32, 128, 512)
LONGEST_S: Final = 60.0
"""Cases of the grid that take longer even without us are left out."""


@dataclass(frozen=True)
class Case:
    """`n` samples of one call each, and one more with a judge, at `concurrency` calls at a time; of each of `jobs`."""

    n: int
    judge: bool
    latency: Latency = STEADY
    concurrency: int = 128
    jobs: int = 1

    @property
    def calls(self) -> int:
        """The calls that the case pays for."""
        return self.jobs * self.n * (1 + self.judge)

    @property
    def least_s(self) -> float:
        """The seconds that the endpoint takes for the calls, however fast they are made."""
        return max(self.calls / self.at_once, 1 + self.judge) * self.latency.mean_s

    @property
    def at_once(self) -> int:
        """The calls of all jobs that are made at a time."""
        return self.jobs * self.concurrency

    @property
    def label(self) -> str:
        """The case in words."""
        jobs = f"{self.jobs} x " if self.jobs > 1 else ""
        return f"{jobs}N = {self.n:,}{', judge' if self.judge else ''}, {self.latency.label}, c = {self.concurrency}"


def goal_cases(rounds: int) -> list[Case]:
    """Return the cases that the goals are about, by turns; the large ones, which vary least, once."""
    once = [Case(n, judge) for n in (EQUAL_SHARDS, LARGE) for judge in (False, True)]
    return [Case(n, judge) for _ in range(rounds) for n in (1, SMALL) for judge in (False, True)] + once


def grid_cases(
    latency: Latency, sizes: Sequence[int], concurrencies: Sequence[int], judges: Sequence[bool]
) -> tuple[list[Case], list[Case]]:
    """Return the cases to measure, and those that are left out for their length.

    A single sample is measured at one concurrency only.
    """
    every = [
        Case(n, judge, latency, concurrency)
        for n, concurrency, judge in product(sizes, concurrencies, judges)
        if n > 1 or concurrency == concurrencies[0]
    ]
    return [case for case in every if case.least_s <= LONGEST_S], [case for case in every if case.least_s > LONGEST_S]


def rows(n: int) -> Iterator[dict[str, Any]]:
    """Yield the samples."""
    for i in range(n):
        yield {"question": f"Sample {i}: what is {i} + {i}? ANSWER: {2 * i}", "answer": str(2 * i)}


def requests(case: Case) -> Iterator[dict[str, Any]]:
    """Yield the bodies of the case's requests, those for the judge last."""
    for row in rows(case.n):
        yield _asking(row["question"])
    if case.judge:
        for row in rows(case.n):
            yield _asking(JUDGE.format(answer=row["answer"], output=row["answer"])) | {"max_tokens": MAX_TOKENS}


def write_dataset(folder: Path, n: int) -> str:
    """Write the samples as a dataset below `folder` and return its URL."""
    file = folder / "bench" / "sums" / f"{n}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(n)))
    return f"hf://datasets/{file.relative_to(folder)}"


def job_body(case: Case, endpoint: str, dataset: str) -> dict[str, Any]:
    """Return the case as a NeMo Evaluator v2 client posts it."""
    model = {"api_endpoint": {"url": endpoint, "model_id": MODEL}}
    check = ["{{sample.output_text}}", "equals", "{{item.answer}}"]
    metrics: dict[str, Any] = {"right": {"type": "string-check", "params": {"check": check}}}
    if case.judge:
        grade = JUDGE.format(answer="{{item.answer}}", output="{{sample.output_text}}")
        parser = {"type": "regex", "pattern": r"SCORE: (\d)", "method": "search"}
        judge = {
            "model": model,
            "template": _template(grade),
            "scores": {"grade": {"type": "int", "parser": parser}},
        }
        metrics["graded"] = {"type": "llm-judge", "params": judge}
    task = {
        "type": "chat-completion",
        "params": {"template": _template("{{item.question}}")},
        "dataset": {"files_url": dataset},
        "metrics": metrics,
    }
    config = {"type": "custom", "params": {"parallelism": case.concurrency}, "tasks": {"sums": task}}
    return {"spec": {"target": {"type": "model", "model": model}, "config": config}}


def _template(content: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


def _asking(content: str) -> dict[str, Any]:
    return {"model": MODEL, **_template(content)}
