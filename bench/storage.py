"""`make storage-test FAULTS=200`: jobs through all stages while the kernel refuses what they write, without Prefect.

Files may grow no further, a disk of their own is full, a rename meets a folder: each until a stage has met it, then
there is room again and the stage is tried once more. Exits with 1 if a call was lost or paid again, or a job did not
complete. Writes its section of RELIABILITY.md.
"""

import os
import random
import resource
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal

from bench.reliability import table, try_faults, verdict
from bench.report import machine
from core.endpoint import Endpoint, Prompt
from core.errors import StorageFailed
from core.job import STAGES, Job, NewJob, random_id
from core.metric import Judge, Range
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
from tests.scripted import Answer, Received, ScriptedEndpoint, last_content, text

HEADING: Final = "Storage that fails: `make storage-test`"
SAMPLES: Final = 25
"""Of a job: one shard."""

MOST_OF_A_STAGE: Final = 5
PARALLELISM: Final = 4
DISK: Final = "8m"
LONG: Final = "word " * 200
"""In an answer, so that a journal needs a new page of the disk every few calls."""

DEADLINE_S: Final = 300.0

Kind = Literal["a file may not grow", "the disk is full", "a rename is refused"]
Carry = Callable[[], object]


class Faults:
    """What is to go wrong at which call of an endpoint, and what goes wrong now."""

    def __init__(self, results: Path, *, has_disk: bool) -> None:
        """Begin with nothing wrong."""
        self.kinds: tuple[Kind, ...] = ("a file may not grow", "a rename is refused")
        if has_disk:
            self.kinds = (*self.kinds, "the disk is full")
        self._ballast = results / "ballast"
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        self._in_the_way: Path | None = None
        self._due: tuple[Kind, int] | None = None

    def plan(self, kind: Kind, after: int, target: Path) -> None:
        """Have a kind of fault begin after so many calls; a rename to `target` is refused from now on."""
        if kind == "a rename is refused":
            (target / "in the way").mkdir(parents=True)
            self._in_the_way = target
        elif after:
            self._due = kind, after
        else:
            self._begin(kind)

    def answer(self, request: Received) -> Answer:
        """Answer a call, at which a fault may begin."""
        if self._due:
            kind, after = self._due
            self._due = (kind, after - 1) if after > 1 else None
            if after == 1:
                self._begin(kind)
        asked = last_content(request["body"])
        return text("4" if request["body"]["model"] == "judge" else f"{asked} {LONG}")

    def lift(self) -> None:
        """Have all go well again."""
        self._due = None
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
        self._ballast.unlink(missing_ok=True)
        if self._in_the_way:
            (self._in_the_way / "in the way").rmdir()
            self._in_the_way.rmdir()
            self._in_the_way = None

    def _begin(self, kind: Kind) -> None:
        if kind == "a file may not grow":
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._limits[1]))
        else:
            with suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
                while ballast.write(bytes(4096)):
                    pass


@dataclass
class Findings:
    """What came of the faults."""

    met: Counter[Kind] = field(default_factory=Counter)
    jobs: int = 0
    completed: int = 0
    calls: int = 0
    lost: int = 0
    paid_again: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def main() -> None:
    """Inject the faults."""
    try_faults("storage", __doc__, 200, inject, report, HEADING)


def inject(home: Path, faults: int, seed: int) -> Findings:
    """Carry out jobs until so many faults were met, and compare what they have paid for with what they have."""
    found, chance, began = Findings(), random.Random(seed), time.monotonic()
    with (
        small_disk(home / "results") as has_disk,
        closing(Workspace.open(Settings(home=home), migrating=True)) as space,
    ):
        wrong = Faults(home / "results", has_disk=has_disk)
        with ScriptedEndpoint(wrong.answer) as endpoint:
            while found.met.total() < faults:
                if time.monotonic() - began > DEADLINE_S:
                    found.failures.append(f"{found.met.total()} faults were met in {DEADLINE_S:.0f} s, of {faults}")
                    break
                job = _add(space, endpoint.url, found.jobs)
                found.jobs += 1
                _Life(space, job, wrong, found, chance).lead()
                _compare(found, space.folder(job.id))
                space.folder(job.id).remove()
        asked = Counter(last_content(call["body"]) for call in endpoint.calls)
    found.calls, found.paid_again = len(asked), asked.total() - len(asked)
    if found.paid_again:
        found.failures.append(f"{found.paid_again} calls were paid again")
    found.seconds = time.monotonic() - began
    return found


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Lay a small file system over a folder; gives whether that is permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _add(workspace: Workspace, url: str, number: int) -> Job:
    target = ModelTarget(endpoint=Endpoint(url=url, model="model"))
    judge = Judge(
        name="graded",
        endpoint=Endpoint(url=url, model="judge"),
        prompt=_prompt("Grade {{ sample.output_text }}"),
        scale=Range(minimum=1, maximum=5, threshold=3),
    )
    rows = [{"question": f"job {number}, sample {sample}"} for sample in range(SAMPLES)]
    task = TaskSpec(
        name="qa",
        dataset=RowsDataset(rows=[dict(row) for row in rows]),
        prompts={target.name: _prompt("{{ item.question }}")},
        metrics=(judge,),
    )
    spec = EvaluationSpec(targets=(target,), tasks=(task,), params=Params(parallelism=PARALLELISM))
    job_id = random_id("job-")
    return workspace.jobs.add(NewJob(id=job_id, face="nemo-v2", spec=spec, request={}, name=job_id))


def _prompt(content: str) -> Prompt:
    return Prompt(body={"messages": [{"role": "user", "content": content}]})


@dataclass
class _Life:
    """A job whose stages meet faults, each until it is met."""

    workspace: Workspace
    job: Job
    wrong: Faults
    found: Findings
    chance: random.Random

    def lead(self) -> None:
        """Take the job through all stages."""
        engine = Engine(self.workspace, self.job, attempt=1, worker="storage", tell=lambda _: None)
        with engine.engaged(), engine.failing():
            resolve_job(engine)
            for shard in engine.manifest.shards:
                for stage, carry in zip(STAGES, (generate_shard, judge_shard), strict=True):
                    self._meet(partial(carry, engine, shard, final=True), engine.folder.calls_file(stage, shard))
            self._meet(partial(aggregate, engine), engine.folder.file("summaries", 0))
        self.found.completed += 1

    def _meet(self, carry: Carry, target: Path) -> None:
        """Carry out a step that meets faults, as often as it takes."""
        for _ in range(self.chance.randint(1, MOST_OF_A_STAGE)):
            kind = self.chance.choice(self.wrong.kinds)
            self.wrong.plan(kind, self.chance.randint(0, SAMPLES // 2), target)
            try:
                carry()
            except StorageFailed as error:
                self._note(kind, error)
            else:  # it was over before there was anything to meet
                return
            finally:
                self.wrong.lift()
        carry()

    def _note(self, kind: Kind, error: StorageFailed) -> None:
        self.found.met[kind] += 1
        place = f"results/job_id={self.job.id}/"
        if place not in error.message or str(self.workspace.settings.home) in error.message:
            self.found.failures.append(f"{kind}: no file below the home is named in {error.message!r}")


def _compare(found: Findings, folder: JobFolder) -> None:
    """Count what a completed job lacks."""
    (shard,) = folder.read_manifest().shards  # type: ignore[union-attr]  # the job is done
    missing = sum(SAMPLES - len({call.key for call in folder.read_calls(stage, shard)}) for stage in STAGES)
    missing += SAMPLES - len(folder.read_scores(shard) or [])
    found.lost += missing
    if missing:
        found.failures.append(f"{folder.job_id}: {missing} calls or scores were lost")
    if difference := fsck(folder).difference:
        found.failures.append(f"{folder.job_id}: {difference}")
    if left := [file.name for file in folder.path.rglob("*.tmp")]:
        found.failures.append(f"{folder.job_id}: {', '.join(left)} was left")


def report(found: Findings, seed: int) -> str:
    """Return what came of the faults as Markdown."""
    claims = [
        ("faults met", found.met.total(), ""),
        *((f"of these: {kind}", times, "") for kind, times in sorted(found.met.items())),
        ("calls to targets and judges", found.calls, found.jobs * SAMPLES * len(STAGES)),
        ("calls or scores lost", found.lost, 0),
        ("calls paid again", found.paid_again, 0),
        ("jobs completed", found.completed, found.jobs),
    ]
    without = "" if "the disk is full" in found.met else "\nNo file system could be mounted here: no disk was full.\n"
    return f"""
Faults (seed {seed}) from the kernel, met by the stages of {found.jobs} jobs in {found.seconds:.0f} s: a limit to the
size of files that begins at any call, a small disk that is full from any call on, and a folder where a file is to be
renamed to. Each is met once, then lifted, and the stage is tried again. No fault of `fsync` alone is among them: the
kernel has none without a device of its own.
{without}
{table(("", "found", "allowed"), claims)}

{verdict(found.failures)}

{machine()}, load average {os.getloadavg()[0]:.1f}
"""


if __name__ == "__main__":
    main()
