import os
import random
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import ResultsMissing, SchemaMismatch, SpecInvalid, StorageFailed
from core.job import Job, utcnow
from core.plan import Shard
from core.result import Call, CallKey, Output, Summary
from store.results.checksum import Sealed
from store.results.columns import VERSION_KEY
from store.results.folder import JobFolder
from store.results.journal import Journal, read_journal
from tests.store.results.conftest import CALLS, MANIFEST, OUTPUTS, SCORES, SHARD, SPEC

SUMMARY = Summary("qa", "target", "exact", "exact", 2, 0, 2.0, 1.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.0, {"scored": 2})


def files(folder: JobFolder) -> set[str]:
    return {str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "a\\b", "a.b", "a\n", "é", "job 1", "a=b"])
def test_an_id_that_could_lead_elsewhere_is_refused(tmp_path: Path, job_id: str) -> None:
    with pytest.raises(SpecInvalid, match="is not a job id") as caught:
        JobFolder(tmp_path, job_id)
    assert caught.value.field == "job_id"


@pytest.mark.parametrize("job_id", ["job-1", "eval_01ABC", "6f1c2d3e-0000-4000-8000-000000000000"])
def test_ids_of_all_faces_name_a_folder_that_is_not_made_yet(tmp_path: Path, job_id: str) -> None:
    folder = JobFolder(tmp_path, job_id)
    assert folder.path == tmp_path / f"job_id={job_id}"
    assert not folder.path.exists()


def test_nothing_is_there_before_it_is_written(folder: JobFolder) -> None:
    assert folder.read_manifest() is None
    assert folder.read_outputs(SHARD) is None
    assert folder.read_scores(SHARD) is None
    assert folder.read_summaries() is None
    assert not folder.lock.is_held()
    assert not folder.path.exists()


def test_manifest_and_samples_come_back(folder: JobFolder) -> None:
    folder.write_samples(SHARD, ['{"q":"é","n":null}', '{"q":[1,2]}'])
    folder.write_manifest(MANIFEST)
    assert folder.read_manifest() == MANIFEST
    assert folder.read_samples(SHARD) == [{"q": "é", "n": None}, {"q": [1, 2]}]
    assert files(folder) == {"samples/00003.parquet", "manifest.json"}


def test_samples_that_should_be_there_are_named_when_they_are_not(folder: JobFolder) -> None:
    with pytest.raises(ResultsMissing, match=r"samples/00003\.parquet is missing") as caught:
        folder.read_samples(SHARD)
    assert caught.value.blame == "service"


def test_a_generated_shard_is_parquet_and_has_no_journal(folder: JobFolder) -> None:
    with Journal(folder.journals.path("generate", SHARD)) as journal:
        journal.append(CALLS[0])
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    assert folder.read_outputs(SHARD) == OUTPUTS
    assert files(folder) == {"calls/generate-00003.parquet", "outputs/00003.parquet"}


LONG = "x" * 1_500_000
WIDE = Shard(index=3, task="qa", start=50, stop=56)


def finish(folder: JobFolder) -> None:
    """Have a shard of six samples whose outputs are so long that two of them make a row group, and calls by target."""
    folder.write_samples(WIDE, [f'{{"q":{n}}}' for n in range(6)])
    keys = [CallKey("qa", sample, target, 0, "target", "", 0) for target in "ab" for sample in range(50, 56)]
    outputs = [Output("qa", sample, target, text=LONG) for sample in range(50, 56) for target in "ab"]
    folder.finish_generate(WIDE, outputs, [Call(key, "answered", "{}") for key in keys])


def test_a_shard_is_read_in_parts_that_cover_it_each_with_its_own_rows(folder: JobFolder) -> None:
    finish(folder)
    parts = list(folder.parts(WIDE))
    assert [(part.index, part.start, part.stop) for part in parts] == [(3, n, n + 1) for n in range(50, 56)]
    assert [folder.read_samples(part) for part in parts] == [[{"q": n}] for n in range(6)]
    assert [[each.key.target for each in folder.read_calls("generate", part)] for part in parts] == [["a", "b"]] * 6
    for part in parts:
        assert [(each.sample, each.target) for each in folder.read_outputs(part) or []] == [
            (part.start, "a"),
            (part.start, "b"),
        ]
    assert len(folder.read_outputs(WIDE) or []) == 12


def test_a_shard_of_which_nothing_is_long_or_there_is_one_part(folder: JobFolder) -> None:
    assert list(folder.parts(WIDE)) == [WIDE]
    folder.write_samples(SHARD, ["{}", "{}"])
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    assert list(folder.parts(SHARD)) == [SHARD]


def test_what_stops_rows_from_being_made_leaves_no_file_and_is_no_failure_of_the_storage(folder: JobFolder) -> None:
    def outputs() -> Iterator[Output]:
        yield from (Output("qa", 50, "target", text=LONG) for _ in range(4))
        raise BlockingIOError("no process could be started")

    with pytest.raises(BlockingIOError):
        folder.finish_generate(SHARD, outputs(), CALLS)
    assert files(folder) == {"calls/generate-00003.parquet"}


def test_a_file_that_grows_too_large_while_it_is_written_is_not_there(folder: JobFolder) -> None:
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    chance = random.Random(1)
    long = [replace(SCORES[0], feedback=chance.randbytes(1_000_000).hex()) for _ in range(9)]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, limits[1]))
        with pytest.raises(StorageFailed, match=r"scores/00003\.parquet was not written: File too large"):
            folder.finish_judge(SHARD, long, [])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not folder.is_finished("judge", SHARD)
    assert not list(folder.path.rglob("*.tmp"))


def test_a_judged_shard_without_calls_still_has_a_typed_calls_file(folder: JobFolder) -> None:
    folder.finish_judge(SHARD, SCORES, [])
    assert folder.read_scores(SHARD) == SCORES
    calls = pq.ParquetFile(folder.path / "calls" / "judge-00003.parquet")
    assert calls.metadata.num_rows == 0
    assert "total_tokens" in calls.schema_arrow.names


def test_a_crash_between_calls_and_outputs_leaves_the_journal_to_redo_from(folder: JobFolder) -> None:
    with Journal(folder.journals.path("generate", SHARD)) as journal:
        for call in CALLS:
            journal.append(call)
    (folder.path / "outputs").write_text("in the way")
    with pytest.raises(
        StorageFailed, match=r"results/job_id=job-1/outputs/00003\.parquet was not written: File exists"
    ):
        folder.finish_generate(SHARD, OUTPUTS, CALLS)
    assert read_journal(folder.journals.path("generate", SHARD)).calls == CALLS
    (folder.path / "outputs").unlink()
    assert folder.read_outputs(SHARD) is None
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    assert folder.read_outputs(SHARD) == OUTPUTS
    assert read_journal(folder.journals.path("generate", SHARD)).calls == []


def test_whoever_takes_the_folder_clears_what_a_killed_engine_left(folder: JobFolder) -> None:
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    finished, unfinished = folder.journals.path("generate", SHARD), folder.journals.path("judge", SHARD)
    for path in (finished, unfinished):
        Journal(path).close()
    (folder.path / "outputs" / ".00004.parquet.1234.tmp").write_text("half")
    with folder.lock.held():
        folder.tidy()
        assert not finished.exists()
        assert unfinished.exists()
    assert os.listdir(folder.path / "outputs") == ["00003.parquet"]
    assert folder.read_outputs(SHARD) == OUTPUTS


def test_a_job_is_further_with_each_call_and_each_shard_that_is_finished(folder: JobFolder) -> None:
    extents = [folder.extent()]
    with Journal(folder.journals.path("generate", SHARD)) as journal:
        for call in CALLS:
            journal.append(call)
            extents.append(folder.extent())
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    extents.append(folder.extent())
    Journal(folder.journals.path("generate", SHARD)).close()  # as one that a killed engine left
    assert extents == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert folder.extent() == (1, 0)


def test_summaries_are_replaced_by_those_of_a_later_attempt(folder: JobFolder) -> None:
    folder.write_summaries([SUMMARY, SUMMARY])
    folder.write_summaries([SUMMARY])
    assert folder.read_summaries() == [SUMMARY]
    assert files(folder) == {"summaries/00000.parquet"}


def test_a_file_with_any_changed_byte_is_refused_or_reads_the_same(folder: JobFolder) -> None:
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    path = folder.path / "outputs" / "00003.parquet"
    data = path.read_bytes()
    reads, refusals = [], []
    for at in range(0, len(data), 7):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x81]) + data[at + 1 :])
        try:
            reads.append(folder.read_outputs(SHARD))
        except (ResultsMissing, SchemaMismatch) as error:
            refusals.append(error.message)
    assert all(read == OUTPUTS for read in reads)
    damaged = "results/job_id=job-1/outputs/00003.parquet is damaged: restore it from a backup, or run job job-1 again"
    assert set(refusals) == {damaged}
    assert not reads


def put(path: Path, table: pa.Table) -> None:
    """Put a table in a file, with a checksum that is right."""
    with path.open("w+b") as file:
        sealed = Sealed(file)
        pq.write_table(table, sealed)
        sealed.seal()


def test_results_of_a_newer_release_are_refused_by_name(folder: JobFolder) -> None:
    folder.finish_judge(SHARD, SCORES, [])
    path = folder.path / "scores" / "00003.parquet"
    table = pq.ParquetFile(path).read()
    put(path, table.replace_schema_metadata({VERSION_KEY: b"7"}))
    with pytest.raises(SchemaMismatch, match="version 7 of scores, this release reads up to 1: use a newer Assay"):
        folder.read_scores(SHARD)
    for other in (
        table.drop_columns("value"),
        table.replace_schema_metadata({}),
        table.rename_columns([name.upper() for name in table.column_names]),
    ):
        put(path, other)
        with pytest.raises(ResultsMissing, match=r"scores/00003\.parquet is damaged"):
            folder.read_scores(SHARD)


def test_a_removed_folder_is_gone_and_may_be_removed_again(folder: JobFolder) -> None:
    folder.write_summaries([SUMMARY])
    folder.remove()
    folder.remove()
    assert os.listdir(folder.path.parent) == []
    assert folder.read_summaries() is None


def test_a_removal_that_was_cut_short_is_completed(folder: JobFolder) -> None:
    folder.write_summaries([SUMMARY])
    folder.path.rename(folder.path.parent / ".deleted-job-1")
    folder.write_summaries([])
    folder.remove()
    assert os.listdir(folder.path.parent) == []
    assert not folder.path.exists()


def test_a_job_is_written_anew_as_its_status_changes(folder: JobFolder) -> None:
    for status in ("running", "completed"):
        job = Job("job-1", "nemo-v2", {}, "first", spec=SPEC, status=status, created_at=utcnow(), updated_at=utcnow())
        folder.write_job(job)
    [row] = pq.ParquetFile(folder.path / "job.parquet").read().to_pylist()
    assert (row["id"], row["name"], row["status"]) == ("job-1", "first", "completed")
    assert files(folder) == {"job.parquet"}


def test_the_log_lies_in_the_folder(folder: JobFolder) -> None:
    assert folder.log_path == folder.path / "log.jsonl"
