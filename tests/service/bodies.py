"""The parts of a NeMo v2 request, small enough that a test says only what it is about."""

from typing import Any

from tests.conftest import Served

Json = dict[str, Any]

CORRECT = {"type": "string-check", "params": {"check": ["{{sample.output_text}}", "equals", "{{item.answer}}"]}}
"""Whether the output is the row's `answer`."""


def model(url: str, name: str = "m", **more: Any) -> Json:
    return {"api_endpoint": {"url": url, "model_id": name, **more}}


def chat(content: str) -> Json:
    return {"messages": [{"role": "user", "content": content}]}


def chat_task(files_url: str, prompt: str = "{{item.question}}", **metrics: Json) -> Json:
    return {
        "type": "chat-completion",
        "params": {"template": chat(prompt)},
        "dataset": {"files_url": files_url},
        "metrics": metrics or {"correct": CORRECT},
    }


def judge(judging: Json, prompt: str, **parsers: Json) -> Json:
    """Grade by a model; its replies are read by parsers, or by a regex for `SCORE: 4`."""
    parsers = parsers or {"grade": regex(r"SCORE: (\d)")}
    scores = {name: {"type": "int", "parser": parser} for name, parser in parsers.items()}
    return {"type": "llm-judge", "params": {"model": judging, "template": chat(prompt), "scores": scores}}


def regex(pattern: str) -> Json:
    return {"type": "regex", "pattern": pattern}


def job(target: Json, *, params: Json | None = None, **tasks: Json) -> Json:
    """Return a job's `spec`; a target without a type is a model."""
    if "api_endpoint" in target:
        target = {"type": "model", "model": target}
    return {"target": target, "config": {"type": "custom", "params": params or {}, "tasks": tasks}}


def carry_out_another(served: Served) -> None:
    """Have a job of one row carried out: what an earlier one still had to do has been done by then."""
    spec = job({"type": "rows", "rows": [{"a": "1"}]}, qa={"type": "data"})
    assert served.wait(served.create(spec)).status == "completed"
