"""Jobs on a running service whose processes are killed, and what is found of them in the end."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import orjson

from bench.ledger import Asked, Death, Repaid, recorded_calls, repaid
from bench.victims import Victim, wait_for
from core.endpoint import Endpoint, Prompt
from core.metric import OUTPUT, Judge, Range, StringCheck
from core.result import Score
from core.spec import EvaluationSpec, ModelTarget, Params, RowsDataset, TaskSpec
from store.objects.disk import DISK
from store.objects.objects import Objects
from store.results.folder import JobFolder
from tasks.fsck.results import Report, fsck

JOBS_AT_A_TIME: Final = 3
PARALLELISM: Final = 16
TOKENS_A_CALL: Final = 10
"""What the scripted endpoint says that each call has used."""

ANSWERED_WITHIN_S: Final = 60.0
RESUMED_WITHIN_S: Final = 120.0
MOMENT_WITHIN_S: Final = 20.0
ENDED_WITHIN_S: Final = 180.0
ON_ITS_WAY_S: Final = 0.1
"""So long after a death the requests of the dead may still arrive; only then it is seen what was asked."""

LOOK_S: Final = 0.0005
STORE_LOOK_S: Final = 0.05
"""Between two looks whether a moment has come, on a disk and in a store that has each look to answer."""

Moment = Literal["any", "promotion", "aggregation", "recovery"]
"""Any time; a journal becoming Parquet; all scores there and the job not ended; soon after another death."""


@dataclass
class Kill:
    """A death, and what came of it; `resumed_s` is None if no request came after it, or none was waited for."""

    victim: Victim
    moment: Moment
    died_at: float
    death: Death
    resumed_s: float | None = None


@dataclass
class Findings:
    """What came of all deaths."""

    samples: int
    trials: int = 1
    kills: list[Kill] = field(default_factory=list)
    repaid: list[Repaid] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    asked: int = 0
    recorded: int = 0
    missing: int = 0
    duplicated: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many calls a job takes, and scores it has: two for each trial of each sample."""
        return 2 * self.samples * self.trials


class Trial:
    """Keeps jobs going on a service at `url`, and kills its processes by `kill`."""

    def __init__(
        self,
        url: str,
        results: Path,
        endpoint: str,
        kill: Callable[[Victim], None],
        *,
        samples: int,
        trials: int = 1,
        jobs: int = JOBS_AT_A_TIME,
        objects: Objects = DISK,
    ) -> None:
        """Begin with no job; so many are kept going, each with so many samples, asked so often.

        Their results are `objects`.
        """
        self._objects = objects
        self._jobs_url = f"{url}/api/assay/v1/jobs"
        self._results = results
        self._endpoint = endpoint
        self._kill = kill
        self._jobs = jobs
        self._http = httpx.Client(trust_env=False, timeout=30)
        self._folders: list[JobFolder] = []
        self._ended: set[JobFolder] = set()
        self.found = Findings(samples, trials)

    def start_job(self) -> None:
        """Have one more job carried out."""
        number = len(self._folders)
        asked = specification(self._endpoint, number, self.found.samples, self.found.trials)
        spec = asked.model_dump(mode="json", exclude_none=True)
        headers = {"idempotency-key": f"{self._endpoint} {number}"}
        job = self._ask("POST", self._jobs_url, json={"spec": spec}, headers=headers)
        self._folders.append(JobFolder(self._results, job["id"], self._objects))

    def top_up(self) -> None:
        """Have several jobs open that have calls to make, so that there is work beyond the next death."""
        while sum(not _is_aggregating(folder) for folder in self._open()) < self._jobs:
            self.start_job()

    def strike(self, victim: Victim, moment: Moment, after_s: float, *, awaited: bool = True) -> None:
        """Kill the victim at the moment, or after some seconds; if `awaited`, wait for the next request."""
        if moment in ("any", "recovery"):
            time.sleep(after_s)
        else:
            self._wait_for_moment(moment)
        self._kill(victim)
        died = time.time()
        time.sleep(ON_ITS_WAY_S)
        self._asked()  # whatever came before this is read before the next
        calls = self._asked()
        seen = max((call.time for call in calls), default=died)
        asked = frozenset(call.sha256 for call in calls)
        kill = Kill(victim, moment, died, Death(seen, asked, recorded_calls(self._folders)))
        self.found.kills.append(kill)
        if awaited:
            self._note_resumption(kill)

    @property
    def job_ids(self) -> list[str]:
        """The jobs, the first first."""
        return [folder.job_id for folder in self._folders]

    def drain(self) -> None:
        """Wait until all jobs have ended that were begun."""
        wait_for(self._nothing_left, ENDED_WITHIN_S)

    def said(self, job_id: str) -> list[str]:
        """Return the messages in the log of one of the jobs."""
        (folder,) = (folder for folder in self._folders if folder.job_id == job_id)
        return [line.message for line in folder.read_log().lines]

    def finish(self) -> Findings:
        """Wait for the end of all jobs, and hold what is there against what was asked."""
        found, deadline = self.found, time.monotonic() + ENDED_WITHIN_S
        for folder in self._folders:
            self._check_job(folder, deadline)
        asked = self._asked()
        found.asked, found.recorded = len(asked), len(recorded_calls(self._folders))
        found.repaid = repaid([kill.death for kill in found.kills], asked)
        found.failures += [wrong for each in found.repaid for wrong in each.wrong]
        self._check_totals()
        self._http.close()
        return found

    def _check_job(self, folder: JobFolder, deadline: float) -> None:
        found = self.found
        try:
            wait_for(folder.read_status, deadline - time.monotonic())
        except TimeoutError:
            found.failures.append(f"{folder.job_id} has not ended: {self._told(folder)}")
            return
        if folder.read_status() != "completed":
            found.failures.append(f"{folder.job_id} has not completed: {self._told(folder)}")
        report = fsck(folder)
        found.reports.append(report)
        if report.difference:
            found.failures.append(f"{folder.job_id}: {report.difference}")
        places = [(score.sample, score.trial, score.metric) for score in _scores(folder)]
        found.missing += found.calls - len(set(places))
        found.duplicated += len(places) - len(set(places))

    def _told(self, folder: JobFolder) -> str:
        """Return what the service says of a job."""
        job = self._ask("GET", f"{self._jobs_url}/{folder.job_id}")
        return ", ".join(f"{name}: {job[name]}" for name in ("status", "note", "failure", "progress"))

    def _check_totals(self) -> None:
        """Check that calls and tokens are those that the endpoint has seen, but for those paid again."""
        found = self.found
        paid_once = found.asked - sum(each.calls for each in found.repaid)
        calls, tokens = (sum(getattr(each, name) for each in found.reports) for name in ("calls", "total_tokens"))
        if not paid_once == calls == found.recorded == found.calls * len(self._folders):
            found.failures.append(f"{paid_once} calls were paid once, {calls} are there, {found.recorded} different")
        if tokens != TOKENS_A_CALL * paid_once:
            found.failures.append(f"{tokens} tokens are there, {TOKENS_A_CALL * paid_once} were used")
        for name in ("missing", "duplicated"):
            if count := getattr(found, name):
                found.failures.append(f"{count} scores are {name}")

    def _note_resumption(self, kill: Kill) -> None:
        try:
            first = wait_for(lambda: self._first_after(kill.death.time) or self._nothing_left(), RESUMED_WITHIN_S)
        except TimeoutError:
            self.found.failures.append(f"no request came in {RESUMED_WITHIN_S:.0f} s after the death of {kill.victim}")
        else:
            kill.resumed_s = None if first == inf else first - kill.died_at

    def _nothing_left(self) -> float | None:
        """Return that no request will ever come if all jobs have ended."""
        return None if self._open() else inf

    def _first_after(self, since: float) -> float | None:
        return next((call.time for call in self._asked() if call.time > since), None)

    def _wait_for_moment(self, moment: Moment) -> None:
        """Wait until a job is at the moment, or for so long that it may never be."""
        is_there = _is_promoting if moment == "promotion" else _is_aggregating
        deadline = time.monotonic() + MOMENT_WITHIN_S
        while time.monotonic() < deadline:
            if any(map(is_there, self._open())):
                return
            time.sleep(LOOK_S if self._objects is DISK else STORE_LOOK_S)

    def _open(self) -> list[JobFolder]:
        self._ended |= {folder for folder in self._folders if folder not in self._ended and folder.read_status()}
        return [folder for folder in self._folders if folder not in self._ended]

    def _asked(self) -> list[Asked]:
        lines = self._http.get(f"{self._endpoint.removesuffix('/v1')}/log").text.splitlines()
        return sorted(Asked(call["time"], call["sha256"]) for call in map(orjson.loads, lines))

    def _ask(self, method: str, url: str, **how: Any) -> dict[str, Any]:
        """Send a request, again and again until the API is there."""
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while True:
            try:
                answer: dict[str, Any] = self._http.request(method, url, **how).raise_for_status().json()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return answer


def specification(endpoint: str, number: int, samples: int, trials: int = 1) -> EvaluationSpec:
    """Return what a job is asked for: of each sample a call to its target and one to its judge, like no other job's.

    Those of several trials differ by their seed, if the endpoint answers each otherwise.
    """
    rows = [{"question": f"job {number}, sample {n} ANSWER: {n}", "answer": str(n)} for n in range(samples)]
    model = Endpoint(url=endpoint, model="scripted")
    judge = Judge(
        name="graded",
        endpoint=model,
        prompt=_prompt('Grade {{ sample.output_text }} for {{ item.question }} ANSWER: {"score": 1}'),
        scale=Range(minimum=0, maximum=1, threshold=1),
    )
    task = TaskSpec(
        name="qa",
        dataset=RowsDataset(rows=[dict(row) for row in rows]),
        prompts={"target": _prompt("{{ item.question }}")},
        metrics=(StringCheck(name="correct", left=OUTPUT, operator="equals", right="{{ item.answer }}"), judge),
    )
    target = ModelTarget(endpoint=model, generation={"seed": 0} if trials > 1 else {})
    return EvaluationSpec(targets=(target,), tasks=(task,), params=Params(parallelism=PARALLELISM, trials=trials))


def _prompt(content: str) -> Prompt:
    return Prompt(body={"messages": [{"role": "user", "content": content}]})


def _scores(folder: JobFolder) -> list[Score]:
    manifest = folder.read_manifest()
    return [score for shard in (manifest.shards if manifest else ()) for score in folder.read_scores(shard) or []]


def _is_promoting(folder: JobFolder) -> bool:
    """Whether a finished stage of a shard still has its journal."""
    finished = {file.stem for file in folder.files("calls")}
    return any(journal.stem in finished for journal in folder.journals.paths())


def _is_aggregating(folder: JobFolder) -> bool:
    """Whether all shards are judged."""
    return 0 < len(folder.files("samples")) == folder.count_judged()
