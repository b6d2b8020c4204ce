"""`make bench-memory`: what a worker takes for large texts and many rows, and the API for their files (on Linux).

A service on a home of its own asks a scripted endpoint, whose answers are as long as the case says. Both are ended and
removed after each case; the home is on the disk of the temporary folder (TMPDIR), where the case is refused that could
need more than is free. A part of the cases has a section of its own, so that they may be measured at different times.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from bench import processes
from bench.goals import Goal, goals_table
from bench.reliability import table, verdict
from bench.report import machine, write
from cli.serve import Service, service
from core.settings import Settings
from tests.around import end_in_order
from tests.scripted import Answer, Received, ScriptedEndpoint, last_content, text

LARGE, WIDE, MANY = 2_000, 1_000, 1_000_000
MOST_MB: Final = 400.0
FIRST_BYTE_S: Final = 2.0
LARGE_BYTES: Final = 1_000_000
ENDED_WITHIN_S: Final = 3_600.0
WORDS: Final = [f"{a}{b}" for a in ("ba", "lo", "mi", "tu", "re", "sa") for b in ("ster", "nd", "ck", "ring", "vel")]
JOBS: Final = "/api/assay/v1/jobs"
FILES: Final = {
    "samples as JSON lines": f"{JOBS}/{{}}/samples?format=jsonl",
    "samples as CSV": f"{JOBS}/{{}}/samples?format=csv",
    "samples as Parquet": f"{JOBS}/{{}}/samples?format=parquet",
    "NeMo's artifacts": "/v2/evaluation/jobs/{}/results/artifacts/download",
}

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A job: `n` rows of so many bytes, asked of a model whose answers have so many, or recorded; `judged` if so."""

    label: str
    n: int
    row_bytes: int = 0
    answer_bytes: int = 0
    judged: bool = False
    files: bool = False

    @property
    def disk_bytes(self) -> int:
        """The most that it could take of the disk: a text is in four files at once, were none of them compressed."""
        return self.n * (4 * (self.row_bytes + self.answer_bytes) + 2_000)


@dataclass(frozen=True)
class Figures:
    """What a job took: the worker's peak, and by file the API's peak, the seconds to its first byte and its MB."""

    case: Case
    seconds: float
    before_mb: float
    worker_mb: float
    files: dict[str, tuple[float, float, float]]


def cases(large: int, wide: int, many: int) -> list[Case]:
    """Return the cases, of so many large outputs, large rows and small rows."""
    return [
        Case(f"{large:,} outputs of 1 MB", large, answer_bytes=LARGE_BYTES, files=True),
        Case(f"{large // 4:,} outputs of 1 MB, judged", large // 4, answer_bytes=LARGE_BYTES, judged=True),
        Case(f"{wide:,} rows of 1 MB, asked", wide, row_bytes=LARGE_BYTES, answer_bytes=20),
        Case(f"{many:,} small rows, scored", many, files=True),
    ]


def main() -> None:
    """Measure, print what came of it, and write it down; exits with 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--large", type=int, default=LARGE, help="outputs of 1 MB, of which a fourth is judged besides")
    parser.add_argument("--wide", type=int, default=WIDE, help="rows of 1 MB")
    parser.add_argument("--many", type=int, default=MANY, help="small rows")
    parser.add_argument("--write", type=Path, metavar="FILE", help="BENCHMARKS.md, or another such file")
    options = parser.parse_args()
    end_in_order()
    measured, failures = measure(cases(options.large, options.wide, options.many))
    text = report(measured, failures)
    print(text)
    if options.write:
        write(options.write, heading(options.large, options.wide, options.many), text)
    sys.exit(bool(failures))


def heading(large: int, wide: int, many: int) -> str:
    """Return what the section of some cases is called: by the command, which leaves out those of size 0."""
    sizes = {"LARGE": large, "WIDE": wide, "MANY": many}
    return f"Memory: `make bench-memory{''.join(f' {name}=0' for name, size in sizes.items() if not size)}`"


def measure(asked: Sequence[Case]) -> tuple[list[Figures], list[str]]:
    """Carry out each case on a service of its own; one that fails does not end the others."""
    measured, failures = [], []
    for case in asked:
        if not case.n:
            continue
        try:
            _need_disk(case)
            with _running() as (running, settings), ScriptedEndpoint(answering(case)) as endpoint:
                measured.append(_figures(case, running, settings, endpoint))
        except (httpx.HTTPError, TimeoutError, RuntimeError) as error:
            failures.append(f"{case.label}: {type(error).__name__}: {error}")
            print(f"FAILED: {failures[-1]}", file=sys.stderr, flush=True)
        else:
            print(measured[-1], file=sys.stderr, flush=True)
    return measured, failures


def answering(case: Case) -> Any:
    """Return a script whose answers are pieces of one random text; a judge's, which is told by its prompt, is short."""
    chance = random.Random(1)
    words = " ".join(chance.choices(WORDS, k=case.answer_bytes // 3 + 1))

    def answer(request: Received) -> Answer:
        is_judge = last_content(request["body"]).startswith("Grade")
        request["body"], request["raw"] = {}, b""  # it keeps them all
        if is_judge:
            return text("3")
        start = chance.randrange(len(words) - case.answer_bytes)
        return text(words[start : start + case.answer_bytes])

    return answer


def specification(case: Case, url: str, dataset: str) -> Json:
    """Return a case as a specification."""
    check = {"type": "string-check", "name": "right", "left": "{{answer}}", "operator": "contains", "right": "a"}
    task: Json = {"name": "qa", "dataset": {"kind": "files", "url": dataset}, "metrics": [check]}
    targets: list[Json] = [{"kind": "recorded", "column": "said"}]
    if case.answer_bytes:
        targets = [{"kind": "model", "name": "target", "endpoint": {"url": url, "model": "m"}}]
        task["prompts"] = {"target": {"body": {"messages": [{"role": "user", "content": "{{item.question}}"}]}}}
    if case.judged:
        content = "Grade from 0 to 4: {{sample.output_text}}"
        judge = {"name": "graded", "type": "judge", "endpoint": {"url": url, "model": "j"}}
        scale = {"kind": "range", "minimum": 0, "maximum": 4, "threshold": 3}
        task["metrics"].append(
            {**judge, "prompt": {"body": {"messages": [{"role": "user", "content": content}]}}, "scale": scale}
        )
    return {"targets": targets, "tasks": [task]}


def write_rows(file: Path, case: Case) -> None:
    """Write a case's rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(2)
    words = " ".join(chance.choices(WORDS, k=case.row_bytes // 3 + 40))
    size = case.row_bytes or 40
    with file.open("wb") as lines:
        for number in range(case.n):
            start = chance.randrange(len(words) - size)
            row = {"question": f"{number} {words[start : start + size]}", "said": f"it is {number}", "answer": "a"}
            lines.write(orjson.dumps(row) + b"\n")


def report(measured: Sequence[Figures], failures: Sequence[str]) -> str:
    """Return what was measured as Markdown."""
    workers = [Goal(f"worker, {each.case.label}", MOST_MB, each.worker_mb, " MB") for each in measured]
    jobs = [
        (each.case.label, f"{each.seconds:.0f}", f"{each.before_mb:.0f}", f"{each.worker_mb:.0f}") for each in measured
    ]
    goals, sent = _of_files(measured)
    return f"""
Eight calls at a time. A peak is the most memory that the process has held (VmHWM) since the job, or the file, was
asked for.

{goals_table([*workers, *goals])}

{verdict(failures)}

{table(("job", "s", "worker before, MB", "worker's peak, MB"), jobs)}

{sent}{machine()}
"""


def _of_files(measured: Sequence[Figures]) -> tuple[list[Goal], str]:
    """Return the goals of the jobs' files and a table of these; nothing where there are jobs that were to have none."""
    if measured and not any(each.case.files for each in measured):
        return [], ""
    files = [(each.case, name, *found) for each in measured for name, found in each.files.items()]
    goals = [
        Goal("API, any file", MOST_MB, max((row[2] for row in files), default=None), " MB"),
        Goal("first byte of any file", FIRST_BYTE_S, max((row[3] for row in files), default=None), " s"),
    ]
    rows = [(case.label, name, f"{mb:.0f}", f"{peak:.0f}", f"{s:.2f}") for case, name, peak, s, mb in files]
    return goals, table(("job", "file", "MB", "API's peak, MB", "first byte, s"), rows) + "\n\n"


def _need_disk(case: Case) -> None:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < case.disk_bytes:
        needed, has = case.disk_bytes / 1e9, free / 1e9
        raise RuntimeError(f"it may need {needed:.1f} GB in {tempfile.gettempdir()}, which has {has:.1f}; set TMPDIR")


@contextmanager
def _running() -> Iterator[tuple[Service, Settings]]:
    with tempfile.TemporaryDirectory(prefix="assay-memory-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        settings = Settings(home=home, port=0, datasets=home / "datasets")
        with service(settings, lambda _: None) as running:
            yield running, settings


def _figures(case: Case, running: Service, settings: Settings, endpoint: ScriptedEndpoint) -> Figures:
    pids = {child.command.name: child.pid for child in running.children}
    assert settings.datasets is not None
    write_rows(settings.datasets / "bench" / "memory" / "rows.jsonl", case)
    with httpx.Client(base_url=running.url, trust_env=False, timeout=120) as http:
        spec = specification(case, endpoint.url, "hf://datasets/bench/memory/rows.jsonl")
        before_mb, begun = processes.peak_mb(pids["worker"]), time.monotonic()
        processes.forget_peak(pids["worker"])
        job_id = http.post(JOBS, json={"spec": spec}).raise_for_status().json()["id"]
        _wait(http, job_id)
        seconds, peak = time.monotonic() - begun, processes.peak_mb(pids["worker"])
        files = {name: _received(http, path.format(job_id), pids["api"]) for name, path in FILES.items() if case.files}
    return Figures(case, seconds, before_mb, peak, files)


def _wait(http: httpx.Client, job_id: str) -> None:
    deadline = time.monotonic() + ENDED_WITHIN_S
    while (job := http.get(f"{JOBS}/{job_id}").raise_for_status().json())["status"] != "completed":
        if job["status"] in ("failed", "cancelled"):
            raise RuntimeError(f"{job_id} ended in {job['status']}: {job.get('failure')}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{job_id} is still {job['status']} after {ENDED_WITHIN_S:.0f} s")
        time.sleep(0.2)


def _received(http: httpx.Client, path: str, api: int) -> tuple[float, float, float]:
    """Return the API's peak while a file is sent, the seconds to its first byte, and its MB."""
    processes.forget_peak(api)
    begun, first, size = time.monotonic(), 0.0, 0
    with http.stream("GET", path) as response:
        response.raise_for_status()
        for part in response.iter_raw():
            first = first or time.monotonic() - begun
            size += len(part)
    return processes.peak_mb(api), first, size / 1e6


if __name__ == "__main__":
    main()
