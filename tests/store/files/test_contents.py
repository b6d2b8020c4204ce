import errno
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import NotFound, StorageFull
from store.db import tables
from store.db.connect import reading
from store.files.contents import FileRecord, Files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def files(engine: sa.Engine, root: Path) -> Files:
    return Files(engine, root)


def save(files: Files, *chunks: bytes) -> FileRecord:
    return files.save(chunks, filename="rows.jsonl", purpose="eval", file_type="jsonl")


def contents(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def records(engine: sa.Engine) -> int:
    with reading(engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(tables.files)) or 0


def test_an_upload_is_found_again_with_its_measures(files: Files, root: Path) -> None:
    record = save(files, b'{"a": 1}\n{"a', b'": 2}\n')
    assert files.get(record.id) == record
    assert record.id.startswith("file-")
    assert (record.filename, record.purpose, record.file_type) == ("rows.jsonl", "eval", "jsonl")
    assert (record.bytes, record.line_count) == (18, 2)
    assert files.path(record) == root / record.sha256[:2] / record.sha256
    assert files.path(record).read_bytes() == b'{"a": 1}\n{"a": 2}\n'


@given(chunks=st.lists(st.binary(max_size=6) | st.sampled_from([b"a\n", b"\n", b"b"]), max_size=6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_how_an_upload_is_cut_makes_no_difference(files: Files, chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    record = save(files, *chunks)
    assert record.sha256 == hashlib.sha256(whole).hexdigest()
    assert (record.bytes, record.line_count) == (len(whole), len(whole.split(b"\n")) - (whole[-1:] in (b"", b"\n")))
    assert files.path(record).read_bytes() == whole


def test_the_same_content_is_kept_once_until_its_last_record_goes(files: Files, root: Path) -> None:
    first, second = save(files, b"same"), save(files, b"sa", b"me")
    other = save(files, b"other")
    assert first.id != second.id
    assert len(contents(root)) == 2
    files.delete(first.id)
    assert files.path(second).read_bytes() == b"same"
    files.delete(second.id)
    assert contents(root) == [files.path(other)]
    for gone in (first, second):
        with pytest.raises(NotFound, match="File not found"):
            files.delete(gone.id)


def test_saving_and_deleting_the_same_content_at_once_never_loses_it(files: Files) -> None:
    def save_and_perhaps_delete(i: int) -> FileRecord:
        record = save(files, b"same")
        if i % 2:
            files.delete(record.id)
        return record

    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(save_and_perhaps_delete, range(40)))
    assert [files.path(record).read_bytes() for record in saved[::2]] == [b"same"] * 20
    for record in saved[::2]:
        files.delete(record.id)
    assert not files.path(saved[0]).exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_nothing_is_left(
    files: Files, root: Path, engine: sa.Engine, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="no space is left"):
        save(files, b"begun")
    assert contents(root) == []
    assert records(engine) == 0


def test_an_id_that_is_given_stands_for_one_file(files: Files, root: Path, engine: sa.Engine) -> None:
    first = files.save([b"a"], filename="r.jsonl", purpose="eval-output", file_type="jsonl", file_id="file-of-job")
    again = files.save([b"b"], filename="s.jsonl", purpose="eval-output", file_type="jsonl", file_id="file-of-job")
    assert first.id == "file-of-job"
    assert again == first
    assert contents(root) == [files.path(first)]
    assert records(engine) == 1


def test_the_newest_come_first_by_purpose_and_name(files: Files) -> None:
    kinds = [("a", "eval"), ("b", "eval-output"), ("a", "batch-api")]
    first, second, third = (
        files.save([b""], filename=name, purpose=purpose, file_type="jsonl") for name, purpose in kinds
    )
    assert files.newest() == [third, second, first]
    assert files.newest(purposes=["eval", "eval-output"]) == [second, first]
    assert files.newest(filename="a", limit=1) == [third]
    assert files.newest(purposes=[]) == []


def test_drafts_that_were_left_behind_can_be_dropped(files: Files, root: Path) -> None:
    record = save(files, b"kept")
    with files.draft():
        assert len(contents(root)) == 2
        files.drop_drafts()
        assert contents(root) == [files.path(record)]


def test_an_upload_that_breaks_off_leaves_nothing(files: Files, root: Path, engine: sa.Engine) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"begun"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        files.save(chunks(), filename="x", purpose="eval", file_type="csv")
    assert contents(root) == []
    assert records(engine) == 0


def test_a_name_that_is_a_path_leads_nowhere(files: Files, root: Path) -> None:
    record = files.save([b"x"], filename="../../etc/passwd", purpose="eval", file_type="csv")
    assert record.filename == "../../etc/passwd"
    assert contents(root) == [files.path(record)]
