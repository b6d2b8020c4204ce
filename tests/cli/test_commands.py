import json
import os
import signal
import socket
import subprocess
from datetime import timedelta
from functools import partial

import pytest

from cli.main import answer
from cli.results import BadCondition, conditions
from cli.specs import check_request, read_request
from core.errors import SpecInvalid
from core.job import random_id, utcnow
from core.result import Summary
from core.spec import EvaluationSpec
from store.results.folder import JobFolder
from tests.conftest import WAIT_S, assay
from tests.tasks.specs import CORRECT, model, rows, spec

BODY = {"spec": spec(model("http://127.0.0.1:1/v1"), rows(2), CORRECT).model_dump(mode="json", exclude_none=True)}


@pytest.fixture
def job(at) -> str:
    return at.http.post("/api/assay/v1/jobs", json=BODY).json()["id"]


def test_jobs_are_listed_by_project_and_status(at, job, capsys):
    project = random_id("p-")
    named = at.http.post("/api/assay/v1/jobs", json=BODY | {"project": project}).json()["id"]
    assert answer(["jobs", "list", "--project", project, "--status", "created", "--json"]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == [named]
    assert answer(["jobs", "list", "--limit", "1000"]) == 0
    assert job in capsys.readouterr().out


def test_a_job_is_shown_with_its_scores(at, job, capsys):
    summary = Summary("qa", "t", "m", "n", 2, 1, 3.0, 1.5, 1.0, 2.0, 5.0, 0.25, 0.5, None, {"scored": 2, "refused": 1})
    JobFolder(at.state.results, job).write_summaries([summary])
    assert answer(["jobs", "show", job]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[1:3] == [f"job\t{job}", "status\tcreated"]
    assert printed.splitlines()[-1] == 'qa\tt\tm\tn\t1.5\t\t\t2\t1\t{"scored": 2, "refused": 1}\t\t'


def test_intents_are_passed_on(at, job, capsys):
    for verb, status in (("pause", "pausing"), ("resume", "resuming"), ("cancel", "cancelling")):
        assert answer(["jobs", verb, job, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["status"] == status
    assert answer(["jobs", "pause", job]) == 2
    assert "Job is cancelling and cannot be paused" in capsys.readouterr().err
    assert answer(["jobs", "delete", job]) == 0
    assert answer(["jobs", "show", job]) == 2
    assert capsys.readouterr().err == f"no job has the id or the name {job!r}, or an id that begins so\n"


def test_a_job_goes_by_its_name_or_the_start_of_its_id(at, capsys):
    name = "nightly #1 of 50%?"
    job = at.http.post("/api/assay/v1/jobs", json=BODY | {"name": name}).json()["id"]
    for called in (job, job[:20], name):
        assert answer(["jobs", "show", called, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["job"]["id"] == job
        assert answer(["results", called]) == 0
        assert answer(["jobs", "cancel", called]) in (0, 2)
        capsys.readouterr()


def test_what_is_wrong_is_told_with_a_remedy(at, job, capsys, tmp_path, monkeypatch):
    odd = tmp_path / "odd.yaml"
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    odd.write_text("targets: []\ntasks: []\n")
    wrong = {
        ("results", job, "--where", "nonsense"): "score.grade>=3",
        ("results", job, "--where", "what=1"): "filter by one of: task",
        ("results", job, "--outcome", "judge_eror"): "there are: scored, output_unparsable, judge_unparsable",
        ("jobs", "list", "--status", "runing"): "created",
        ("run", str(odd)): "spec.targets: ",
        ("run", str(tmp_path / "none.yaml")): "cannot be read",
        ("sql", "SELECT nothing"): "Binder Error",
        ("results",): "requires an argument",
    }
    for arguments, remedy in wrong.items():
        assert answer(list(arguments)) == 2
        assert remedy in capsys.readouterr().err


def test_without_a_service_it_says_how_to_reach_one(monkeypatch, capsys):
    monkeypatch.setenv("ASSAY_URL", "http://127.0.0.1:1")
    assert answer(["jobs", "list"]) == 4
    told = capsys.readouterr().err
    assert "no answer from http://127.0.0.1:1, which ASSAY_URL names" in told
    assert "start one with `assay serve`, or set ASSAY_URL" in told


@pytest.mark.parametrize("command", [["sql", "SELECT 1"], ["fsck", "--all"]])
def test_outside_a_home_it_says_so(monkeypatch, tmp_path, capsys, command):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "none"))
    assert answer(command) == 2
    assert f"{tmp_path}/none (ASSAY_HOME in the environment) is not there" in capsys.readouterr().err


def test_ctrl_c_ends_a_command_without_a_traceback():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = os.environ | {"ASSAY_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        hearing = partial(
            signal.signal, signal.SIGINT, signal.SIG_DFL
        )  # which this process may have been begun without
        silent.settimeout(WAIT_S)
        with (
            subprocess.Popen(
                assay("jobs", "list"), env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=hearing
            ) as process,
            silent.accept()[0],  # it waits for an answer now
        ):
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, errors) == (130, "")


def test_a_specification_that_no_service_takes_starts_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ASSAY_URL", "http://127.0.0.1:1")
    body = BODY["spec"] | {"targets": [{**BODY["spec"]["targets"][0], "nmae": "x"}]}
    (tmp_path / "spec.json").write_text(json.dumps(body))
    with pytest.raises(SpecInvalid, match=r"^spec\.targets\.0\.model\.nmae: "):
        check_request(read_request(tmp_path / "spec.json"))
    given = json.loads(json.dumps(BODY["spec"]))
    given["targets"][0]["endpoint"]["api_key"] = "sk-in-clear"
    (tmp_path / "spec.json").write_text(json.dumps(given))
    check_request(read_request(tmp_path / "spec.json"))


def test_the_schema_is_that_of_a_specification(capsys):
    assert answer(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == EvaluationSpec.model_json_schema()


def test_a_file_is_in_the_core_s_words_or_nemo_s(tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text("targets: [{kind: recorded}]\ntasks: [{name: 2026-01-02, dataset: {rows: [{day: 2026-01-02}]}}]\n")
    body, elsewhere = read_request(file, name="n")
    assert (body["name"], elsewhere) == ("n", None)
    assert body["spec"]["tasks"][0]["dataset"] == {"rows": [{"day": "2026-01-02"}]}
    file.write_text('{"target": "demo/model", "config": "demo/qa"}')
    assert read_request(file).elsewhere == "/v2/evaluation/jobs"


@pytest.mark.parametrize("text", ["a: 1", "[1]", "{", "a: &a [*a]\ntargets: *a\ntasks: *a", "!!python/object:os.x {}"])
def test_a_file_that_is_no_specification_is_refused(tmp_path, text):
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    with pytest.raises(SpecInvalid, match=r"spec\.yaml"):
        read_request(file)


def test_conditions_become_filters_and_searches():
    asked = conditions("qa", None, ["score.grade>=3", "item.q = a=b", "output~x > y", "task=other", "a/b.c-d<1"])
    assert asked == {
        "filter[task]": ["qa", "other"],
        "filter[score.grade][gte]": ["3"],
        "filter[item.q]": ["a=b"],
        "search[output]": ["x > y"],
        "filter[a/b.c-d][lt]": ["1"],
    }
    with pytest.raises(BadCondition, match="'grade' is no condition"):
        conditions(None, None, ["grade"])


def test_keys_that_a_file_names_by_variables_are_those_of_who_runs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MINE", "sk-mine")
    file = tmp_path / "spec.yaml"
    rows = {"kind": "rows", "rows": [{"token": "env:MINE"}]}
    task = {"name": "qa", "dataset": rows}
    file.write_text(json.dumps({"targets": [{"api_key": "env:MINE"}, {"api_key": "env:ABSENT"}], "tasks": [task]}))
    sent = read_request(file).body["spec"]
    assert sent["targets"] == [{"api_key": "sk-mine"}, {"api_key": "env:ABSENT"}]
    assert sent["tasks"][0]["dataset"]["rows"] == [{"token": "env:MINE"}]


def ended(at, job: str) -> str:
    long_ago = utcnow() - timedelta(days=40)
    assert at.state.jobs.settle(job, status="completed", finished_at=long_ago)
    return job


def test_old_jobs_are_pruned_if_it_is_confirmed(at, job, capsys, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(at.state.settings.home))
    monkeypatch.setenv("ASSAY_DATABASE_URL", at.state.settings.jobs_url)
    old = ended(at, job)
    assert answer(["prune"]) == 2
    assert capsys.readouterr().err.startswith("say what may go")
    assert answer(["prune", "--older-than", "30d"]) == 2
    assert "nobody is there to be asked" in capsys.readouterr().err
    assert answer(["prune", "--older-than", "30d", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["dry_run"], [each["id"] for each in told["jobs"]]) == (True, [old])
    assert told["bytes"] >= told["jobs"][0]["bytes"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert answer(["prune", "--older-than", "30d"]) == 130
    assert answer(["jobs", "show", old]) == 0
    assert answer(["prune", "--older-than", "30d", "--yes"]) == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("1 job (")
    assert answer(["jobs", "show", old]) == 2
    begun = ended(at, at.http.post("/api/assay/v1/jobs", json=BODY).json()["id"])
    at.state.retention.condemn([begun])
    assert answer(["prune", "--older-than", "30d", "--yes"]) == 0
    assert capsys.readouterr().err.splitlines()[1:] == ["The removal of 1 job ends, which was begun before"]
    assert answer(["prune", "--older-than", "30d", "--yes"]) == 0
    assert capsys.readouterr().err == "0 jobs (0 bytes) and 0 uploads (0 bytes) go\n"
