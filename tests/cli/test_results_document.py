"""The commands and queries of docs/results.md, run on a small set of results."""

import json
import re
import shlex
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from cli.main import answer
from core.job import Job, NewJob, random_id
from core.plan import Manifest, Shard
from core.result import Output, Score, Summary
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from store.results.views import query
from tests.tasks.specs import alike

DOCUMENT = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
QUERIES = [(sql, text) for (kind, sql), (_, text) in pairwise(FENCES) if kind == "sql"]
COMMANDS = [line for kind, text in FENCES if kind == "sh" for line in text.splitlines()]
SPEC = EvaluationSpec(targets=(RecordedTarget(name="t"),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[])),))
NIGHTS = {
    ("small-1", 21): (1, 0, 0, 0),
    ("small-1", 22): (0, 1, 0, 1),
    ("large-2", 21): (1, 1, 1, 0),
    ("large-2", 22): (1, 1, 0, 1),
}

SHOWN = {
    "--where": "Berlin",
    "--outcome": "task",
    "--sort=-score.string-check": "1.0",
    "--format": 'qa,0,t,0,"{""topic"": ""arithmetic""}",\'=Berlin 0',
}
"""What each command prints, among other things, by its first option."""


def write_job(results: Path, job_id: str, model: str, day: int, right: tuple[int, ...]) -> JobFolder:
    folder = JobFolder(results, job_id)
    shard = Shard(index=0, task="qa", start=0, stop=len(right))
    topics = ("arithmetic", "geography")
    folder.write_samples(shard, [json.dumps({"topic": topics[n % 2]}) for n in range(len(right))])
    folder.finish_generate(shard, [Output("qa", n, "t", text=f"=Berlin {n}") for n in range(len(right))], [])
    scores = [
        Score("qa", n, "t", 0, "correct", "string-check", "scored", float(value)) for n, value in enumerate(right)
    ]
    folder.finish_judge(shard, scores, [])
    figures = (sum(right), sum(right) / len(right), *alike(0.0)[2:])
    folder.write_summaries([Summary("qa", "t", "correct", "string-check", len(right), 0, *figures)])
    folder.write_manifest(Manifest(job_id=job_id, code_version="", spec=SPEC, shards=(shard,), datasets=()))
    time = datetime.fromisoformat(f"2026-11-{day}T02:00:00")
    job = Job(
        job_id,
        "nemo-v2",
        {},
        f"nightly-{model}-{day}",
        spec=SPEC,
        model=model,
        status="completed",
        created_at=time,
        updated_at=time,
    )
    folder.write_job(job)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("home") / "results"
    for number, ((model, day), right) in enumerate(NIGHTS.items()):
        write_job(path, f"job-{number}", model, day, right)
    return path


@pytest.mark.parametrize(("sql", "expected"), QUERIES)
def test_a_query_has_the_answer_that_the_document_shows(results: Path, sql: str, expected: str) -> None:
    columns, rows = query(results, sql)
    shown = [re.split(r"\s{2,}", line.strip()) for line in expected.splitlines()]
    assert [columns, *([str(value) for value in row] for row in rows)] == shown
    assert len(QUERIES) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_carried_out(at, capsys, command: str) -> None:
    job_id = random_id("job-")
    at.state.jobs.add(NewJob(id=job_id, face="nemo-v2", spec=SPEC, request={}, name=job_id))
    write_job(at.state.results, job_id, "small-1", 21, NIGHTS["small-1", 21])
    program, *arguments = shlex.split(command.replace("$JOB", job_id))
    assert (program, answer(arguments)) == ("assay", 0)
    printed = capsys.readouterr()
    assert SHOWN[command.removeprefix("assay results $JOB ").split()[0]] in printed.out
    assert printed.err == ""
