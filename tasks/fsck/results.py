"""Check a job's results against each other: what derives from something else is derived again.

Samples are held against the digests of the manifest, outputs against calls, scores against outputs and calls, and
summaries against scores; all files against their own checksums. No service need run.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson

from core.errors import NotFound, ResultsMissing, SchemaMismatch
from core.job import STAGES, Stage
from core.plan import Manifest, Shard
from core.result import Call, CallKey, Output, Score
from store.results.checks import extents
from store.results.checksum import is_intact
from store.results.counts import count_outputs
from store.results.folder import JobFolder
from store.results.scan import read_keys
from tasks.fsck.rederive import (
    OUTPUT_KEY,
    SUMMARY_KEY,
    Differs,
    check_keys,
    check_rows,
    check_scores,
    judges_calls,
    target_calls,
)
from tasks.generate import derived_outputs
from tasks.metrics.subject import Responses, subjects
from tasks.responses import responses_in, without_copies
from tasks.summaries.aggregator import Aggregator

Json = dict[str, Any]

MISSING: Final = "the file is missing"


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong, in which file, shard and sample; `stored` is there in the place of `recomputed`."""

    file: str
    shard: int | None
    sample: int | None
    problem: str
    stored: Any = None
    recomputed: Any = None

    def __str__(self) -> str:
        """Say it in a line."""
        parts = (("shard", self.shard), ("sample", self.sample))
        place = ", ".join([self.file, *(f"{name} {number}" for name, number in parts if number is not None)])
        values = "" if self.stored == self.recomputed else f": stored {self.stored!r}, recomputed {self.recomputed!r}"
        return f"{place}: {self.problem}{values}"


@dataclass(slots=True)
class Report:
    """How much of a job was checked, and what is wrong first; `status` is None for a job that has not ended.

    Attempts and tokens are what the job itself has paid: those of calls that it has `taken_over` are another's.
    """

    job_id: str
    status: str | None = None
    samples: int = 0
    outputs: int = 0
    scores: int = 0
    calls: int = 0
    taken_over: int = 0
    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    difference: Difference | None = None

    def count(self, calls: Sequence[Call]) -> None:
        """Count calls and what was paid for them."""
        paid = [call for call in calls if call.paid_by is None]
        self.calls += len(calls)
        self.taken_over += len(calls) - len(paid)
        self.attempts += sum(call.attempts for call in paid)
        self.prompt_tokens += sum(call.usage.prompt_tokens or 0 for call in paid)
        self.completion_tokens += sum(call.usage.completion_tokens or 0 for call in paid)
        self.total_tokens += sum(call.usage.total_tokens or 0 for call in paid)


def fsck(folder: JobFolder) -> Report:
    """Check a job up to the first difference; of one that has not ended, what is there.

    Raises NotFound if it has no results.
    """
    if not folder.objects.names(folder.path):
        raise NotFound(f"job {folder.job_id} has no results in {folder.path.parent}")
    report = Report(folder.job_id)
    try:
        _check(folder, report)
    except Differs as found:
        report.difference = _described(folder, found)
    except (ResultsMissing, SchemaMismatch) as error:
        report.difference = Difference(folder.path.name, None, None, error.message)
    return report


def _described(folder: JobFolder, found: Differs) -> Difference:
    file, number = found.path.relative_to(folder.path), found.path.stem.rpartition("-")[2]
    return Difference(
        str(file),
        int(number) if number.isdecimal() and file.parent.name != "summaries" else None,
        found.sample,
        found.problem,
        stored=found.stored,
        recomputed=found.recomputed,
    )


def _check(folder: JobFolder, report: Report) -> None:
    for path in folder.parquet_files():
        with folder.objects.latest(path).open("rb") as file:
            if not is_intact(file):
                raise Differs(path, "the file is not as it was written")
    report.status = folder.read_status()
    completed = report.status == "completed"
    _check_journals(folder, completed=completed)
    manifest = folder.read_manifest()
    if manifest is not None:
        _check_plan(folder, manifest)
        _Rows(folder, manifest, report, completed=completed).check()
    elif completed:
        raise Differs(folder.path / "manifest.json", MISSING)


def _check_journals(folder: JobFolder, *, completed: bool) -> None:
    for path in folder.journals.paths():
        if completed:
            raise Differs(path, "the job is completed, and yet there is a journal")
        if problem := folder.journals.damage(path):
            raise Differs(path, problem)


def _check_plan(folder: JobFolder, manifest: Manifest) -> None:
    """Check that the shards are all rows of the datasets, and that there are no files but theirs."""
    path = folder.path / "manifest.json"
    if manifest.job_id != folder.job_id:
        raise Differs(path, "job_id", stored=manifest.job_id, recomputed=folder.job_id)
    for digest in manifest.datasets:
        shards = [shard for shard in manifest.shards if shard.task == digest.task]
        ends = [0, *(end for shard in shards for end in (shard.start, shard.stop)), digest.rows]
        if any(stop != start for stop, start in list(pairwise(ends))[::2]):
            raise Differs(path, f"the shards of task {digest.task!r} are not its {digest.rows} rows")
    known = {folder.path / "job.parquet", folder.file("summaries", 0)}
    for shard in manifest.shards:
        known |= {folder.file(kind, shard.index) for kind in ("samples", "outputs", "scores")}
        known |= {folder.calls_file(stage, shard) for stage in STAGES}
    for file in folder.parquet_files():
        if file not in known:
            raise Differs(file, "the file belongs to no shard")


class _Rows:
    """The rows of one job; what is checked is counted in `report`."""

    def __init__(self, folder: JobFolder, manifest: Manifest, report: Report, *, completed: bool) -> None:
        self._folder, self._spec, self._manifest, self._report = folder, manifest.spec, manifest, report
        self._completed = completed
        self._digests = {digest.task: hashlib.sha256() for digest in manifest.datasets}
        self._aggregator = Aggregator(manifest.spec.tasks, manifest.spec.params.trials)
        # Another release may read answers otherwise: then only the keys of its rows are checked.
        self._exact = manifest.code_version == version("assay-evals")

    def check(self) -> None:
        """Check all shards, then what is said of them together."""
        judged = [self._check_shard(shard) for shard in self._manifest.shards]
        for digest in self._manifest.datasets:
            found = self._digests[digest.task].hexdigest()
            if found != digest.sha256:
                problem = f"sha256 of the samples of task {digest.task!r}"
                raise Differs(self._folder.path / "manifest.json", problem, stored=digest.sha256, recomputed=found)
        path, summaries = self._folder.file("summaries", 0), self._folder.read_summaries()
        if summaries is None:
            self._miss(path)
        elif not all(judged):
            raise Differs(path, "there are summaries, and yet not all shards have scores")
        else:
            unknown: dict[str, Any] = dict.fromkeys(self._folder.later_fields("summaries", 0))
            known = [replace(summary, **unknown) for summary in self._aggregator.summaries(count_outputs(self._folder))]
            check_rows(path, summaries, known, SUMMARY_KEY)

    def _check_shard(self, shard: Shard) -> bool:
        """Check a shard as far as it has come; whether it is judged."""
        for path, samples in extents(self._folder, shard):
            for sample in (samples.start, samples.stop - 1):
                if not shard.start <= sample < shard.stop:
                    raise Differs(path, f"sample {sample} is not of this shard")
        judged = [self._check_part(part) for part in self._folder.parts(shard)]
        return all(judged)

    def _check_part(self, shard: Shard) -> bool:
        """Check a part of a shard as far as that has come; whether it is judged."""
        rows = self._read_samples(shard)
        # In the order opposite to that of writing: what is read first has the rest beside it.
        scores, outputs = self._folder.read_scores(shard), self._folder.read_outputs(shard)
        if outputs is None:
            self._miss(self._folder.file("outputs", shard.index), needed=scores is not None)
            return False
        responses = self._check_outputs(shard, rows, outputs)
        if scores is None:
            self._miss(self._folder.file("scores", shard.index))
            return False
        self._check_scores(shard, rows, outputs, responses, scores)
        return True

    def _read_samples(self, shard: Shard) -> list[Json]:
        keys = ((shard.task, sample) for sample in shard.samples)
        rows = self._folder.read_samples(shard)
        check_keys(self._folder.file("samples", shard.index), read_keys(self._folder, shard), keys)
        for row in rows:
            option = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
            self._digests[shard.task].update(orjson.dumps(row, option=option))
        self._report.samples += len(rows)
        return rows

    def _check_outputs(self, shard: Shard, rows: Sequence[Json], outputs: Sequence[Output]) -> Responses:
        """Check the outputs, and return what finds the answers behind them."""
        calls = self._read_calls("generate", shard, target_calls(self._spec, shard))
        expected = derived_outputs(self._spec, shard, rows, calls)
        found = without_copies(outputs, calls)
        check_rows(self._folder.file("outputs", shard.index), found, expected, OUTPUT_KEY, exact=self._exact)
        self._report.outputs += len(outputs)
        return responses_in(calls)

    def _check_scores(
        self,
        shard: Shard,
        rows: Sequence[Json],
        outputs: Sequence[Output],
        responses: Responses,
        scores: Sequence[Score],
    ) -> None:
        task = next(task for task in self._spec.tasks if task.name == shard.task)
        reference = self._spec.reference
        about = [
            (metric, list(subjects(metric, outputs, rows, shard.start, responses=responses, reference=reference)))
            for metric in task.metrics
        ]
        calls = {call.key: call for call in self._read_calls("judge", shard, judges_calls(about))}
        check_scores(self._folder.file("scores", shard.index), scores, about, calls, exact=self._exact)
        self._aggregator.place(shard, rows)
        self._aggregator.add(scores)
        self._report.scores += len(scores)

    def _read_calls(self, stage: Stage, shard: Shard, wanted: Iterable[CallKey]) -> list[Call]:
        path = self._folder.calls_file(stage, shard)
        if not self._folder.objects.exists(path):
            raise Differs(path, MISSING)
        calls = self._folder.read_calls(stage, shard)
        check_keys(path, (call.key for call in calls), wanted)
        self._report.count(calls)
        return calls

    def _miss(self, path: Path, *, needed: bool = False) -> None:
        """Take note that there is no such file, which is right for a job that has not come so far."""
        if needed or self._completed:
            raise Differs(path, MISSING)
