"""`assay retry`: have what failed of a job made again, by a job that takes over the rest."""

import os
from pathlib import Path
from typing import Any

from cli.again import Again
from cli.client import Client, JsonDict, job_path
from cli.run import followed
from cli.specs import read_body
from cli.terminal import note, say_json
from core.errors import InvalidInput, SpecInvalid


def retry(job: str, again: Again, *, detach: bool, as_json: bool) -> int:
    """Have a job retried and follow the job that does so, unless `detach`; return the exit code.

    Raises InvalidInput.
    """
    client = Client()
    made = client.post(job_path(job, "retry"), request(again))
    note(f"Job {made['id']} retries {made['retry_of']}")
    if not detach:
        return followed(client, made["id"], as_json=as_json)
    if as_json:
        say_json(made, indent=2)
    return 0


def request(again: Again) -> JsonDict:
    """Return the body of a request. Raises InvalidInput, and SpecInvalid for a file that cannot be read."""
    given: dict[str, Any] = {
        "only": [outcome for text in again.only or [] for outcome in text.split(",")],
        "judge_only": again.judge_only,
        "judges": again.judge,
        "metrics": _metrics(again.metrics) if again.metrics else None,
        "api_keys": list(map(_key, again.key or [])),
        "name": again.name,
    }
    return {name: value for name, value in given.items() if value}


def _metrics(path: Path) -> list[Any]:
    metrics = read_body(path).get("metrics")
    if not isinstance(metrics, list):
        raise SpecInvalid(f"{path} has no list of 'metrics', as a task of a specification has")
    return metrics


def _key(text: str) -> JsonDict:
    """Return a key as the service takes it: what a variable of this process holds, or else of its own."""
    name, _, reference = text.rpartition("=")
    if not name or not reference.startswith("env:"):
        raise InvalidInput("write --key NAME=env:VARIABLE: a key itself would be seen by all who list processes")
    return {"name": name, "api_key": os.environ.get(reference.removeprefix("env:")) or reference}
