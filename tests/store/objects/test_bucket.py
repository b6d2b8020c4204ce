from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import StorageFailed
from core.plan import Shard
from core.result import Call, CallKey, Output, Score
from store.objects.segments import MOST, MOST_BYTES, Pending, keep_all
from store.results.folder import JobFolder
from store.results.views import query
from tests.store.objects.conftest import Homes

SHARD = Shard(index=0, task="qa", start=0, stop=2)
CALLS = [Call(CallKey("qa", n, "t", 0, "target", "", 0), "answered", "{}", response="{}") for n in range(2)]
OUTPUTS = [Output("qa", n, "t", text=f"answer {n}") for n in range(2)]
SCORES = [Score("qa", n, "t", 0, "exact", "exact", "scored", float(n)) for n in range(2)]


def folder(home: Homes, name: str) -> JobFolder:
    path, bucket = home(name)
    return JobFolder(path / "results", "job-1", bucket)


def finish(folder: JobFolder) -> None:
    folder.write_samples(SHARD, ['{"q": 0}', '{"q": 1}'])
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    folder.finish_judge(SHARD, SCORES, [])


def test_what_one_home_has_written_another_reads(home: Homes) -> None:
    finish(folder(home, "first"))
    second = folder(home, "second")
    assert second.finished("judge") == {0}
    assert second.read_samples(SHARD) == [{"q": 0}, {"q": 1}]
    assert second.read_outputs(SHARD) == OUTPUTS
    assert second.read_scores(SHARD) == SCORES
    assert second.read_calls("generate", SHARD) == CALLS


def test_sql_is_answered_over_the_bucket_without_a_copy_of_it(home: Homes) -> None:
    finish(folder(home, "first"))
    path, bucket = home("second")
    answer = query(path / "results", "SELECT job_id, sum(value) FROM scores GROUP BY job_id", objects=bucket)
    assert answer.rows == [("job-1", 1.0)]
    assert not path.exists()


def test_the_first_of_many_to_publish_is_the_only_one(home: Homes) -> None:
    def publish(name: str) -> bool:
        path, bucket = home(name)
        return bucket.publish(path / "results" / "x", lambda file: file.write_text(name))

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(publish, map(str, range(8))))
    assert won.count(True) == 1
    path, bucket = home("reader")
    assert bucket.file(path / "results" / "x").read_text() == str(won.index(True))


def test_publishing_the_same_again_is_no_mistake(home: Homes) -> None:
    finish(folder(home, "first"))
    finish(folder(home, "second"))


def test_an_engine_that_was_overtaken_is_told_so(home: Homes) -> None:
    folder(home, "first").finish_generate(SHARD, OUTPUTS, CALLS)
    late = folder(home, "second")
    with pytest.raises(StorageFailed, match=r"calls/generate-00000.parquet was written otherwise"):
        late.finish_generate(SHARD, OUTPUTS, CALLS[:1])
    assert late.read_calls("generate", SHARD) == CALLS


def test_a_journal_is_read_where_its_writer_never_was(home: Homes) -> None:
    first = folder(home, "first")
    journal = first.journals.open("generate", SHARD)
    journal.append(CALLS[0])
    journal.sync()
    journal.append(CALLS[1])
    second = folder(home, "second")
    assert second.journals.read(second.journals.path("generate", SHARD)).calls == CALLS[:1]
    journal.close()
    assert second.journals.read(second.journals.path("generate", SHARD)).calls == CALLS
    assert second.extent() == (0, 2)
    assert second.journals.damage(second.journals.path("generate", SHARD)) is None


def test_calls_are_read_back_one_by_one_those_of_an_earlier_writer_too(home: Homes) -> None:
    with folder(home, "first").journals.open("generate", SHARD) as journal:
        journal.append(CALLS[0])
    second = folder(home, "second")
    with second.journals.open("generate", SHARD) as journal:
        ((before, call),) = journal.recorded()
        (place,) = journal.append(CALLS[1])
        assert (call, journal.read(before), journal.read(place)) == (CALLS[0], CALLS[0], CALLS[1])
    assert second.journals.exists("generate", SHARD)
    assert not list(second.path.rglob(".*.tmp"))


def test_a_finished_shard_leaves_no_journal(home: Homes) -> None:
    first = folder(home, "first")
    with first.journals.open("generate", SHARD) as journal:
        journal.append(CALLS[0])
    first.finish_generate(SHARD, OUTPUTS, CALLS)
    second = folder(home, "second")
    assert second.journals.read(second.journals.path("generate", SHARD)).calls == []


def test_log_lines_of_several_engines_are_one_log_with_stable_cursors(home: Homes) -> None:
    for name in ("first", "second"):
        log = folder(home, name).open_log()
        log.write(f"a line of the {name}")
        log.close()
    reader = folder(home, "third")
    page = reader.read_log(limit=1)
    assert [line.message for line in page.lines] == ["a line of the first"]
    assert page.next_start is not None
    assert [line.message for line in reader.read_log(start=page.next_start).lines] == ["a line of the second"]


def test_a_removed_job_is_gone_for_every_home(home: Homes) -> None:
    first, second = folder(home, "first"), folder(home, "second")
    finish(first)
    second.read_outputs(SHARD)
    first.remove()
    assert not second.is_finished("judge", SHARD)
    assert second.parquet_files() == []
    path, bucket = home("second")
    assert list(bucket.below(path / "results")) == []


def test_what_is_replaced_is_read_as_it_is_now(home: Homes) -> None:
    (one, here), (two, there) = home("first"), home("second")
    here.put(one / "job.json", lambda file: file.write_text("before"))
    assert there.latest(two / "job.json").read_text() == "before"
    here.put(one / "job.json", lambda file: file.write_text("after"))
    assert there.latest(two / "job.json").read_text() == "after"
    here.delete(one / "job.json")
    assert not there.latest(two / "job.json").exists()


def test_pieces_that_cannot_be_kept_are_held_back_up_to_a_bound() -> None:
    kept: list[bytes] = []
    broken = True

    def keep(data: bytes) -> None:
        if broken:
            raise StorageFailed("the store is away")
        kept.append(data)

    pending = Pending(keep)
    for n in range(MOST):
        pending.append(b"%d\n" % n)
    with pytest.raises(StorageFailed):
        pending.append(b"one too many\n")
    assert pending.unkept() == b"".join(b"%d\n" % n for n in range(MOST))
    broken = False
    pending.append(b"one more\n")
    pending.sync()
    assert b"".join(kept).splitlines() == [b"%d" % n for n in range(MOST)] + [b"one more"]
    assert pending.unkept() == b""


def test_a_store_that_is_away_is_named_and_its_keys_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from store.objects.bucket import Bucket

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "who-i-am")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "MARKER")
    monkeypatch.setattr("store.objects.bucket.RETRY", {"max_retries": 0})
    bucket = Bucket.at("s3://bucket/prefix", tmp_path)
    with pytest.raises(StorageFailed, match="s3://bucket/prefix/results/x cannot be asked for") as caught:
        bucket.exists(tmp_path / "results" / "x")
    assert "MARKER" not in caught.value.message


def test_a_large_object_is_copied_in_parts(home: Homes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.objects.bucket.PART_BYTES", 1_000)
    (one, here), (two, there) = home("first"), home("second")
    content = bytes(range(256)) * 10
    here.put(one / "files" / "large", lambda file: file.write_bytes(content))
    assert there.file(two / "files" / "large").read_bytes() == content


def test_large_pieces_are_kept_before_there_are_many() -> None:
    kept: list[int] = []
    pending = Pending(lambda data: kept.append(len(data)))
    for _ in range(3):
        pending.append(bytes(MOST_BYTES))
    assert sum(kept) >= 2 * MOST_BYTES


def test_what_is_held_back_is_kept_before_a_process_ends(home: Homes) -> None:
    first, second = folder(home, "first"), folder(home, "second")
    journal = first.journals.open("generate", SHARD)
    journal.append(CALLS[0])
    keep_all()
    assert second.journals.read(second.journals.path("generate", SHARD)).calls == CALLS[:1]
