"""A key reaches the endpoint it is for, and is found nowhere else: not on disk, in an answer or in a process."""

import io
import json
import zipfile
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.processes import family
from core.job import TERMINAL
from tests.conftest import WAIT_S, Served, until
from tests.scripted import Answer, Received, ScriptedEndpoint, by_default, failure, last_content, text
from tests.service.bodies import CORRECT, Json, chat_task, job, judge, model
from tests.service.keyed import ROW, Given, Keys, requests
from tests.service.lists import LISTS, OF_A_JOB

pytestmark = pytest.mark.thorough

TARGET_KEY = "sk-marker-target-5fb1"
JUDGE_KEY = "sk-marker-judge-77ac"
HUB_TOKEN = "hf_markerhub90d2"
MARKERS = (TARGET_KEY, JUDGE_KEY, HUB_TOKEN)


def echo(request: Received) -> Answer:
    """Quote the key in every answer and in every third error, as a careless proxy does."""
    key = request["headers"]["authorization"]
    if last_content(request["body"]).startswith("fail"):
        return failure(400, f"bad request, sent with {key}")
    return text(f"{last_content(request['body'])[-1]} for {key}")


class CarelessEndpoint:
    """Quotes each key in all ways: first in a text, then in errors of every kind, in headers, as JSON escapes it."""

    def __init__(self) -> None:
        self.calls = Counter[str]()

    def __call__(self, call: Received) -> Answer:
        key = call["headers"].get("authorization", "Bearer none")
        self.calls[key] += 1
        said, escaped = f"1 for {key}", _escaped(key)
        match self.calls[key] % 8:
            case 0:
                return failure(400, said)
            case 7:
                return Answer(f"<html>{key}</html>".encode(), headers={"content-type": "text/html", "x-key": key})
            case 2:
                return Answer(b'{"choices": [' + escaped, 200)
            case 3:
                return Answer(b'{"error": {"message": "' + escaped + b'"}}', 401, {"www-authenticate": key})
            case 4:
                return Answer(raw=f"HTTP/1.1 banana {key}\r\n\r\n".encode(), end="close")
            case 5:
                return Answer(b"", 307, {"location": f"http://127.0.0.1:1/?key={key}"})
            case 6:
                return Answer(text(said).body.replace(b"/", rb"\/").replace(b"<", rb"\u003c").replace(b"&", rb"\u0026"))
        return text(said)


def _escaped(key: str) -> bytes:
    return orjson.dumps(key)[1:-1]


def places(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield all that the service keeps below its home, of Parquet files the texts; the datasets are the user's."""
    for path in home.rglob("*"):
        if path.is_relative_to(home / "datasets"):
            continue
        try:
            if path.suffix == ".parquet":
                texts = [column for column in pq.read_table(path).columns if pa.types.is_string(column.type)]
                written = [chunk.buffers()[-1] for column in texts for chunk in column.chunks]
                yield path, b"\n".join(part for part in written if part is not None)
            elif path.is_file():
                yield path, path.read_bytes()
        except FileNotFoundError:
            continue  # a file of the moment


def leaks(home: Path, markers: tuple[str, ...] = MARKERS) -> list[tuple[str, str]]:
    return leaked(home, places(home), markers)


def leaked(home: Path, kept: Iterable[tuple[Path, bytes]], markers: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(str(path.relative_to(home)), marker) for path, content in kept for marker in found(content, markers)]


def found(content: bytes, markers: tuple[str, ...]) -> list[str]:
    """Return the keys that stand in a content, in clear or as JSON, once or twice over, or base 64 have them."""
    if not any(beginning in content for beginning in _beginnings(markers)):
        return []
    return [marker for marker in markers if any(form in content for form in _forms(marker))]


@cache
def _beginnings(markers: tuple[str, ...]) -> set[bytes]:
    """Return the few beginnings that all forms of all keys share, so that most contents are looked through once."""
    return {form[:8] for marker in markers for form in _forms(marker)}


@cache
def _forms(marker: str) -> set[bytes]:
    once = _escaped(marker)
    forms = {marker.encode(), once, _escaped(once.decode()), b64encode(marker.encode())}
    forms |= {form.replace(b"/", rb"\/") for form in forms}
    return forms | {form.replace(b"<", rb"\u003c").replace(b"&", rb"\u0026") for form in forms}


def told(served: Served) -> bytes:
    """Return what the service's processes were told by their command lines and environments, and what they printed."""
    parts = [Path(f"/proc/{pid}/{what}") for pid in family(served.process.pid) for what in ("cmdline", "environ")]
    return b"\0".join([*(part.read_bytes() for part in parts), "".join(served.printed).encode()])


@dataclass
class Recorder:
    """A client that keeps whatever it is answered, archives unpacked."""

    http: httpx.Client
    answers: list[tuple[str, int, bytes]] = field(default_factory=list)

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        response = self.http.request(method, path, **how)
        content = response.content
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = b"\n".join(archive.read(name) for name in archive.namelist())
        self.answers.append((f"{method} {path}", response.status_code, repr(response.headers).encode() + content))
        return response

    def leaks(self, markers: tuple[str, ...]) -> list[tuple[str, str]]:
        return [(asked, marker) for asked, _, content in self.answers for marker in found(content, markers)]


@pytest.fixture
def recorder(served: Served) -> Iterator[Recorder]:
    with httpx.Client(base_url=served.url, timeout=WAIT_S) as http:
        yield Recorder(http)


def test_forty_keys_through_every_face_are_found_nowhere(
    served: Served, recorder: Recorder, record_property: Callable[[str, object], None]
) -> None:
    keys = Keys()
    lines, listed = 6 * (json.dumps(ROW) + "\n"), json.dumps([ROW])
    questions = served.dataset("keyed.jsonl", lines)
    of_lines = {"purpose": "eval", "file_type": "jsonl"}
    file_id = recorder.ask("POST", "/v1/files", files={"file": ("keyed.jsonl", lines)}, data=of_lines).json()["id"]
    benchmark = recorder.ask("POST", "/api/v3/benchmark/upload", files={"file": ("keyed.json", listed)}).json()
    before = {job["id"] for job in _all_jobs(recorder)}
    statuses: dict[str, set[int]] = {}
    with ScriptedEndpoint(CarelessEndpoint()) as endpoint:
        given = Given(endpoint.url, questions, file_id, benchmark["benchmark_id"])
        for asked in requests(keys, given):
            own = keys.made.get(asked.face) or keys(asked.face)
            headers = {"authorization": f"Bearer {own}", "x-api-key": own}
            response = recorder.ask(asked.method, asked.path, json=asked.body, headers=headers)
            statuses.setdefault(asked.face, set()).add(response.status_code)
        until(
            "all jobs to end",
            lambda: all(job["status"] in TERMINAL for job in _all_jobs(recorder) if job["id"] not in before),
        )
        sent = {call["headers"].get("authorization", "").removeprefix("Bearer ") for call in endpoint.calls}
    made = [job["id"] for job in _all_jobs(recorder) if job["id"] not in before]
    for path in (*LISTS, *(path.format(job_id) for job_id in made for path in OF_A_JOB)):
        recorder.ask("GET", path)
    markers = tuple(keys.made.values())
    kept = list(places(served.home))
    counted = {"keys": markers, "jobs": made, "answers": recorder.answers, "files": kept}
    for what, found_there in counted.items():
        record_property(what, len(found_there))

    assert len(markers) >= 40
    assert len(made) >= 10
    assert all(min(codes) < 300 <= max(codes) < 500 for codes in statuses.values()), statuses
    assert keys.reaching <= sent
    assert leaked(served.home, kept, markers) == []
    assert recorder.leaks(markers) == []
    assert found(told(served), markers) == []
    assert found(_known_to_prefect(served), markers) == []


def _all_jobs(recorder: Recorder) -> list[Json]:
    jobs: list[Json] = recorder.http.get("/api/assay/v1/jobs?page_size=100").json()["data"]
    return jobs


def _known_to_prefect(served: Served) -> bytes:
    kinds = ("flow_runs", "task_runs", "logs", "artifacts", "deployments", "variables", "block_documents")
    asked = [served.ask_prefect("POST", f"/{kind}/filter", {"limit": 200}) for kind in kinds]
    return b"\n".join(answer.raise_for_status().content for answer in asked)


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
    with ScriptedEndpoint(echo) as target, ScriptedEndpoint(echo) as judging:
        created = jobs.create(spec=spec_with_keys(questions, target.url, judging.url))
        ended = served.wait(created.id)
        keys = [{call["headers"]["authorization"] for call in one.calls} for one in (target, judging)]

    assert ended.status == "completed"
    assert keys == [{f"Bearer {TARGET_KEY}"}, {f"Bearer {JUDGE_KEY}"}]
    assert (len(target.calls), len(judging.calls)) == (9, 6)
    assert leaks(served.home) == []
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
        until("seven calls in the journal", lambda: journal.exists() and journal.read_bytes().count(b"\n") == 7)
        assert b"******" in journal.read_bytes()
        assert leaks(served.home) == []
        assert found(told(served), MARKERS) == []
        served.client.v2.evaluation.jobs.cancel(job_id)
        assert served.wait(job_id).status == "cancelled"
    assert leaks(served.home) == []
