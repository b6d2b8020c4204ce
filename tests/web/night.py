"""The jobs of a night, carried out by real engines: two models and a judge on the same questions, and what went wrong.

What the models say is made up, and the same in every run.
"""

import json
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import orjson

from core.endpoint import Endpoint
from core.job import Count, Failure, NewJob, Progress, random_id, utcnow
from core.metric import Judge, Range, StringCheck
from core.spec import EvaluationSpec, ModelTarget
from flows.control.finish import finish
from store.workspace import Workspace
from tests.scripted import Answer, Received, ScriptedEndpoint, failure, last_content
from tests.tasks.conftest import Lab
from tests.tasks.specs import chat, spec

SAMPLES: Final = 200
CAPITALS: Final = {
    "France": "Paris", "Japan": "Tokyo", "Kenya": "Nairobi", "Peru": "Lima", "Norway": "Oslo", "Egypt": "Cairo",
    "Chile": "Santiago", "Ghana": "Accra", "Cuba": "Havana", "Iraq": "Baghdad", "Nepal": "Kathmandu", "Latvia": "Riga",
}  # fmt: skip
SKILL: Final = {"small-1": {"arithmetic": 0.55, "geography": 0.8, "units": 0.6}, "large-2": {"arithmetic": 0.9}}
OTHERWISE: Final = 0.82
HOSTILE: Final = """<script>document.title="hacked"</script>'"><img src=x onerror='document.title="hacked"'>"""

IN_MARKDOWN: Final = "q017"
WORKED_OUT: Final = """1. A kilometre has *1,000* metres.
2. So five of them have `5 * 1000` metres.

| km | m |
|---:|---:|
| 1 | 1000 |
| 5 | 5000 |

> Distances along the ground.

```python
metres = 5 * 1000
```"""

GRADE: Final = (
    "Question: {{ item.question }}\nReference: {{ item.answer }}\nAnswer: {{ sample.output_text }}\n"
    "How good is the answer, from 0 to 4, and why?"
)
CONTAINS: Final = StringCheck(
    name="correct", left="{{ sample.output_text }}", operator="contains", right="{{ item.answer }}"
)


def questions(count: int = SAMPLES) -> list[dict[str, Any]]:
    """Return rows of three topics."""
    random = Random(7)
    return [_question(n, random) for n in range(count)]


def _question(n: int, random: Random) -> dict[str, Any]:
    topic = ("arithmetic", "geography", "units")[n % 3]
    if topic == "arithmetic":
        a, b = random.randint(12, 99), random.randint(12, 99)
        asked, answer = f"What is {a} times {b}?", str(a * b)
    elif topic == "geography":
        country = random.choice(sorted(CAPITALS))
        asked, answer = f"What is the capital of {country}?", CAPITALS[country]
    else:
        km = random.randint(2, 60)
        asked, answer = f"How many metres are {km} kilometres?", str(km * 1000)
    return {"id": f"q{n:03}", "question": f"{asked} (no. {n})", "answer": answer, "topic": topic, "level": n % 5}


@dataclass(frozen=True)
class Models:
    """What the models and the judge say to the rows."""

    rows: dict[str, dict[str, Any]]

    def __call__(self, call: Received) -> Answer:
        said = last_content(call["body"])
        model = str(call["body"]["model"])
        row = next(row for number, row in self.rows.items() if f"(no. {number})" in said)
        random = Random(f"{model} {row['id']} {'Answer:' in said}")
        return _grade(said, row, random) if model == "judge-3" else _answer(model, row, random)


def _answer(model: str, row: dict[str, Any], random: Random) -> Answer:
    if random.random() < 0.02:
        return failure(400, "This request was blocked by the content filter")
    right = random.random() < SKILL[model].get(row["topic"], OTHERWISE)
    answer = row["answer"] if right else f"{random.randint(100, 999)}"
    thinking = f"The question is about {row['topic']}. Let me work it out step by step.\nSo: {answer}."
    text = f"The answer is **{answer}**."
    if random.random() < 0.05:
        text = f"{HOSTILE} {text}"
    if random.random() < 0.04:
        return _reply(text[:9], random, finish="length")
    if row["id"] == IN_MARKDOWN:
        text = f"#### Answer\n\n{text}\n\n{WORKED_OUT}"
    return _reply(text, random, thinking=thinking if random.random() < 0.4 else None)


def _grade(said: str, row: dict[str, Any], random: Random) -> Answer:
    if random.random() < 0.03:
        return _reply("I would rather not give a number.", random)
    right = row["answer"] in said.partition("Answer:")[2]
    grade = random.choice((3, 4, 4)) if right else random.choice((0, 0, 1, 2))
    why = f"It {'gives' if right else 'misses'} the reference {row['answer']}."
    return _reply(json.dumps({"feedback": why, "score": grade}), random)


def _reply(text: str, random: Random, *, thinking: str | None = None, finish: str = "stop") -> Answer:
    message = {"role": "assistant", "content": text} | ({"reasoning_content": thinking} if thinking else {})
    asked, told = random.randint(30, 90), random.randint(5, 120)
    usage = {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}
    return Answer(orjson.dumps(body))


@dataclass(frozen=True)
class Night:
    """The ids of the jobs."""

    small: str
    large: str
    running: str
    failed: str
    hostile: str


def evaluation(url: str, model: str, rows: list[dict[str, Any]]) -> EvaluationSpec:
    """Return what a model is asked, and how that is scored."""
    target = ModelTarget(name=model, endpoint=Endpoint(url=url, model=model))
    scale = Range(minimum=0, maximum=4, threshold=3)
    grade = Judge(name="quality", endpoint=Endpoint(url=url, model="judge-3"), prompt=chat(GRADE), scale=scale)
    return spec(target, rows, CONTAINS, grade, parallelism=16)


def make_night(workspace: Workspace, *, samples: int = SAMPLES) -> Night:
    """Carry out the jobs of a night in a workspace."""
    rows = questions(samples)
    with ScriptedEndpoint(Models({str(n): row for n, row in enumerate(rows)})) as models:
        lab = Lab(workspace, models)

        def run(name: str, model: str, given: list[dict[str, Any]]) -> str:
            job_id = add(workspace, evaluation(models.url, model, given), name=name)
            workspace.jobs.settle(job_id, status="running", started_at=utcnow())
            lab.carry_out(workspace.jobs.get(job_id))
            finish(workspace, workspace.jobs.get(job_id), "completed")
            return job_id

        small = run("nightly-small-1", "small-1", rows)
        large = run("nightly-large-2", "large-2", rows)
        hostile = run(HOSTILE, "large-2", [{**row, HOSTILE: HOSTILE} for row in rows[:12]])
        failed = add(workspace, evaluation(models.url, "small-1", rows), name="nightly-broken")
        failure_of = Failure(
            blame="user", code="unreachable", message="The target 'small-1' answered no request: HTTP 401"
        )
        workspace.jobs.settle(failed, status="running", started_at=utcnow())
        workspace.jobs.settle(failed, status="failed", failure=failure_of, finished_at=utcnow())
        return Night(small, large, start(workspace, evaluation(models.url, "large-2", rows)), failed, hostile)


def add(workspace: Workspace, asked: EvaluationSpec, *, name: str) -> str:
    """Record a job."""
    job_id = random_id("job-")
    new = NewJob(id=job_id, face="nemo-v2", spec=asked, request={}, name=name, model=asked.model, project="nightly")
    return workspace.jobs.add(new).id


def start(workspace: Workspace, asked: EvaluationSpec, *, name: str = "nightly-now", done: int = 3) -> str:
    """Record a job of which an engine has told that it is under way."""
    job_id = add(workspace, asked, name=name)
    workspace.jobs.settle(job_id, status="running", started_at=utcnow())
    tell(workspace, job_id, done)
    return job_id


def tell(workspace: Workspace, job_id: str, done: int) -> None:
    """Report of a job that so many samples are through."""
    now = utcnow()
    counts = {"qa": {"generate": Count(min(SAMPLES, 2 * done), SAMPLES), "judge": Count(done, SAMPLES)}}
    workspace.jobs.report(Progress(job_id, 1, "lab", now, counts, began_at=now))  # type: ignore[arg-type]
