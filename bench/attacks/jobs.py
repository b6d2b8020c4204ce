"""Attacks by jobs: each is created, awaited and judged, several at a time."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import httpx

from bench.attacks.site import Site, Try
from core.job import TERMINAL
from core.spec import EvaluationSpec

JOBS: Final = "/api/assay/v1/jobs"
AT_A_TIME: Final = 4
WITHIN_S: Final = 120.0
LOOK_S: Final = 0.1

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A job that is an attack: where it is asked for, by which body, and what shows that it succeeded."""

    name: str
    body: Json
    succeeded: Callable[["Ended"], str | None] = lambda _: None
    path: str = JOBS


@dataclass(frozen=True)
class Ended:
    """What came of a job: its record once it has ended, or the answer to the request for it if there is no job."""

    site: Site
    answer: httpx.Response
    job: Json

    @property
    def message(self) -> str:
        """Why there are no results."""
        return str((self.job.get("failure") or {}).get("message") or self.answer.text)

    def scores(self) -> list[Json]:
        """Return the scores of all its samples."""
        if self.job.get("status") != "completed":
            return []
        found = self.site.http.get(f"{JOBS}/{self.job['id']}/samples", params={"limit": 1000}).raise_for_status()
        return [score for sample in found.json()["data"] for score in sample["scores"]]


def native(name: str, spec: EvaluationSpec, succeeded: Callable[[Ended], str | None] = lambda _: None) -> Asked:
    """Return the job that carries out a specification."""
    return Asked(name, {"spec": spec.model_dump(mode="json", exclude_none=True)}, succeeded)


def end_of(site: Site, asked: Asked) -> Ended:
    """Have a job carried out; return what came of it."""
    try:
        answer = site.http.post(asked.path, json=asked.body)
    except httpx.TransportError as error:
        answer = httpx.Response(599, text=repr(error))
    if not answer.is_success:
        return Ended(site, answer, {})
    made = answer.json()
    path = f"{JOBS}/{made.get('id') or made.get('workflow_id')}"
    deadline = time.monotonic() + WITHIN_S
    while (job := site.http.get(path).json())["status"] not in TERMINAL and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    if job["status"] not in TERMINAL:
        site.http.post(f"{path}/cancel")
    return Ended(site, answer, job)


def attempts(site: Site, asked: Iterable[Asked], at_a_time: int = AT_A_TIME) -> Iterator[Try]:
    """Have the jobs carried out; yields what each achieved."""
    with ThreadPoolExecutor(at_a_time) as threads:
        yield from threads.map(lambda each: _tried(each, end_of(site, each)), asked)


def _tried(asked: Asked, ended: Ended) -> Try:
    return Try(asked.name, harm(ended) or asked.succeeded(ended))


def harm(ended: Ended) -> str | None:
    """Return what no job may do to the service: an error of ours, or no end."""
    if ended.answer.status_code >= 500:
        return f"it was answered {ended.answer.status_code}: {ended.answer.text[:200]}"
    if not ended.job:
        return None
    failure = ended.job.get("failure") or {}
    if ended.job["status"] not in TERMINAL:
        return f"it had not ended after {WITHIN_S:.0f} s, and was {ended.job['status']}"
    if failure.get("blame") == "service" or ended.job["status"] == "unknown":
        return f"it ended as {ended.job['status']}: {failure.get('code')}: {failure.get('message')}"[:300]
    return None
