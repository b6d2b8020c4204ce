"""The first version, end to end: NeMo's own client, and one that speaks plain HTTP, against the running service."""

import asyncio
import io
import json
import zipfile
from threading import Thread
from typing import Any

import httpx
import pytest
from nemo_microservices import AsyncNeMoMicroservices, NotFoundError

from tests.conftest import WAIT_S, until
from tests.scripted import text
from tests.service.bodies import CORRECT, carry_out_another, chat_task, job, judge, model

ROWS = [{"question": f"{n} + {n}? ANSWER: {2 * n}", "answer": str(2 * n if n % 3 else 0)} for n in range(12)]
"""The scripted model answers 2n, which is wrong for 3, 6 and 9."""


@pytest.fixture
def config(served, endpoint) -> dict[str, Any]:
    questions = served.dataset("sums-v1.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
    graded = judge(model(endpoint.url, "judge", api_key="MARKER"), "{{sample.output_text}} ANSWER: SCORE: 3")
    return job({"type": "rows"}, qa=chat_task(questions, correct=CORRECT, graded=graded))["config"]


@pytest.fixture
def named(served, endpoint, config, request) -> dict[str, str]:
    """A stored target and config of this test's own, by their names."""
    stored, own = served.client.evaluation, {"namespace": "org", "name": request.node.name}
    stored.targets.create(**own, type="model", model=model(endpoint.url, "m", api_key="MARKER"))
    stored.configs.create(**own, **config)
    return dict.fromkeys(("target", "config"), f"org/{request.node.name}")


def poll_as_the_flywheel_does(url: str, names: dict[str, str], seen: list[str], scores: list[float]) -> None:
    """Create a job and wait for its scores by plain HTTP: a status that is not known is fatal."""
    with httpx.Client(base_url=f"{url}/v1/evaluation", timeout=WAIT_S) as http:
        created = http.post("/jobs", json={"namespace": "org", **names})
        assert created.status_code in (200, 201)
        job_id = created.json()["id"]

        def is_completed() -> bool:
            answer = http.get(f"/jobs/{job_id}").json()
            seen.append(answer["status"])
            assert seen[-1] in {"created", "running", "completed"}
            assert seen[-1] != "running" or answer["status_details"]["progress"] is not None
            return seen[-1] == "completed"

        until(f"{job_id} to be completed", is_completed)
        results = http.get(f"/jobs/{job_id}/results").json()
        scores.append(results["tasks"]["qa"]["metrics"]["correct"]["scores"]["string-check"]["value"])


def test_the_sdk_and_a_plain_client_work_at_the_same_time(served, endpoint, named, tmp_path):
    seen: list[str] = []
    scores: list[float] = []
    plain = Thread(target=poll_as_the_flywheel_does, args=(served.url, named, seen, scores))
    plain.start()
    jobs = served.client.evaluation.jobs
    created = jobs.create(namespace="org", **named)
    progress: list[float] = []

    def is_done() -> bool:  # a published notebook's loop: the progress is always a number
        progress.append(jobs.status(created.id).progress)
        return progress[-1] >= 100

    until("a progress of 100", is_done)
    result = jobs.results(created.id)
    jobs.download_results(created.id).write_to_file(tmp_path / "results.zip")
    logs = jobs.with_raw_response.download_logs(created.id).read()
    plain.join()

    assert created.target.model.api_endpoint.api_key == "******"
    assert (seen[-1], scores) == ("completed", [0.75])
    assert progress == sorted(progress)
    done = jobs.retrieve(created.id)
    assert (done.status, done.result, done.status_details.samples_processed) == ("completed", result.id, 12)
    assert result.tasks["qa"].metrics["correct"].scores["string-check"].value == 0.75
    assert result.tasks["qa"].metrics["graded"].scores["grade"].value == 3.0
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        samples = json.loads(archive.read("results.json"))["qa"]
        assert not [name for name in archive.namelist() if b"MARKER" in archive.read(name)]
    assert [sample["item"] for sample in samples] == ROWS
    assert [request["request"]["model"] for request in samples[5]["requests"]] == ["m", "judge"]
    assert samples[5]["sample"]["output_text"] == "10"
    assert samples[5]["sample"]["response"]["choices"][0]["message"]["content"] == "10"
    assert samples[3]["metrics"]["correct"]["scores"]["string-check"]["value"] == 0.0
    with zipfile.ZipFile(io.BytesIO(logs)) as archive:
        assert b"12 rows" in archive.read(f"{created.id.lower()}.log")
    assert len(endpoint.calls) == 2 * 2 * 12


def test_a_live_evaluation_is_answered_at_once_and_leaves_nothing(served, endpoint):
    rows = [{"said": "a", "answer": "a"}, {"said": "b", "answer": "c"}]
    same = {"type": "string-check", "params": {"check": ["{{said}}", "equals", "{{answer}}"]}}
    graded = judge(model(endpoint.url), "{{said}} ANSWER: SCORE: 2")
    body = job({"type": "rows", "rows": rows}, qa={"type": "data", "metrics": {"same": same, "graded": graded}})
    answered = served.client.evaluation.live(**body)
    assert answered.status == "completed"
    assert answered.result.tasks["qa"].metrics["same"].scores["string-check"].value == 0.5
    assert [len(sample["requests"]) for sample in answered.logs["qa"]] == [1, 1]
    folder = served.home / "results" / f"job_id={answered.result.job}"
    until("the folder to go", lambda: not folder.exists())
    with pytest.raises(NotFoundError):
        served.client.evaluation.jobs.retrieve(answered.result.job)


def test_a_running_job_is_paused_resumed_and_read_from_then_deleted_with_its_files(served, endpoint, config):
    endpoint.latency_s = 1.0
    body = {"target": {"type": "model", "model": model(endpoint.url)}, "config": config}
    body["config"]["params"] = {"parallelism": 2}
    second = served.create(body)
    platform, jobs = served.client.jobs, served.client.v2.evaluation.jobs
    until("the second job to be active", lambda: platform.get_status(second).status == "active")
    until("a line in its log", lambda: jobs.logs.list(second).data)
    assert platform.pause(second).status == "pausing"
    until("the second job to be paused", lambda: platform.get_status(second).status == "paused")
    calls = len(endpoint.calls)
    endpoint.latency_s = 0.0
    assert platform.resume(second).status == "resuming"
    assert served.wait(second).status == "completed"
    assert len(endpoint.calls) == 2 * 12
    assert calls < 2 * 12
    assert [each.result_name for each in jobs.results.list(second).data] == ["evaluation-results", "artifacts"]
    assert jobs.results.artifacts.retrieve(second).read()[:2] == b"\x1f\x8b"
    jobs.delete(second)
    until("the second job's folder to go", lambda: not (served.home / "results" / f"job_id={second}").exists())


def test_a_job_that_is_deleted_while_it_runs_is_gone_at_once_and_its_files_soon(served, endpoint, config):
    endpoint.script = lambda request: text("never", delay_s=60, path=request["path"])
    jobs = served.client.evaluation.jobs
    target = {"type": "model", "model": model(endpoint.url)}
    created = jobs.create(target=target, config=config)
    until("a call", lambda: endpoint.calls)
    jobs.delete(created.id)
    with pytest.raises(NotFoundError):
        jobs.status(created.id)
    folder = served.home / "results" / f"job_id={created.id}"
    until("the folder to go", lambda: not folder.exists())
    calls = len(endpoint.calls)
    carry_out_another(served)
    assert len(endpoint.calls) == calls


def test_the_async_client_does_the_same(served, named):
    async def run() -> tuple[Any, bytes]:
        async with AsyncNeMoMicroservices(base_url=served.url, _strict_response_validation=True) as client:
            jobs: Any = client.evaluation.jobs
            created = await jobs.create(namespace="org", **named)
            progress: list[float] = []
            async with asyncio.timeout(WAIT_S):
                while not progress or progress[-1] < 100:
                    progress.append((await jobs.status(created.id)).progress)
                    await asyncio.sleep(0.05)
            archive = await jobs.download_results(created.id)
            return await jobs.results(created.id), await archive.read()

    result, archive = asyncio.run(run())
    assert result.tasks["qa"].metrics["correct"].scores["string-check"].value == 0.75
    assert zipfile.ZipFile(io.BytesIO(archive)).testzip() is None
