"""What the second and third generations of the client see: `BASE_URL FILE JUDGE_URL FOLDER`, then JSON."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import together
from together import Together

BASE_URL, FILE, JUDGE_URL, FOLDER = sys.argv[1:]
JUDGE = {
    "model": "judge",
    "model_source": "external",
    "system_template": "Is this an answer to {{question}}?",
    "external_base_url": JUDGE_URL,
    "external_api_token": "key-of-the-judge",
}
KINDS: dict[str, Any] = {
    "classify": {"labels": ["good", "bad"], "pass_labels": ["good"], "model_to_evaluate": "answer"},
    "score": {"min_score": 1, "max_score": 10, "pass_threshold": 7, "model_to_evaluate": "answer"},
    "compare": {"model_a": "answer", "model_b": "other"},
}

client = Together(api_key="key", base_url=BASE_URL, max_retries=0)


def evaluate(kind: Any, file_id: str) -> dict[str, Any]:
    parameters = {"judge": JUDGE, "input_data_file_path": file_id, **KINDS[kind]}
    created = client.evals.create(type=kind, parameters=parameters)
    while client.evals.status(created.workflow_id).status not in ("completed", "error", "user_error"):
        time.sleep(0.05)
    job = client.evals.retrieve(created.workflow_id).model_dump(mode="json", by_alias=True)
    path = Path(FOLDER) / "results.jsonl"
    client.files.content(job["results"]["result_file_id"]).write_to_file(path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {"created": created.status, "job": job, "rows": rows}


def refusal(file_id: str) -> dict[str, Any]:
    try:
        client.files.retrieve(file_id)
    except together.NotFoundError as error:
        return {"error": type(error).__name__, "message": error.body["error"]["message"]}
    return {}


def project() -> str:
    who: Any = client.whoami()
    return who.project_slug if hasattr(who, "project_slug") else who.project.slug


uploaded = client.files.upload(file=FILE, purpose="eval", check=False)
evaluations = {kind: evaluate(kind, uploaded.id) for kind in KINDS}
seen = {
    "uploaded": uploaded.model_dump(mode="json", by_alias=True),
    "retrieved": client.files.retrieve(uploaded.id).model_dump(mode="json", by_alias=True),
    "content": client.files.content(uploaded.id).read().decode(),
    "files": [file.id for file in client.files.list().data],
    "evaluations": evaluations,
    "jobs": [job.workflow_id for job in client.evals.list(limit=3)],
    "completed": len(client.evals.list(status="completed", limit=100)),
    "deleted": client.files.delete(uploaded.id).deleted,
    "refused": refusal(uploaded.id),
    "project": project(),
}
sys.stdout.write(json.dumps(seen))
