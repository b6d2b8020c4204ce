"""What is measured: the cases, their samples, and the requests that both sides make for them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL = "bench/model"
JUDGE = "Reference: {answer}\nOutput: {output}\nIs the output right? ANSWER: SCORE: 1"
"""What the judge is asked; the scripted endpoint says what follows `ANSWER:`."""

MAX_TOKENS = 1024
"""What a NeMo judge is asked for unless its job says otherwise."""


@dataclass(frozen=True)
class Case:
    """`n` samples of one call each, and one more with a judge, at `concurrency` calls at a time."""

    n: int
    judge: bool
    latency_s: float = 0.05
    concurrency: int = 128

    @property
    def calls(self) -> int:
        """The calls that the case pays for."""
        return self.n * (1 + self.judge)

    @property
    def label(self) -> str:
        """The case in words."""
        judge = ", judge" if self.judge else ""
        return f"N = {self.n:,}{judge}, {self.latency_s * 1e3:g} ms, c = {self.concurrency}"


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
