"""`make fault-test FAULTS=1000`: jobs through all stages on models that misbehave, without Prefect.

The faults are drawn by a seed, so that it is known of each call what is to come of it. Exits with 1 if anything else
came. Writes its section of RELIABILITY.md.
"""

import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.misbehaviour import (
    FINAL,
    JUDGE,
    JUDGE_GRADES,
    MAX_RETRIES,
    PASSING,
    PAUSING,
    Asked,
    Misbehaving,
    Pause,
    asked_of,
    expected,
    grade,
    is_right,
    plan,
)
from bench.reliability import table, try_faults, verdict
from bench.report import machine
from core.endpoint import Endpoint, Prompt
from core.job import STAGES, Job, NewJob, random_id
from core.metric import OUTPUT, Judge, Range, StringCheck
from core.result import CallOutcome, Outcome
from core.settings import Settings
from core.spec import EvaluationSpec, ModelTarget, Params, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from store.workspace import Workspace
from tasks.aggregate import aggregate
from tasks.engine.engine import Engine
from tasks.fsck.results import fsck
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.resolve import resolve_job
from tests.scripted import Received, ScriptedEndpoint

HEADING = "An endpoint that misbehaves: `make fault-test`"
SAMPLES = 25
"""Of a job: one shard."""

JOBS_AT_A_TIME = 8
TIMEOUT_S = 1.0
PARALLELISM = 64
"""More than a job has samples, so that no call waits for another but where its model bears no more."""

TOLERANCE = 0.1
SLACK_S = 0.1
"""What a busy machine may take to send a request that is due."""

DEADLINE_SLACK_S = 1.0
LOST: Final[Mapping[CallOutcome, Outcome]] = {
    "refused": "refused",
    "error": "target_error",
    "transient": "target_error",
}

Plans = dict[Asked, list[str]]


@dataclass
class Findings:
    """What came of the faults."""

    planned: int
    injected: Counter[str]
    calls: int = 0
    lost: int = 0
    mis_scored: int = 0
    most_attempts: int = 0
    deviations: list[float] = field(default_factory=list)
    longest_s: float = 0.0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def main() -> None:
    """Inject the faults."""
    try_faults("faults", __doc__, 1000, inject, report, HEADING)


def inject(home: Path, faults: int, seed: int) -> Findings:
    """Carry out as many jobs as take so many faults, several at a time, and compare what came of them."""
    plans = list(planned(random.Random(seed), faults))
    script = Misbehaving({asked: each for job in plans for asked, each in job.items()})
    found = Findings(faults, script.injected)
    workspace = Workspace.open(Settings(home=home), migrating=True)
    began = time.monotonic()
    with ScriptedEndpoint(script) as endpoint, ThreadPoolExecutor(JOBS_AT_A_TIME) as threads:
        jobs = [_add(workspace, endpoint.url, number) for number in range(len(plans))]
        list(threads.map(lambda job: _carry_out(workspace, job), jobs))
        found.seconds = time.monotonic() - began
        received = list(endpoint.calls)
    for number, job in enumerate(jobs):
        _compare(found, workspace.folder(job.id), plans[number])
    _look_at_times(found, received, script.pauses)
    workspace.close()
    if script.injected.total() != faults:
        found.failures.append(f"{script.injected.total()} faults were met, of {faults}")
    return found


def planned(chance: random.Random, faults: int) -> Iterator[Plans]:
    """Yield the plans of each job, until there are so many faults; the first sample of each has none."""
    number = 0
    while faults:
        plans: Plans = {}
        for sample in range(SAMPLES):
            target, judging = Asked(f"model-{number}", sample), Asked(f"{JUDGE}-{number}", sample)
            plans[target] = plan(chance, faults) if sample else []
            faults -= len(plans[target])
            is_judged = expected(plans[target]).outcome == "answered"
            plans[judging] = plan(chance, faults) if sample and is_judged else []
            faults -= len(plans[judging])
        yield plans
        number += 1


def _add(workspace: Workspace, url: str, number: int) -> Job:
    """Add the job whose target and judge are the models of this number."""
    target = ModelTarget(endpoint=Endpoint(url=url, model=f"model-{number}"))
    judge = Judge(
        name="graded",
        endpoint=Endpoint(url=url, model=f"{JUDGE}-{number}"),
        prompt=_prompt("Grade {{ sample.output_text }} as an answer to {{ item.question }}"),
        scale=Range(minimum=0, maximum=JUDGE_GRADES - 1, threshold=3),
    )
    rows = [{"question": f"sample {sample}", "answer": f"a{sample}"} for sample in range(SAMPLES)]
    task = TaskSpec(
        name="qa",
        dataset=RowsDataset(rows=[dict(row) for row in rows]),
        prompts={target.name: _prompt("{{ item.question }}")},
        metrics=(StringCheck(name="correct", left=OUTPUT, operator="equals", right="{{ item.answer }}"), judge),
    )
    params = Params(parallelism=PARALLELISM, max_retries=MAX_RETRIES, request_timeout_s=TIMEOUT_S)
    job_id = random_id("job-")
    spec = EvaluationSpec(targets=(target,), tasks=(task,), params=params)
    return workspace.jobs.add(NewJob(id=job_id, face="nemo-v2", spec=spec, request={}, name=job_id))


def _prompt(content: str) -> Prompt:
    return Prompt(body={"messages": [{"role": "user", "content": content}]})


def _carry_out(workspace: Workspace, job: Job) -> None:
    """Take a job through all stages, each shard at its last attempt."""
    engine = Engine(workspace, job, attempt=1, worker="faults", tell=lambda _: None)
    with engine.engaged(), engine.failing():
        resolve_job(engine)
        for shard in engine.manifest.shards:
            generate_shard(engine, shard, final=True)
            judge_shard(engine, shard, final=True)
        aggregate(engine)


def _compare(found: Findings, folder: JobFolder, plans: Plans) -> None:
    """Hold a job's scores and attempts against what was to come of its calls."""
    (shard,) = folder.read_manifest().shards  # type: ignore[union-attr]  # the job is done
    scores = {(score.sample, score.metric): score for score in folder.read_scores(shard) or []}
    for place, score in _scores(plans):
        if place not in scores:
            found.lost += 1
            found.failures.append(f"{folder.job_id}: {place} was lost")
        elif (scores[place].outcome, scores[place].value) != score:
            found.mis_scored += 1
            found.failures.append(f"{folder.job_id}: {score} should be at {place}, and not {scores[place]}")
    attempts = [call.attempts for stage in STAGES for call in folder.read_calls(stage, shard)]
    found.calls += len(attempts)
    found.most_attempts = max(found.most_attempts, *attempts)
    if found.most_attempts > MAX_RETRIES + 1:
        found.failures.append(f"{folder.job_id}: {found.most_attempts} attempts at a call")
    if difference := fsck(folder).difference:
        found.failures.append(f"{folder.job_id}: {difference}")


def _scores(plans: Plans) -> Iterator[tuple[tuple[int, str], tuple[Outcome, float | None]]]:
    """Yield what each score is to be, by sample and metric."""
    for asked, faults in plans.items():
        lost = LOST.get(expected(faults).outcome)
        if asked.is_judge:
            target = plans[Asked(asked.model.replace(JUDGE, "model"), asked.sample)]
            target_lost = LOST.get(expected(target).outcome)
            outcome = target_lost or (lost and "judge_error") or "scored"
            yield (asked.sample, "graded"), (outcome, None if outcome != "scored" else float(grade(asked.sample)))
        else:
            yield (asked.sample, "correct"), (lost or "scored", None if lost else float(is_right(asked.sample)))


def _look_at_times(found: Findings, received: Sequence[Received], pauses: Sequence[Pause]) -> None:
    """Measure how well pauses were kept, and how long attempts took."""
    found.longest_s = max(call["ended"] - call["time"] for call in received)
    if found.longest_s > TIMEOUT_S + DEADLINE_SLACK_S:
        found.failures.append(f"an attempt took {found.longest_s:.1f} s")
    times: defaultdict[Asked, list[float]] = defaultdict(list)
    calls: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for call in received:
        asked = asked_of(call)
        times[asked].append(call["time"])
        calls[asked.model].append((call["time"], call["ended"]))
    by_model: defaultdict[str, list[Pause]] = defaultdict(list)
    for pause in pauses:
        by_model[pause.asked.model].append(pause)
    for pause in pauses:
        retried_at = next((at for at in times[pause.asked] if at > pause.at), None)
        if retried_at is not None:
            # A later pause of the same model holds for this call too.
            until = max(each.until for each in by_model[pause.asked.model] if each.at <= retried_at)
            # A model that asks for peace is asked less at a time: the call may have waited for another to end, or to
            # be given up, of which the endpoint hears a moment later.
            others = (
                end for begun, end in calls[pause.asked.model] if begun < retried_at and end < retried_at + SLACK_S
            )
            room_at = max(others, default=until)
            _keep(found, pause, early_s=pause.until - retried_at, late_s=retried_at - max(until, room_at))


def _keep(found: Findings, pause: Pause, *, early_s: float, late_s: float) -> None:
    """Take note of whether a pause was kept."""
    deviation_s = -early_s if early_s > 0 else max(0.0, late_s)
    found.deviations.append(deviation_s)
    if not -TOLERANCE * pause.seconds <= deviation_s <= TOLERANCE * pause.seconds + SLACK_S:
        found.failures.append(f"a pause of {pause.seconds:.2f} s was missed by {deviation_s:+.2f} s")


def report(found: Findings, seed: int) -> str:
    """Return what came of the faults as Markdown."""
    names = [*PASSING, *PAUSING, *FINAL]
    rows = [(name, found.injected[name], "ends the call" if name in FINAL else "passes") for name in names]
    limit_s = TIMEOUT_S + DEADLINE_SLACK_S
    claims = [
        ("scores lost", found.lost, "0"),
        ("scores other than they should be", found.mis_scored, "0"),
        ("attempts at a call, at most", found.most_attempts, MAX_RETRIES + 1),
        ("pauses that were asked for and measured", len(found.deviations), ""),
        (
            "furthest from the end of a pause, or from when its model bore one more",
            _span(found.deviations),
            f"{TOLERANCE:.0%} of it, and {SLACK_S:g} s",
        ),
        ("longest attempt", f"{found.longest_s:.2f} s", f"{limit_s:g} s"),
    ]
    return f"""
{found.planned:,} faults (seed {seed}) in {found.calls:,} calls of targets and judges, in {found.seconds:.0f} s; each
attempt may take {TIMEOUT_S:g} s. Of every call it is known beforehand what is to come of it.

{table(("", "found", "allowed"), claims)}

{verdict(found.failures)}

{table(("fault", "times", "it"), rows)}

{machine()}, load average {os.getloadavg()[0]:.1f}
"""


def _span(deviations: Sequence[float]) -> str:
    return f"{min(deviations):+.3f} s to {max(deviations):+.3f} s" if deviations else "none"


if __name__ == "__main__":
    main()
