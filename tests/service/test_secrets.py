"""A key reaches the endpoint it is for, and is found nowhere else: not on disk, in an answer or in a process."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import until
from tests.scripted import Answer, Received, ScriptedEndpoint, by_default, failure, last_content, text
from tests.service.bodies import CORRECT, Json, chat_task, job, judge, model

TARGET_KEY = "sk-marker-target-5fb1"
JUDGE_KEY = "sk-marker-judge-77ac"
HUB_TOKEN = "hf_markerhub90d2"
PASSWORD = "marker-password-1c3e"
MARKERS = (TARGET_KEY, JUDGE_KEY, HUB_TOKEN, PASSWORD)


def echo(request: Received) -> Answer:
    """Quote the key in every answer and in every third error, as a careless proxy does."""
    key = request["headers"]["authorization"]
    if last_content(request["body"]).startswith("fail"):
        return failure(400, f"bad request, sent with {key}")
    return text(f"{last_content(request['body'])[-1]} for {key}")


def places(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield all that the service keeps below its home, Parquet files unpacked; the datasets are the user's."""
    for path in home.rglob("*"):
        if path.is_relative_to(home / "datasets"):
            continue
        try:
            if path.suffix == ".parquet":
                table = pq.read_table(path)
                texts = [column for column in table.columns if pa.types.is_string(column.type)]
                yield path, "\n".join(str(value) for column in texts for value in column.to_pylist()).encode()
            elif path.is_file():
                yield path, path.read_bytes()
        except FileNotFoundError:
            continue  # a file of the moment


def leaks(home: Path) -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(home)), marker)
        for path, content in places(home)
        for marker in MARKERS
        if marker.encode() in content
    ]


def processes(parent: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield parent
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        yield from processes(int(child))


@pytest.fixture
def questions(served) -> str:
    rows = [{"question": f"{'fail' if n % 3 == 2 else 'say'} {n % 2}", "answer": str(n % 2)} for n in range(9)]
    return served.dataset("secret.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def spec_with_keys(questions: str, target: str, judging: str, parallelism: int = 4) -> Json:
    graded = judge(model(judging, "judge", api_key=JUDGE_KEY), "say {{item.answer}}")
    task = chat_task(questions, correct=CORRECT, graded=graded)
    params = {"parallelism": parallelism, "extra": {"hf_token": HUB_TOKEN}}
    return job(model(target, api_key=TARGET_KEY), params=params, qa=task)


def test_keys_reach_their_endpoints_and_nothing_else(served, questions):
    jobs = served.client.v2.evaluation.jobs
    with ScriptedEndpoint(echo) as target, ScriptedEndpoint(echo) as judging, ScriptedEndpoint() as by_url:
        created = jobs.create(spec=spec_with_keys(questions, target.url, judging.url))
        with_user_info = by_url.url.replace("http://", f"http://user:{PASSWORD}@")
        other = jobs.create(spec=job(model(with_user_info), qa=chat_task(questions)))
        ended, other_ended = served.wait(created.id), served.wait(other.id)
        keys = [{call["headers"]["authorization"] for call in one.calls} for one in (target, judging, by_url)]

    assert (ended.status, other_ended.status) == ("completed", "completed")
    assert keys == [{f"Bearer {TARGET_KEY}"}, {f"Bearer {JUDGE_KEY}"}, {f"Bearer {PASSWORD}"}]
    assert (len(target.calls), len(judging.calls)) == (9, 6)
    assert leaks(served.home) == []

    api = f"{served.url}/v2/evaluation/jobs"
    answers = [f"{api}/{created.id}", f"{api}/{other.id}", f"{api}/{created.id}/status", f"{api}?page_size=100"]
    answers.append(f"{api}/{created.id}/results/evaluation-results/download")
    shown = "".join(httpx.get(url).raise_for_status().text for url in answers)
    assert not [marker for marker in MARKERS if marker in shown]
    assert created.spec.target.model.api_endpoint.api_key == "******"
    assert jobs.retrieve(created.id).spec.config.params.extra == {"hf_token": "******"}
    assert created.spec.config.tasks["qa"].metrics["graded"].params["model"]["api_endpoint"]["api_key"] == "******"


def test_keys_are_in_no_file_and_no_process_while_a_job_runs(served, questions):
    stuck: list[Any] = []

    def echo_then_wait(request: Received) -> Answer:
        if len(stuck) < 2 and "say" in last_content(request["body"]):
            stuck.append(request)
            return text("late", delay_s=60)
        return echo(request)

    with ScriptedEndpoint(echo_then_wait) as target, ScriptedEndpoint(by_default) as judging:
        job_id = served.create(spec_with_keys(questions, target.url, judging.url))
        journal = served.home / "results" / f"job_id={job_id}" / "journal" / "generate-00000.journal"
        until(lambda: journal.exists() and journal.read_bytes().count(b"\n") == 7)
        assert b"******" in journal.read_bytes()
        assert leaks(served.home) == []
        for pid in processes(served.process.pid):
            told = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            assert not [marker for marker in MARKERS if marker.encode() in told]
        served.client.v2.evaluation.jobs.cancel(job_id)
        assert served.wait(job_id).status == "cancelled"
    assert leaks(served.home) == []


def test_prefect_knows_no_key(served):
    runs = httpx.post(f"{served.prefect_api}/flow_runs/filter", json={"limit": 200}).raise_for_status().json()
    assert any("job_id" in run["parameters"] for run in runs)
    assert not [marker for marker in MARKERS if marker in str(runs)]
