"""What the commands about one job print: its overview, its log, one of its samples, and its retry."""

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.main import answer
from cli.overview import job_fields, usage_view
from core.job import Job
from core.result import Call, CallKey, Usage
from flows.control.finish import finish
from store.results.log import JobLog
from store.results.usage import usage_by_model
from tests.api.conftest import Service
from tests.cli.conftest import at as at
from tests.scripted import ScriptedEndpoint, failure, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, spec

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b]0;owned\x07"
GRADE = '{"score": 4, "feedback": "good"}'


FENCES = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs" / "jobs.md").read_text(), re.MULTILINE | re.DOTALL)
COMMANDS = [line for fence in FENCES for line in fence.splitlines()]


@pytest.fixture
def lab(at: Service, endpoint: ScriptedEndpoint) -> Lab:
    """A lab in the service's home; its model does not answer the second question, and says what terminals obey."""
    endpoint.script = lambda call: (
        failure(400, "no")
        if last_content(call["body"]) == "q1"
        else text(GRADE if call["body"]["model"] == "j" else f"<think>hm</think>a0{ESCAPE}")
    )
    return Lab(at.state, endpoint)


@pytest.fixture
def job(lab: Lab) -> Job:
    """A job of three samples of which one failed."""
    given = [{"question": f"q{i}", "answer": "a0"} for i in range(3)]
    first = lab.add(spec(model(lab.model.url), given, CORRECT, judge(lab.model.url)))
    lab.carry_out(first)
    finish(lab.workspace, first, "completed")
    return lab.workspace.jobs.get(first.id)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert answer(list(arguments)) == code
    return capsys.readouterr().out


def test_a_sample_is_shown_with_what_was_said_and_compared_on_80_columns(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(capsys, "show", job.id, "0")
    words = " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    for told in (
        f"qa, sample 0 of job {job.id}",
        "target target (m)",
        "answered, ",
        "1 attempt, 8 tokens of prompt, 2 tokens of completion, finish stop",
        "user q0 assistant, thinking hm assistant a0\\x1b]0;owned\\x07",
        "metric correct (string-check) string-check: 0.0, not passed left a0\\x1b]0;owned\\x07 right a0",
        "metric graded (judge) score: 4.0, passed feedback good judge j answered",
        f"assistant {GRADE}",
    ):
        assert told in words, told


def test_what_failed_is_shown_with_its_error(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(printed(capsys, "show", job.id, "1", "--task", "qa", "--target", "target").split())
    assert "error HTTP 400: no" in words
    assert "string-check: target_error HTTP 400: no" in words


def test_a_sample_is_given_to_scripts_whole(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, "show", job.id, "2", "--json"))
    assert found["outputs"][0]["exchange"]["reply"]["thinking"] == "hm"
    assert [metric["metric"] for metric in found["outputs"][0]["metrics"]] == ["correct", "graded"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("3",), "there are 0 to 2"),
        (("0", "--task", "other"), "has no task 'other'; tasks: qa"),
        (("0", "--target", "other"), "there are: target (trial 0)"),
    ],
)
def test_a_sample_that_is_not_there_is_named_with_those_that_are(
    job: Job, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert answer(["show", job.id, *arguments]) == 2
    assert told in capsys.readouterr().err


def test_an_overview_says_what_each_model_took(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "jobs", "show", job.id)
    assert "task qa\tgenerate 3 of 3, judge 3 of 3" in shown
    usage = json.loads(printed(capsys, "jobs", "show", job.id, "--json"))["usage"]
    counts = [(each["model"], each["role"], each["calls"], each["answered"], each["total_tokens"]) for each in usage]
    assert counts == [("m", "target", 3, 2, 20), ("j", "judge", 2, 2, 20)]


def test_an_overview_fits_80_columns_and_says_how_long_a_job_has_run() -> None:
    fields: dict[str, Any] = dict.fromkeys(
        ("name", "description", "project", "model", "target", "config", "finished_at")
    )
    job = {
        **fields,
        "id": "job-1",
        "name": "job-1",
        "status": "running",
        "retry_of": "job-0",
        "flow_run_id": "f",
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": "2026-01-01T00:00:02.500Z",
        "progress": {"qa": {"generate": {"done": 1, "total": 2}, "judge": {"done": 0, "total": 2}}},
        "bounds": ["m at http://m: 4 at a time"],
    }
    counts = ("calls", "answered", "taken_over", "retries", "prompt_tokens", "completion_tokens")
    usage = {"model": "org/a-model-of-a-long-name", "role": "target", "seconds": 9e3} | dict.fromkeys(counts, 10**6)
    console = Console(width=80)
    with console.capture() as capture:
        console.print(job_fields(job, datetime(2026, 1, 1, 1, 5, 2, 500_000, UTC)).table)
        console.print(usage_view([usage]).table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert max(map(len, lines)) <= 80
    assert {"retry of     job-0", "waited       2.5 s", "has run      1 h 5 min"} <= set(lines)
    assert {"task qa      generate 1 of 2, judge 0 of 2", "calls to     m at http://m: 4 at a time"} <= set(lines)


def test_a_log_is_printed_to_its_end_and_followed_until_the_job_has_ended(
    lab: Lab, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(capsys, "logs", job.id, "--follow").splitlines()
    assert [line[20:] for line in lines[:1]] == ["task 'qa': 3 rows, templates checked"]
    JobLog(lab.workspace.folder(job.id).log_path).write(f"odd {ESCAPE}", level="ERROR")
    assert printed(capsys, "logs", job.id).splitlines()[-1].endswith("ERROR odd \\x1b]0;owned\\x07")
    assert len([json.loads(line) for line in printed(capsys, "logs", job.id, "--json").splitlines()]) == len(lines) + 1


def test_a_retry_is_asked_for_and_told(
    lab: Lab, job: Job, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = json.loads(printed(capsys, "retry", job.id, "--only", "target_error,refused", "--detach", "--json"))
    assert made["retry_of"] == job.id
    retry = lab.workspace.jobs.get(made["id"]).request["retry"]
    assert (retry["only"], retry["targets"]) == (["target_error", "refused"], True)
    monkeypatch.setenv("JUDGE_KEY", "sk-judge-0123456789")
    metrics = tmp_path / "metrics.yaml"
    metrics.write_text("metrics:\n- {type: f1, name: overlap, reference: '{{item.answer}}'}\n")
    arguments = ["--judge", "graded", "--metrics", str(metrics), "--key", "graded=env:JUDGE_KEY", "--detach", "--json"]
    made = json.loads(printed(capsys, "retry", job.id, *arguments))
    retry = lab.workspace.jobs.get(made["id"]).request["retry"]
    assert (retry["judges"], retry["targets"]) == (["graded"], False)
    assert made["spec"]["tasks"][0]["metrics"][1]["endpoint"]["api_key"] == "******"
    assert [metric["name"] for metric in made["spec"]["tasks"][0]["metrics"]] == ["correct", "graded", "overlap"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--key", "graded=sk-1"], "write --key NAME=env:VARIABLE"),
        (["--only", "nonsense"], "only.0: Input should be 'output_unparsable'"),
        (["--only", "judge_error"], "has nothing to retry: no score ended in judge_error"),
        (["--judge", "nobody"], "has no judge 'nobody'; judges: graded"),
    ],
)
def test_a_retry_that_cannot_be_is_refused_in_a_sentence(
    job: Job, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert answer(["retry", job.id, *arguments]) == 2
    assert told in capsys.readouterr().err


def test_usage_counts_what_is_journalled_and_leaves_to_others_what_they_paid(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), [{"question": f"q{i}"} for i in range(3)]))
    with lab.engaged(job) as engine:
        (shard,) = engine.manifest.shards
        key = CallKey("qa", 0, "target", 0, "target", "", 0)
        paid = Call(key, "answered", request="{}", usage=Usage(3, 2, 5), seconds=1.5, attempts=3)
        others = Call(key._replace(sample=1), "answered", "{}", usage=Usage(7, 7, 14), attempts=1, paid_by="job-0")
        unasked = Call(key._replace(sample=2), "not_attempted", "{}")
        with engine.journals.opened("generate", shard) as journal:
            for call in (paid, paid, others, unasked):
                journal.append(call)
        (usage,) = usage_by_model(lab.workspace.folder(job.id))
    assert (usage.calls, usage.answered, usage.taken_over, usage.retries) == (1, 1, 1, 2)
    assert (usage.tokens, usage.seconds) == (Usage(3, 2, 5), 1.5)


def test_the_commands_of_the_document_do_what_it_says(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lab.model.script = lambda call: (
        failure(400)
        if last_content(call["body"]) in ("q1", "grade q2")
        else text(GRADE if call["body"]["model"] == "j" else last_content(call["body"]))
    )
    given = [{"question": f"q{i}", "answer": "q0"} for i in range(4)]
    job = lab.add(spec(model(lab.model.url), given, CORRECT, judge(lab.model.url)))
    lab.carry_out(job)
    finish(lab.workspace, job, "completed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUDGE_KEY", "sk-judge-0123456789")
    Path("metrics.yaml").write_text("metrics:\n- {type: f1, name: overlap, reference: '{{item.answer}}'}\n")
    made = []
    for command in COMMANDS:
        words = [word.replace("$JOB", job.id) for word in shlex.split(command)]
        assert answer(words[1:]) == 0, command
        made += re.findall(r"Job (\S+) retries", capsys.readouterr().err)
    asked = []
    for retried in made:
        lab.model.calls.clear()
        lab.carry_out(lab.workspace.jobs.get(retried))
        asked.append(sorted(lab.asked))
    judged = ["grade q0", "grade q2", "grade q3"]
    assert asked == [["grade q2", "q1"], ["grade q2"], judged, judged, []]


def test_a_report_is_written_whole_and_its_path_and_size_are_said(job, tmp_path, capsys):
    file = tmp_path / "report.html"
    assert answer(["report", job.id, "-o", str(file), "--samples", "2"]) == 0
    page = file.read_text()
    assert capsys.readouterr().out == f"{file} ({len(page.encode()) / 1e6:.1f} MB)\n"
    assert page.count('<section class="sample"') == 2
    assert ESCAPE not in page
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["nothing"], "no job has the id or the name 'nothing'"),
        (["{job}", "--against", "nothing"], "no job has the id or the name 'nothing'"),
        (["{job}", "--samples", "1001"], "samples: Input should be less than or equal to 1000"),
    ],
)
def test_a_report_that_cannot_be_made_leaves_the_file_that_was_there(job, tmp_path, capsys, asked, why):
    file = tmp_path / "report.html"
    file.write_text("of yesterday")
    assert answer(["report", *(each.format(job=job.id) for each in asked), "-o", str(file)]) == 2
    assert why in " ".join(capsys.readouterr().err.split())
    assert (file.read_text(), list(tmp_path.iterdir())) == ("of yesterday", [file])


def test_a_file_that_cannot_be_written_is_named_with_the_reason(job, tmp_path, capsys):
    for output, why in ((tmp_path, "Is a directory"), (tmp_path / "no" / "x.html", "No such file or directory")):
        assert answer(["report", job.id, "-o", str(output)]) == 2
        assert " ".join(capsys.readouterr().err.split()) == f"{output} cannot be written: {why}"
