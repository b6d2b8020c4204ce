"""What the client sees, run as a program of its own: `BASE_URL LABEL`, then JSON."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from maniac import AsyncManiac, Maniac
from maniac._exceptions import APIError, ManiacError

BASE_URL, LABEL = sys.argv[1:]
SAME = """
def run_evaluation(item):
    said, wanted = [item[side]["output"]["choices"][0]["message"]["content"] for side in ("sample", "ground_truth")]
    return {"score": 1.0 if said == wanted else 0.0}
"""
ITEMS = [
    {
        "input": {"messages": [{"role": "user", "content": f"say {n}"}]},
        "output": {"choices": [{"index": 0, "message": {"role": "assistant", "content": f"say {n}"}}]},
        "metadata": {"n": n},
    }
    for n in range(4)
]

client = Maniac(api_key="key", base_url=BASE_URL)


def refused(ask: Callable[[], object]) -> list[Any]:
    try:
        ask()
    except APIError as error:
        return [type(error).__name__, error.status_code, error.code]
    except ManiacError as error:
        return [type(error).__name__, str(error)]
    return []


def ended(run_id: str) -> Any:
    while (run := client.evaluation.runs.retrieve(run_id))["status"] in ("pending", "running"):
        time.sleep(0.05)
    return run


async def listed() -> Any:
    async with AsyncManiac(api_key="key", base_url=BASE_URL) as other:
        return await other.evaluation.runs.list(container=LABEL, status="completed")


container = client.containers.create(label=LABEL, initial_model="good")
seen: dict[str, Any] = {
    "container": container,
    "registered": client.chat.completions.register(container=LABEL, items=ITEMS),
    "completion": client.chat.completions.create(
        model=f"maniac:{LABEL}", messages=[{"role": "user", "content": "say 4"}]
    ),
    "logged": client.chat.completions.list(container=LABEL),
    "found": client.chat.completions.list(container=LABEL, metadata={"n": 2}),
    "changed": client.containers.update(LABEL, default_parameters={"temperature": 0}),
}
judge = client.evaluators.create(
    type="judge", container=LABEL, name="as good", model="judge", prompt="Is A at least as good as B?"
)
code = client.evaluators.create(type="code", container=LABEL, name="the same", source=SAME)
seen["evaluators"] = [each["id"] for each in client.evaluators.list(container=LABEL)["data"]]
seen["by_name"] = client.evaluators.retrieve("as good")
seen["patched"] = client.evaluators.update("as good", pass_threshold=0.75)
dataset = client.datasets.create(
    container=LABEL, name="some", size=3, filters=[{"key": "metadata.n", "operator": "less_than", "value": 3}]
)
seen["dataset"] = client.datasets.retrieve(dataset["id"])
seen["datasets"] = client.datasets.list(container=LABEL)["total"]
created = client.evaluation.runs.create(
    container=LABEL,
    evaluators=["as good", code["id"]],
    sample={"type": "generate", "models": ["good", "bad"]},
    ground_truth={"type": "dataset", "dataset": dataset["id"]},
    metadata={"k": "v"},
)
seen["created"] = created["status"]
seen["run"] = ended(created["id"])
seen["runs"] = [run["id"] for run in asyncio.run(listed())["data"]]
seen["refused"] = {
    "not found": refused(lambda: client.evaluators.retrieve("none")),
    "taken": refused(lambda: client.containers.create(label=LABEL, initial_model="m")),
    "no side": refused(lambda: client.evaluation.runs.create(container=LABEL, evaluators=["as good"])),
    "no prompt": refused(lambda: client.evaluators.create(type="judge", model="m")),
    "packages": refused(lambda: client.evaluators.create(type="code", source=SAME, requirements=["numpy"])),
}
seen["deleted"] = [client.evaluators.delete(judge["id"]), client.evaluators.delete("the same")]
seen["emptied"] = client.containers.delete(LABEL)
sys.stdout.write(json.dumps(seen))
