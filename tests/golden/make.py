"""Makes the golden home of a release, with that release's code: `python -m tests.golden.make FILE.tar.gz`.

It is what users may have when they upgrade: a finished job of every face, one that failed, one that was cut short in
the midst of a record of its journal, what they stored and uploaded, and keys with the worthless key that encrypts them.
`made.json` in it says which is which; what the jobs came to is in `tests.questions`, since their tags are known.
"""

import json
import socket
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

import httpx

from api.http.state import State
from api.together.result_file import publish
from core.errors import AssayError
from core.job import utcnow
from core.settings import Settings
from flows.control.finish import finish
from store.results.journal import Journal, render_call
from store.workspace import Workspace
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tests import faces
from tests.api.conftest import running
from tests.questions import NO_ANSWER, Models, Questions
from tests.scripted import ScriptedEndpoint
from tests.tasks.conftest import Lab

FACES: Final = (faces.NemoV1, faces.NemoV2, faces.Together, faces.Nugen, faces.Maniac)
FAILED: Final = Questions("failed", (NO_ANSWER,) * 3)
UNFINISHED: Final = (Questions("one"), Questions("two"))
"""The tasks of the job that goes on."""

JOURNALLED: Final = 9
"""So many calls of its second task are in the journal, and half of another."""

BEYOND: Final = {"question": "one that is beyond the limit"}
"""A row that a limit leaves out; the models would not know what to say to it."""

ROWS: Final = [{"said": said, "answer": "yes"} for said in ("yes", "no", "yes", "perhaps")]
"""Of a job that asks no model."""

KEY: Final = "sk-of-a-golden-home"


def questions_of(face: type[faces.Http]) -> Questions:
    """Return what the job of a face is asked."""
    return Questions(face.__name__.lower())


def make(home: Path) -> dict[str, str]:
    """Fill a home, and return the ids of its jobs by what they are."""
    asked = [*map(questions_of, FACES), FAILED, *UNFINISHED]
    with ScriptedEndpoint(Models(*asked)) as model:
        settings = Settings(home=home, default_endpoint=model.url, default_judge="judge")
        with closing(Workspace.open(settings, migrating=True)) as workspace:
            return _fill(workspace, Lab(workspace, model))


def _fill(workspace: Workspace, lab: Lab) -> dict[str, str]:
    state = State.over(workspace, wake=lambda: None, ready=lambda: True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with running(state, listening), httpx.Client(base_url=url, timeout=60) as http:
            clients = [face(http, lab.model.url) for face in FACES]
            made: dict[str, str] = {client.face: client.create(questions_of(type(client))) for client in clients}
            native = faces.Native(http, lab.model.url)
            made["failed"] = native.create(FAILED)
            made["computed"] = native.create_from(_computed())
            made["unfinished"] = native.create_from(_unfinished())
            _store(native)
    for name, job_id in made.items():
        _cut_short(lab, job_id) if name == "unfinished" else _carry_out(lab, job_id)
    return made


def _store(native: faces.Native) -> None:
    """Store a target with a key, and a config."""
    endpoint = {"url": native.models_url, "model_id": "m", "api_key": KEY}
    native.post("/v1/evaluation/targets", {"type": "model", "name": "golden", "model": {"api_endpoint": endpoint}})
    check = {"type": "string-check", "params": {"check": ["{{item.a}}", "equals", "{{item.b}}"]}}
    task = {"type": "data", "metrics": {"same": check}}
    native.post("/v1/evaluation/configs", {"type": "custom", "name": "golden", "tasks": {"qa": task}})


def _computed() -> faces.Json:
    checks = [
        {"type": "string-check", "name": "correct", "left": "{{said}}", "operator": "equals", "right": "{{answer}}"},
        {"type": "bleu", "name": "near", "candidate": "{{said}}", "references": ["{{answer}}"]},
    ]
    task = {"name": "qa", "dataset": {"kind": "rows", "rows": ROWS}, "metrics": checks}
    return {"targets": [{"kind": "recorded", "column": "said"}], "tasks": [task]}


def _unfinished() -> faces.Json:
    tasks = [
        {
            "name": questions.tag,
            "dataset": {"kind": "rows", "rows": [*questions.rows, BEYOND]},
            "limit": len(questions.rows),
            "prompts": {"target": {"body": faces.chat(faces.BRIEF, "{{question}}")}},
            "metrics": [
                {
                    "type": "judge",
                    "name": "judge",
                    "endpoint": {"model": "judge"},
                    "prompt": {"body": faces.chat(faces.GRADE, faces.SHOWN)},
                    "scale": faces.SCALE.model_dump(),
                }
            ],
        }
        for questions in UNFINISHED
    ]
    endpoint = {"model": "m", "api_key": KEY}
    return {"targets": [{"kind": "model", "endpoint": endpoint}], "tasks": tasks, "params": {"max_retries": 0}}


def _carry_out(lab: Lab, job_id: str) -> None:
    workspace = lab.workspace
    workspace.jobs.settle(job_id, status="running", started_at=utcnow())
    job = workspace.jobs.get(job_id)
    try:
        lab.carry_out(job)
    except AssayError:
        finish(workspace, job, "failed")
    else:
        publish(workspace, job)
        finish(workspace, job, "completed")


def _cut_short(lab: Lab, job_id: str) -> None:
    """Have an engine die that has finished the first shard, and was in the midst of the second."""
    lab.workspace.jobs.settle(job_id, status="running", started_at=utcnow())
    folder = lab.workspace.folder(job_id)
    with lab.engaged(lab.workspace.jobs.get(job_id)) as engine:
        first, second = engine.manifest.shards
        generate_shard(engine, first, final=True)
        judge_shard(engine, first, final=True)
        generate_shard(engine, second, final=True)
    calls = folder.read_calls("generate", second)
    folder.file("outputs", second.index).unlink()
    folder.calls_file("generate", second).unlink()
    path = folder.journals.path("generate", second)
    with Journal(path) as journal:
        for call in calls[:JOURNALLED]:
            journal.append(call)
    record = render_call(calls[JOURNALLED])
    with path.open("ab") as file:
        file.write(record[: len(record) // 2])


def main(archive: str) -> None:
    """Write the archive."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        (Path(folder) / "made.json").write_text(json.dumps(make(home)))
        with tarfile.open(archive, "w:gz") as tar:
            for name in ("made.json", "home"):
                tar.add(Path(folder) / name, name)


if __name__ == "__main__":
    main(sys.argv[1])
