"""What the first generation of the client sees: `BASE_URL FILE JUDGE_URL FOLDER`, then JSON."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import together
from together import Together

BASE_URL, FILE, JUDGE_URL, FOLDER = sys.argv[1:]
JUDGE = {
    "judge_model": "judge",
    "judge_model_source": "external",
    "judge_system_template": "Is this an answer to {{question}}?",
    "judge_external_base_url": JUDGE_URL,
    "judge_external_api_token": "key-of-the-judge",
}
KINDS: dict[str, Any] = {
    "classify": {"labels": ["good", "bad"], "pass_labels": ["good"], "model_to_evaluate": "answer"},
    "score": {"min_score": 1, "max_score": 10, "pass_threshold": 7, "model_to_evaluate": "answer"},
    "compare": {"model_a": "answer", "model_b": "other"},
}

client = Together(api_key="key", base_url=BASE_URL, max_retries=0)


def download(file_id: str) -> str:
    path = Path(FOLDER) / "results.jsonl"
    client.files.retrieve_content(file_id, output=path)
    return path.read_text()


def evaluate(kind: str, file_id: str) -> dict[str, Any]:
    created = client.evaluation.create(type=kind, input_data_file_path=file_id, **JUDGE, **KINDS[kind])
    while client.evaluation.status(created.workflow_id).status.value not in ("completed", "error", "user_error"):
        time.sleep(0.05)
    job = client.evaluation.retrieve(created.workflow_id).model_dump(mode="json")
    rows = [json.loads(line) for line in download(job["results"]["result_file_id"]).splitlines()]
    return {"created": created.status.value, "job": job, "rows": rows}


def refusal(file_id: str) -> dict[str, Any]:
    try:
        client.files.retrieve(file_id)
    except together.error.InvalidRequestError as error:
        return {"error": type(error).__name__, "message": str(error)}
    return {}


uploaded = client.files.upload(file=FILE, purpose="eval", check=False)
evaluations = {kind: evaluate(kind, uploaded.id) for kind in KINDS}
seen = {
    "uploaded": uploaded.model_dump(mode="json", by_alias=True),
    "retrieved": client.files.retrieve(uploaded.id).model_dump(mode="json", by_alias=True),
    "content": download(uploaded.id),
    "files": [file.id for file in client.files.list().data or []],
    "evaluations": evaluations,
    "jobs": [job.workflow_id for job in client.evaluation.list(limit=3)],
    "completed": len(client.evaluation.list(status="completed", limit=100)),
    "deleted": client.files.delete(uploaded.id).deleted,
    "refused": refusal(uploaded.id),
}
sys.stdout.write(json.dumps(seen))
