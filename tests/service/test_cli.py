"""The command line against the running service."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import WAIT_S, deaf, namesakes, until
from tests.conftest import assay as command
from tests.scripted import ScriptedEndpoint, text
from tests.tasks.specs import CORRECT, model, rows, spec


@pytest.fixture
def assay(served):
    """Start the command line, speaking to the service, from a folder and with signals that are no help to it."""
    environment = os.environ | {"ASSAY_URL": served.url, "ASSAY_HOME": str(served.home)}

    def start(*arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command(*arguments),
            cwd=namesakes(served.home / "namesakes"),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=deaf,
        )

    return start


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=WAIT_S)
    return process.returncode, output, errors


def written(folder: Path, url: str, **params: Any) -> str:
    file = folder / "spec.json"
    file.write_text(spec(model(url), rows(30), CORRECT, **params).model_dump_json(exclude_none=True))
    return str(file)


@pytest.mark.thorough
def test_a_run_ends_with_its_results_which_can_be_queried(assay, endpoint, tmp_path):
    file = written(tmp_path, endpoint.url, parallelism=8)
    code, output, errors = ended(assay("run", file, "--name", "by-cli", "--min", "correct=0.9", "--json"))
    result = json.loads(output)
    job_id = result["job"]["id"]
    assert (code, result["job"]["status"], result["job"]["name"]) == (3, "completed", "by-cli")
    told = "inconclusive: qa / target / correct / string-check: 1.000 [0.884, 1.000] may be below 0.9, and may not"
    assert errors.splitlines()[-1] == told
    assert [(each["metric"], each["mean"], each["count"]) for each in result["summaries"]] == [("correct", 1.0, 30)]
    _, lines, _ = ended(assay("results", job_id, "--where", "item.answer=a7", "--json"))
    assert [json.loads(line)["sample"] for line in lines.splitlines()] == [7]
    _, answer, _ = ended(assay("sql", f"SELECT count(*) AS n FROM scores WHERE job_id = '{job_id}'", "--json"))
    assert json.loads(answer) == {"n": 30}


@pytest.mark.thorough
def test_a_run_that_fails_says_why(assay, tmp_path):
    file = written(tmp_path, "http://169.254.169.254/v1")
    code, output, errors = ended(assay("run", file))
    assert code == 4
    assert "target_err" in output
    assert "ASSAY_ALLOW_ENDPOINTS" in errors


def test_ctrl_c_cancels_the_job(assay, served, tmp_path):
    with ScriptedEndpoint(lambda _: text("late", delay_s=2 * WAIT_S)) as slow:
        process = assay("run", written(tmp_path, slow.url))
        until("a call", lambda: slow.calls)
        process.send_signal(signal.SIGINT)
        code, _, errors = ended(process)
    job_id = errors.split()[1].rstrip(",")
    assert code == 130
    assert served.wait(job_id).status == "cancelled"
