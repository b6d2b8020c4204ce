"""The ways in and out that Prefect offers: a form, a program, a schedule; pause, resume and cancel."""

import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from tests.conftest import WAIT_S, Served, until
from tests.scripted import ScriptedEndpoint, by_default, failure, last_content
from tests.service.bodies import carry_out_another
from tests.service.prefect_api import Prefect, job_of, store_pair
from tests.tasks.specs import CORRECT, model, rows, spec

ROOT = Path(__file__).parents[2]
N = 400
FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
"""The types of the states in which a run has ended."""


@pytest.fixture
def prefect(served: Served) -> Prefect:
    return Prefect(served)


@pytest.fixture
def slow_endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(latency_s=0.2) as scripted:  # half a minute for N calls: whatever is wanted is heard before
        yield scripted


def listed(served: Served) -> set[str]:
    return {str(job.id) for job in served.client.v2.evaluation.jobs.list(page_size=100).data}


def asked(endpoint: ScriptedEndpoint) -> Counter[bytes]:
    return Counter(call["raw"] for call in endpoint.calls)


def test_quick_run_evaluates_the_demo_pair_with_no_typing_and_no_model(served, prefect):
    run_id = prefect.start("evaluation")
    ended = served.wait(job_of(served, run_id))
    assert ended.status == "completed"
    assert ended.id in listed(served)
    assert served.results(ended.id).tasks["qa"].metrics["correct"].scores["string-check"].value == 0.75
    run = prefect.run(run_id)
    assert run["state_type"] == "COMPLETED"
    assert {"assay", "nemo-v2", "namespace:default", "config:demo/qa"} <= set(run["tags"])


def test_the_fields_of_the_form_say_what_is_run(served, prefect, endpoint):
    pair = store_pair(served, endpoint, "form", 9, api_key="sk-form")
    run_id = prefect.start("evaluation", **pair, name="from-the-form", project="p", limit_samples=3, parallelism=2)
    ended = served.wait(job_of(served, run_id))
    assert (ended.status, ended.name, ended.project) == ("completed", "from-the-form", "p")
    assert ended.spec.config.params.limit_samples == 3
    assert len(endpoint.calls) == 3
    assert {call["headers"]["authorization"] for call in endpoint.calls} == {"Bearer sk-form"}


def test_a_program_starts_a_run_and_gets_its_end(served, prefect, endpoint):
    pair = store_pair(served, endpoint, "program", 4)
    with temporary_settings({PREFECT_API_URL: served.prefect_api, PREFECT_API_AUTH_STRING: served.prefect_sign_in}):
        run: Any = run_deployment("evaluate/evaluation", parameters=pair, timeout=WAIT_S, poll_interval=0.5)
    assert run.state.is_completed()
    assert served.wait(job_of(served, str(run.id))).status == "completed"


def test_a_specification_in_a_file_is_run(served, prefect, endpoint):
    (served.home / "specs").mkdir(exist_ok=True)
    file = spec_file(served.home / "specs" / "capitals.yaml", endpoint)
    run_id = prefect.start("evaluation", spec_file=str(file), limit_samples=2)
    ended = served.wait(job_of(served, run_id))
    assert ended.status == "completed"
    assert served.results(ended.id).tasks["qa"].metrics["correct"].scores["string-check"].stats.count == 2
    assert prefect.run(run_id)["parameters"] == {"spec_file": str(file), "limit_samples": 2}


def test_a_key_can_become_no_parameter_and_is_found_in_no_database(served, prefect):
    key = secrets.token_hex(16)
    assert "not allowed" in prefect.refusal("evaluation", api_key=key)
    url = f"http://user:{key}@example.com/v1"
    for field in ("target", "config", "name", "project", "spec_file"):
        assert "does not match" in prefect.refusal("evaluation", **{field: url})
    assert len(prefect.deployment("evaluation")["parameter_openapi_schema"]["properties"]) == 7
    databases = [*served.home.rglob("*.db*")]
    assert {database.name for database in databases} >= {"assay.db", "prefect.db"}
    assert not [database for database in databases if key.encode() in database.read_bytes()]


@pytest.mark.thorough
def test_what_is_not_stored_fails_the_job_with_its_name(served, prefect):
    run_id = prefect.start("evaluation", target="no/such")
    ended = served.wait(job_of(served, run_id))
    assert ended.status == "error"
    why = ended.error_details["message"]
    assert ended.error_details["blame"] == "user"
    assert why.startswith("Target 'no/such' not found; stored targets: ")
    run = prefect.run(run_id)
    assert (run["state_type"], run["state"]["message"]) == ("FAILED", why)
    assert run["name"] == f"demo/qa-{ended.id[-6:]}"
    assert prefect.artifacts(run["id"]) == {ended.id}
    logged = until("the log", lambda: prefect.log(run["id"]))
    assert why in logged
    assert not [message for message in logged if "Traceback" in message]


@pytest.mark.thorough
def test_the_task_run_of_a_shard_says_what_it_came_to_and_is_red_if_nothing_answered(served, prefect, endpoint):
    def script(call):
        number = int(last_content(call["body"]).split()[1])
        return failure(400, f"no {'x' * number}") if number >= 75 else by_default(call)

    endpoint.script = script
    run_id = prefect.start("evaluation", **store_pair(served, endpoint, "shards", 100), name="red", parallelism=1)
    ended = served.wait(job_of(served, run_id))
    assert (ended.status, prefect.run(run_id)["name"]) == ("completed", f"red-{ended.id[-6:]}")
    runs = until("eight task runs to end", lambda: prefect.ended_tasks(run_id, 8))
    assert runs == {
        **{f"generate-{n}": ("COMPLETED", "25 samples · calls: 25 answered") for n in range(3)},
        "generate-3": ("FAILED", "25 samples · calls: 25 error"),
        **{f"judge-{n}": ("COMPLETED", "25 samples · scores: 25 scored") for n in range(3)},
        "judge-3": ("COMPLETED", "25 samples · scores: 25 target_error"),
    }
    assert [run["state_type"] for run in prefect.runs("evaluation") if run["id"] == run_id] == ["COMPLETED"]


@pytest.mark.thorough
def test_a_run_that_never_got_to_its_first_line_has_a_record(served, prefect):
    run_id = prefect.start("evaluation", check=False, nonsense=1)
    ended = served.wait(job_of(served, run_id))
    assert ended.status == "error"
    assert ended.id in listed(served)


@pytest.mark.thorough
def test_a_run_that_no_worker_takes_up_has_a_record_and_goes_on_later(served, prefect, endpoint):
    pair = store_pair(served, endpoint, "late", 2)
    prefect.call("PATCH", "/work_pools/assay", is_paused=True)
    try:
        job_id = job_of(served, prefect.start("evaluation", **pair))
        assert served.client.v2.evaluation.jobs.retrieve(job_id).status in ("created", "pending")
    finally:
        prefect.call("PATCH", "/work_pools/assay", is_paused=False)
    assert served.wait(job_id).status == "completed"


@pytest.mark.thorough
def test_suspend_and_resume_in_prefect_redo_nothing(served, prefect, slow_endpoint):
    run_id = prefect.start("evaluation", **store_pair(served, slow_endpoint, "suspended", N))
    until("twenty calls", lambda: len(slow_endpoint.calls) > 20)
    prefect.suspend(run_id)
    job_id = job_of(served, run_id)
    served.reaches(job_id, "paused")
    slow_endpoint.latency_s = 0.0
    paused_at = len(slow_endpoint.calls)
    assert paused_at < N
    carry_out_another(served)
    assert len(slow_endpoint.calls) == paused_at
    prefect.resume(run_id)
    assert served.wait(job_id).status == "completed"
    assert len(asked(slow_endpoint)) == asked(slow_endpoint).total() == N


@pytest.mark.thorough
def test_a_job_that_is_paused_in_the_api_can_be_resumed_in_prefect(served, prefect, slow_endpoint):
    run_id = prefect.start("evaluation", **store_pair(served, slow_endpoint, "mixed", N))
    until("twenty calls", lambda: len(slow_endpoint.calls) > 20)
    job_id = job_of(served, run_id)
    httpx.post(f"{served.url}/v2/evaluation/jobs/{job_id}/pause", timeout=WAIT_S).raise_for_status()
    until("Prefect to show the pause", lambda: prefect.run(run_id)["state_type"] == "PAUSED")
    served.reaches(job_id, "paused")
    prefect.resume(run_id)
    resumed_at = len(slow_endpoint.calls)
    until("twenty more calls", lambda: len(slow_endpoint.calls) > resumed_at + 20)
    httpx.post(f"{served.url}/v2/evaluation/jobs/{job_id}/pause", timeout=WAIT_S).raise_for_status()
    served.reaches(job_id, "paused")
    slow_endpoint.latency_s = 0.0
    httpx.post(f"{served.url}/v2/evaluation/jobs/{job_id}/resume", timeout=WAIT_S).raise_for_status()
    assert served.wait(job_id).status == "completed"
    assert len(asked(slow_endpoint)) == asked(slow_endpoint).total() == N


def test_cancel_in_prefect_cancels_the_job(served, prefect, slow_endpoint):
    run_id = prefect.start("evaluation", **store_pair(served, slow_endpoint, "cancelled", N))
    until("twenty calls", lambda: len(slow_endpoint.calls) > 20)
    prefect.cancel(run_id)
    assert served.wait(job_of(served, run_id)).status == "cancelled"
    assert prefect.run(run_id)["state_type"] == "CANCELLED"
    assert len(slow_endpoint.calls) < N


@pytest.mark.slow
def test_a_run_whose_job_failed_stays_failed_when_prefect_retries_it_and_a_job_of_its_own_mends_it(
    served, prefect, endpoint
):
    endpoint.script = lambda call: failure(400, "no") if "a1" in last_content(call["body"]) else by_default(call)
    asked = spec(model(endpoint.url), rows(3), CORRECT, max_failed=0.0).model_dump(mode="json", exclude_none=True)
    with httpx.Client(base_url=f"{served.url}/api/assay/v1", timeout=WAIT_S) as http:
        first = http.post("/jobs", json={"spec": asked}).json()["id"]
        assert served.wait(first).status == "error"
        run_id = http.get(f"/jobs/{first}").json()["flow_run_id"]
        prefect.retry(run_id)
        run = until(
            "the run to have ended again",
            lambda: run if (run := prefect.run(run_id))["run_count"] == 2 and run["state_type"] in FINAL else None,
        )
        assert (run["state_type"], f"`assay retry {first}`" in run["state"]["message"]) == ("FAILED", True)
        assert served.client.v2.evaluation.jobs.retrieve(first).status == "error"
        assert len(endpoint.calls) == 3
        endpoint.script = by_default
        second = http.post(f"/jobs/{first}/retry").json()
        assert served.wait(second["id"]).status == "completed"
        assert (second["retry_of"], len(endpoint.calls)) == (first, 3 + 1)
        (summary,) = http.get(f"/jobs/{second['id']}/summaries").json()["data"]
        assert (summary["count"], summary["mean"]) == (3, 1.0)


@pytest.mark.slow
def test_firings_of_a_schedule_are_jobs_of_their_own_with_one_history(served, prefect):
    nightly = prefect.deployment("nightly")
    (schedule,) = nightly["schedules"]
    assert not schedule["active"]
    assert prefect.runs("nightly") == []
    path = f"/deployments/{nightly['id']}/schedules/{schedule['id']}"
    daily = {"cron": "0 0 * * *", "timezone": "UTC"}  # none is due while they are looked at
    prefect.call("PATCH", path, active=True, schedule=daily)
    try:
        until("two firings", lambda: len(prefect.runs("nightly")) >= 2)
        first, second = sorted(prefect.runs("nightly"), key=lambda run: run["expected_start_time"])[:2]
        assert first["state_name"] == "Scheduled"
        jobs = [fire(served, prefect, run["id"]) for run in (first, second)]
    finally:
        prefect.call("PATCH", path, active=False, schedule=daily)
    assert [job.status for job in jobs] == ["completed", "completed"]
    assert jobs[0].id != jobs[1].id
    assert jobs[0].name == "nightly"
    assert jobs[1].name.startswith("nightly-")
    assert {job.id for job in jobs} <= listed(served)
    assert prefect.artifacts(first["id"]) & prefect.artifacts(second["id"]) == {"default-demo-qa-results"}


def fire(served: Served, prefect: Prefect, run_id: str) -> Any:
    """Have a scheduled run start now, and wait for the end of its job."""
    now = datetime.now(UTC).isoformat()
    prefect.set_state(run_id, "SCHEDULED", "Scheduled", state_details={"scheduled_time": now})
    return served.wait(job_of(served, run_id))


@pytest.mark.thorough
def test_the_flow_is_called_without_a_service(served, endpoint, tmp_path):
    file = spec_file(tmp_path / "spec.yaml", endpoint)
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio, sys\n"
        "from core.errors import SpecInvalid\n"
        "from core.settings import Settings\n"
        "from flows.evaluate import evaluate\n"
        "from store.workspace import Workspace\n"
        "try:\n"
        "    asyncio.run(evaluate(spec_file=sys.argv[2]))\n"
        "except SpecInvalid as error:\n"
        "    print(error.message)\n"
        "(summary,) = asyncio.run(evaluate(spec_file=sys.argv[1], name='mine'))\n"
        "jobs = Workspace.open(Settings()).jobs\n"
        "print(summary.task, summary.count, summary.mean, len(jobs.open()))\n"
    )
    environment = {"ASSAY_HOME": str(tmp_path / "home"), **served.prefect_client}
    done = run_python([str(script), str(file), str(tmp_path / "absent.yaml")], **environment)
    refused, counted = done.stdout.splitlines()[-2:]
    assert counted == "qa 3 1.0 0", done.stderr
    assert len(endpoint.calls) == 3
    assert "absent.yaml cannot be read" in refused


def spec_file(path: Path, endpoint: ScriptedEndpoint) -> Path:
    path.write_text(f"""\
targets:
  - kind: model
    endpoint: {{url: "{endpoint.url}", model: scripted}}
tasks:
  - name: qa
    dataset:
      kind: rows
      rows:
        - {{question: "Capital of France? ANSWER: Paris", answer: Paris}}
        - {{question: "Capital of Italy? ANSWER: Rome", answer: Rome}}
        - {{question: "Capital of Peru? ANSWER: Lima", answer: Lima}}
    prompts:
      target: {{body: {{messages: [{{role: user, content: "{{{{item.question}}}}"}}]}}}}
    metrics:
      - type: string-check
        name: correct
        left: "{{{{sample.output_text}}}}"
        operator: equals
        right: "{{{{item.answer}}}}"
""")
    return path


def run_python(arguments: list[str], **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
