"""A job's folder of results: what goes where, and in which order, so that a crash loses nothing."""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
from pyarrow.fs import FileSelector

from core.errors import Conflict, SpecInvalid
from core.job import STAGES, Job, OpenJob, Stage
from core.plan import Manifest, Shard
from core.result import Call, Output, Score, Summary
from store.objects.disk import DISK
from store.objects.objects import Objects
from store.results import schemas
from store.results.columns import Schema
from store.results.journals import Journals
from store.results.lock import FolderLock
from store.results.log import JobLog, LogPage, read_log
from store.results.manifest import parse_manifest
from store.results.parquet import (
    JOB_FOLDER,
    missing,
    read_parquet,
    row_groups,
    spans,
    version_of,
)
from store.results.publisher import Publisher
from store.results.schemas import SCHEMAS, Kind

FINISHED_BY: Final[Mapping[Stage, Kind]] = {"generate": "outputs", "judge": "scores"}
"""What a shard has once it has passed a stage; written last."""


class JobFolder:
    """The folder `job_id=<id>` below the results folder; made when something is written.

    A shard's Parquet files are immutable: one that exists is finished. A finished stage writes
    its calls first, then what derives from them, and only then removes its journal, so that a
    crash in between leaves the journal to do it again from.

    A shard's texts may be large: wherever its rows are read, it may be one of its `parts`, which are shards too.
    """

    def __init__(self, results: Path, job_id: str, objects: Objects = DISK) -> None:
        """Name the folder, whose files are `objects`; raises SpecInvalid if `job_id` could lead elsewhere."""
        if not re.fullmatch(r"[A-Za-z0-9_-]+", job_id):
            raise SpecInvalid(f"{job_id!r} is not a job id: letters, digits, '_' and '-' only", field="job_id")
        self.job_id = job_id
        self.objects = objects
        self.path = results / f"{JOB_FOLDER}{job_id}"
        self._tombstone = results / f".deleted-{job_id}"
        self.lock = FolderLock(self.path, job_id)
        self.journals = Journals(self.path / "journal", objects)
        self.publisher = Publisher(objects)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same folder, by whomever it was named."""
        return isinstance(other, JobFolder) and (self.path, self.objects) == (other.path, other.objects)

    def __hash__(self) -> int:
        """Hash as equality has it."""
        return hash(self.path)

    @property
    def is_copy(self) -> bool:
        """Whether the folder has only copies of what is kept elsewhere, so that others need not see it."""
        return self.objects is not DISK

    @property
    def job_path(self) -> Path:
        """Where the job itself is written once it has ended."""
        return self.path / "job.parquet"

    @property
    def manifest_path(self) -> Path:
        """Where the frozen plan lies."""
        return self.path / "manifest.json"

    @property
    def log_path(self) -> Path:
        """Where the job's log lines go."""
        return self.path / "log.jsonl"

    def file(self, kind: Kind, index: int) -> Path:
        """Return where a shard's rows of a kind other than calls lie, or with index 0 the summaries."""
        return self.path / kind / f"{index:05}.parquet"

    def calls_file(self, stage: Stage, shard: Shard) -> Path:
        """Return where the calls of a shard's stage lie."""
        return self.path / "calls" / f"{stage}-{shard.index:05}.parquet"

    def need_manifest(self) -> Manifest:
        """Return the frozen plan. Raises Conflict where there is none."""
        manifest = self.read_manifest()
        if manifest is None:
            raise Conflict(f"job {self.job_id} has no samples: it has not begun, or ended before it did")
        return manifest

    def read_manifest(self) -> Manifest | None:
        """Return the frozen plan; None if resolve has not finished."""
        try:
            content = self.objects.latest(self.manifest_path).read_bytes()
        except FileNotFoundError:
            return None
        return parse_manifest(self.manifest_path, content)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the frozen plan, after all samples: it says that they are whole."""
        text = manifest.model_dump_json(indent=2)
        self.publisher.put(self.manifest_path, lambda file: file.write_text(text, encoding="utf-8"))

    def parts(self, shard: Shard) -> Iterator[Shard]:
        """Yield a shard in parts that are small enough to be held, by what its files have of each now."""
        groups = (group for file, schema in self.files_of(shard) for group in row_groups(file, schema))
        for span in spans(groups, shard.samples):
            yield shard.model_copy(update={"start": span.start, "stop": span.stop})

    def files_of(self, shard: Shard) -> Iterator[tuple[Path, Schema]]:
        """Yield where the rows of a shard lie, and their schema; files that are not there yet are among them."""
        kinds: tuple[Kind, ...] = ("samples", *FINISHED_BY.values())
        yield from ((self.objects.file(self.file(kind, shard.index)), SCHEMAS[kind]) for kind in kinds)
        yield from ((self.objects.file(self.calls_file(stage, shard)), SCHEMAS["calls"]) for stage in STAGES)

    def write_samples(self, shard: Shard, items: Iterable[str]) -> None:
        """Write a shard's rows, given as JSON texts."""
        self._publish("samples", shard.index, schemas.samples_tables(shard.task, shard.start, items))

    def copy_samples(self, other: "JobFolder", shard: Shard) -> None:
        """Have the rows of another job's shard as one's own, in the file as it was written."""
        source = other.objects.file(other.file("samples", shard.index))
        self.publisher.publish(self.file("samples", shard.index), lambda file: shutil.copyfile(source, file))

    def read_samples(self, shard: Shard) -> list[dict[str, Any]]:
        """Return a shard's rows."""
        table = self._read("samples", shard)
        if table is None:
            raise missing(self.file("samples", shard.index))
        return [orjson.loads(item) for item in table["item"].to_pylist()]

    def count_judged(self) -> int:
        """Return how many shards are judged."""
        return len(self.files("scores"))

    def is_finished(self, stage: Stage, shard: Shard) -> bool:
        """Whether a shard has passed a stage."""
        return self.objects.exists(self.file(FINISHED_BY[stage], shard.index))

    def finished(self, stage: Stage) -> frozenset[int]:
        """Return the numbers of the shards that have passed a stage."""
        return frozenset(int(file.stem) for file in self.files(FINISHED_BY[stage]))

    def finish_generate(self, shard: Shard, outputs: Iterable[Output], calls: Iterable[Call] | None) -> None:
        """Turn a generated shard into Parquet, as many rows at a time as can be held; its journal goes.

        Without calls, those that an engine has published stay.
        """
        self._publish_calls("generate", shard, calls)
        self._publish("outputs", shard.index, schemas.tables("outputs", outputs))
        self.journals.delete("generate", shard)

    def finish_judge(self, shard: Shard, scores: Iterable[Score], calls: Iterable[Call] | None) -> None:
        """Turn a judged shard into Parquet, as `finish_generate` does."""
        self._publish_calls("judge", shard, calls)
        self._publish("scores", shard.index, schemas.tables("scores", scores))
        self.journals.delete("judge", shard)

    def has_calls(self, stage: Stage, shard: Shard) -> bool:
        """Whether an engine has published the calls of a shard's stage, and perhaps nothing else of it."""
        return self.objects.exists(self.calls_file(stage, shard))

    def extent(self) -> tuple[int, int]:
        """Return how far the job has come: the stages that shards have finished, and the calls that others made."""
        files, journals = self.recorded()
        return len(files), sum(map(self.journals.count, journals))

    def recorded(self) -> tuple[list[Path], list[Path]]:
        """Return where the job's calls are: the files of the stages that shards have finished, and other journals."""
        journals = self.journals.paths()  # first: those of a stage that is finished meanwhile are in its file then
        files = self.files("calls")
        finished = {file.stem for file in files}
        return files, [journal for journal in journals if journal.stem not in finished]

    def read_calls(self, stage: Stage, shard: Shard) -> list[Call]:
        """Return the calls of a finished shard's stage."""
        table = self.read_rows(self.calls_file(stage, shard), "calls", samples=shard.samples)
        return [] if table is None else schemas.calls_of(table)

    def read_outputs(self, shard: Shard) -> list[Output] | None:
        """Return a shard's outputs; None if it is not generated yet."""
        table = self._read("outputs", shard)
        return None if table is None else schemas.outputs_of(table)

    def read_scores(self, shard: Shard) -> list[Score] | None:
        """Return a shard's scores; None if it is not judged yet."""
        table = self._read("scores", shard)
        return None if table is None else schemas.scores_of(table)

    def write_summaries(self, summaries: Iterable[Summary]) -> None:
        """Write the aggregates, those of an earlier attempt being replaced."""
        self.publisher.put_rows(self.file("summaries", 0), schemas.tables("summaries", summaries), SCHEMAS["summaries"])

    def read_summaries(self) -> list[Summary] | None:
        """Return the aggregates; None before they are written."""
        table = read_parquet(self.objects.latest(self.file("summaries", 0)), SCHEMAS["summaries"])
        return None if table is None else schemas.summaries_of(table)

    def later_fields(self, kind: Kind, index: int) -> list[str]:
        """Return the fields that a file lacks since they came with a later release."""
        version = version_of(self.objects.file(self.file(kind, index)), SCHEMAS[kind])
        return [column.name for column in SCHEMAS[kind].columns if version is not None and column.since > version]

    def write_job(self, job: Job | OpenJob) -> None:
        """Write what the `jobs` view shows of the job."""
        self.publisher.put_rows(self.job_path, [schemas.job_table(job)], schemas.JOB)

    def read_status(self) -> str | None:
        """Return the status that the job ended in; None before that."""
        job = self.read_job()
        return None if job is None else str(job["status"])

    def read_job(self) -> dict[str, Any] | None:
        """Return what was written of the job, by column; None before it has ended."""
        table = read_parquet(self.objects.latest(self.job_path), schemas.JOB)
        return None if table is None else dict(zip(schemas.JOB.arrow.names, next(schemas.JOB.rows(table)), strict=True))

    def parquet_files(self) -> list[Path]:
        """Return all Parquet files that are there."""
        kinds = (self.path / name for name in self.objects.names(self.path))
        return sorted(file for folder in (self.path, *kinds) for file in self._parquet_in(folder))

    def files(self, kind: Kind) -> list[Path]:
        """Return the files of a kind that are there, in their order."""
        return self._parquet_in(self.path / kind)

    def read_rows(
        self, file: Path, kind: Kind, columns: list[str] | None = None, samples: range | None = None
    ) -> pa.Table | None:
        """Return the columns of a file of rows that shards have finished, as `read_parquet` does."""
        return read_parquet(self.objects.file(file), SCHEMAS[kind], columns, samples)

    def open_log(self) -> JobLog:
        """Open the job's log for writing."""
        return JobLog(self.log_path, self.objects.segments(self.log_path))

    def read_log(self, *, start: int = 0, limit: int | None = None) -> LogPage:
        """Return a page of the job's log, as the function of this name does."""
        return read_log(self.log_path, self.objects, start=start, limit=limit)

    def tidy(self) -> None:
        """Remove what an engine left that was killed between two steps, once no other is between two.

        Done by whoever works here now: one that holds the folder, and the lease of the job.
        """
        if self.lock.is_joined():
            return
        for temporary in (*self.path.glob("*/.*.tmp"), *self.path.glob(".manifest.json.*.tmp")):
            temporary.unlink(missing_ok=True)
        if not self.objects.exists(self.manifest_path):
            self.objects.delete_folder(self.path / "samples")  # of a plan that was never made
        finished = {f"{stage}-{index:05}" for stage in STAGES for index in self.finished(stage)}
        for journal in self.journals.paths():
            if journal.stem in finished:
                self.objects.delete(journal)

    def remove(self) -> None:
        """Remove the folder, which is out of sight at once; may be repeated after a crash, and by others meanwhile."""
        self._bury()
        with suppress(FileNotFoundError):
            self.path.rename(self._tombstone)
        self._bury()
        self.objects.delete_folder(self.path)

    def size(self) -> int:
        """Return the bytes of all that is in the folder."""
        everything = FileSelector(self.objects.name(self.path), allow_not_found=True, recursive=True)
        return sum(found.size or 0 for found in self.objects.filesystem.get_file_info(everything))

    def _bury(self) -> None:
        while self._tombstone.exists():
            with suppress(FileNotFoundError):  # another process was faster
                shutil.rmtree(self._tombstone)

    def _publish(self, kind: Kind, index: int, tables: Iterable[pa.Table]) -> None:
        self.publisher.publish_rows(self.file(kind, index), tables, SCHEMAS[kind])

    def _publish_calls(self, stage: Stage, shard: Shard, calls: Iterable[Call] | None) -> None:
        if calls is not None:
            tables = schemas.calls_tables(calls)
            self.publisher.publish_rows(self.calls_file(stage, shard), tables, SCHEMAS["calls"])

    def _read(self, kind: Kind, shard: Shard) -> pa.Table | None:
        return self.read_rows(self.file(kind, shard.index), kind, samples=shard.samples)

    def _parquet_in(self, folder: Path) -> list[Path]:
        return [folder / name for name in self.objects.names(folder) if name.endswith(".parquet")]


def job_ids(results: Path, objects: Objects = DISK) -> list[str]:
    """Return the jobs that have a folder."""
    names = objects.names(results)
    return [name.removeprefix(JOB_FOLDER) for name in names if name.startswith(JOB_FOLDER)]
