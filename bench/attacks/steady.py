"""The job that goes on beside the attacks, which it must not notice."""

from typing import Final

import httpx

from bench.attacks.jobs import JOBS
from bench.victims import wait_for
from core.job import TERMINAL
from tests.tasks.specs import model, spec

SAMPLES: Final = 40_000
AHEAD: Final = 25_000
"""An area takes no more calls of the job than these."""

WITHIN_S: Final = 60.0


class Steady:
    """A job of many samples on an endpoint of its own; another one takes its place before it ends."""

    def __init__(self, http: httpx.Client, url: str) -> None:
        """Prepare; `go_on` has it created."""
        self._http, self._url, self._job = http, url, ""

    def go_on(self) -> None:
        """See to it that a job is at work and has enough to do. Raises RuntimeError if one has failed."""
        if self._job:
            record = self._http.get(f"{JOBS}/{self._job}").raise_for_status().json()
            if record["status"] in ("failed", "unknown", "cancelled"):
                raise RuntimeError(f"the job beside the attacks is {record['status']}: {record['failure']}")
            done = record["progress"].get("qa", {}).get("generate", {"done": 0})["done"]
            if record["status"] not in TERMINAL and SAMPLES - done > AHEAD:
                return
            self._http.post(f"{JOBS}/{self._job}/cancel")
        rows = [{"question": f"{number}"} for number in range(SAMPLES)]
        asked = spec(model(self._url), rows, parallelism=1)
        body = {"spec": asked.model_dump(mode="json", exclude_none=True)}
        self._job = self._http.post(JOBS, json=body).raise_for_status().json()["id"]
        wait_for(lambda: self._http.get(f"{JOBS}/{self._job}").json()["status"] == "running", WITHIN_S)
