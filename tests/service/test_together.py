"""Together's evaluations end to end, by plain HTTP; the vendor's own clients are in tests/clients."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.together import bodies
from tests.conftest import WAIT_S, until
from tests.scripted import Answer, Received, last_content, text

ENDED = ("completed", "error", "user_error")
WORDS = ["pending", "queued", "running", *ENDED]
OF_LINES = {"purpose": "eval", "file_type": "jsonl"}


@pytest.fixture
def http(served: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=WAIT_S) as http:
        yield http


@pytest.fixture
def graded(default_endpoint: Any) -> Iterator[Any]:
    """The models that come without a URL: judges, whose verdict stands in the response that they are shown."""

    def script(request: Received) -> Answer:
        verdict = last_content(request["body"]).rpartition("VERDICT:")[2]
        return text(f'{{"feedback": "as it says", {verdict}}}')

    usual, default_endpoint.script = default_endpoint.script, script
    yield default_endpoint
    default_endpoint.script = usual


def upload(http: httpx.Client, name: str, rows: list[dict[str, Any]]) -> str:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return str(http.post("/v1/files", files={"file": (name, content)}, data=OF_LINES).json()["id"])


def evaluated(http: httpx.Client, body: bodies.Json) -> Any:
    """Create a job, and wait for its end as users do."""
    created = http.post("/v1/evaluation", json=body)
    assert created.status_code == 200, created.text
    assert created.json()["status"] == "pending"
    job_id = created.json()["workflow_id"]
    seen = [0]

    def has_ended() -> bool:
        status = http.get(f"/v1/evaluation/{job_id}/status").json()
        seen.append(WORDS.index(status["status"]))
        assert (status["results"] is None) == (status["status"] not in ENDED)
        return status["status"] in ENDED

    until(f"{job_id} to end", has_ended)
    assert seen == sorted(seen)
    return http.get(f"/v1/evaluation/{job_id}").json()


@pytest.mark.parametrize("name", bodies.SEEDS)
def test_the_documented_request_asks_for_a_column(http, graded, name):
    body = bodies.SEEDS[name]
    upload(http, bodies.SEED_FILE, [{"prompt": "Who?", "answer": "Me."}])
    missing = evaluated(http, body)
    assert missing["status"] == "user_error"
    assert missing["parameters"] == body["parameters"]
    for word in ("'Qwen/Qwen3.5-9B'", "prompt, answer", "column"):
        assert word in missing["results"]["error"]
    said = ['VERDICT:"label": "good"', 'VERDICT:"label": "BAD"', 'VERDICT:"label": "so so"', 'VERDICT:"label": "good"']
    upload(http, bodies.SEED_FILE, [{"n": n, "Qwen/Qwen3.5-9B": each} for n, each in enumerate(said)])
    job = evaluated(http, body)
    assert job["status"] == "completed"
    assert [update["status"] for update in job["status_updates"]][-2:] == ["running", "completed"]
    file_id = job["results"].pop("result_file_id")
    assert job["results"] == {
        "label_counts": {"good": 2, "bad": 1},
        "pass_percentage": 200 / 3,
        "generation_fail_count": 0,
        "judge_fail_count": 0,
        "invalid_label_count": 1,
    }
    listed = http.get("/v1/files").json()["data"]
    assert [file["purpose"] for file in listed if file["id"] == file_id] == ["eval-output"]
    lines = [json.loads(line) for line in http.get(f"/v1/files/{file_id}/content").text.splitlines()]
    assert [(line["n"], line["label"], line["evaluation_successful"]) for line in lines] == [
        *((0, "good", True), (1, "bad", True), (2, None, False), (3, "good", True))
    ]
    assert http.get(f"/api/assay/v1/jobs/{job['workflow_id']}").json()["status"] == "completed"
    assert (
        http.get("/v1/v1/evaluation", params={"status": "completed", "limit": 1}).json()[0]["workflow_id"]
        == job["workflow_id"]
    )


@pytest.mark.thorough
def test_models_are_asked_and_compared_by_as_many_workers_as_are_allowed(http, endpoint):
    def script(request: Received) -> Answer:
        content = last_content(request["body"])
        if request["body"]["model"] != "judge":
            return text(f"{request['body']['model']}: {content}", delay_s=0.02)
        return text('{"feedback": "", "choice": "%s"}' % ("A" if "Response A:\nbest" in content else "B"), delay_s=0.02)

    endpoint.script = script
    file_id = upload(http, "prompts.jsonl", [{"info": {"prompt": f"p{n}"}} for n in range(40)])
    best, other = (
        bodies.model(endpoint.url, "{{ info.prompt }}", model=name, num_workers=2) for name in ("best", "other")
    )
    job = evaluated(http, bodies.compare(bodies.judge(endpoint.url, num_workers=3), file_id, other, best))
    assert (job["status"], job["results"]["B_wins"], job["results"]["Ties"]) == ("completed", 40, 0)
    assert job["parameters"]["judge"]["external_api_token"] == "***"
    assert len(endpoint.calls) == 4 * 40
    assert 1 < endpoint.peak <= 7
    lines = http.get(f"/v1/files/{job['results']['result_file_id']}/content").text.splitlines()
    assert [json.loads(line)["info"]["prompt"] for line in lines] == [f"p{n}" for n in range(40)]
    assert {json.loads(line)["final_decision"] for line in lines} == {"B"}
