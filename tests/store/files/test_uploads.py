import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import NotFound, SpecInvalid
from store.db import tables
from store.db.connect import reading, writing
from store.files.contents import FileRecord, Files
from store.files.uploads import LIFETIME, Announcement, Upload, Uploads

WHOLE = Announcement("d.jsonl", "eval", "jsonl")


@pytest.fixture
def files(engine: sa.Engine, tmp_path: Path) -> Files:
    return Files(engine, tmp_path / "files")


@pytest.fixture
def uploads(engine: sa.Engine, files: Files, tmp_path: Path) -> Uploads:
    return Uploads(engine, files, tmp_path / "files" / "parts")


def in_parts(parts: int, size: int | None = None) -> Announcement:
    return Announcement("d.jsonl", "eval", "jsonl", bytes=size, parts=parts)


def put(uploads: Uploads, files: Files, upload: Upload, content: bytes) -> FileRecord:
    with files.draft() as draft:
        draft.write(content)
        return uploads.put(upload, draft)


def put_part(uploads: Uploads, files: Files, upload: Upload, number: int, content: bytes) -> str:
    with files.draft() as draft:
        draft.write(content)
        return uploads.put_part(upload, number, draft)


def contents(root: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in (root / "files").rglob("*") if path.is_file())


def expire(engine: sa.Engine, upload: Upload) -> None:
    with writing(engine) as connection:
        past = upload.created_at - timedelta(seconds=1)
        connection.execute(
            sa.update(tables.uploads).where(tables.uploads.c.file_id == upload.file_id).values(expires_at=past)
        )


def test_a_file_is_awaited_until_it_comes(uploads: Uploads, files: Files) -> None:
    upload, token = uploads.begin(WHOLE)
    assert uploads.find(upload.file_id) == uploads.by_token(token) == upload
    assert upload.expires_at - upload.created_at == LIFETIME
    record = put(uploads, files, upload, b"a\nb")
    assert files.get(upload.file_id) == record
    assert (record.filename, record.purpose, record.bytes, record.line_count) == ("d.jsonl", "eval", 3, 2)
    assert uploads.find(upload.file_id) is None
    with pytest.raises(NotFound, match="used"):
        uploads.by_token(token)


def test_the_table_does_not_know_the_token(uploads: Uploads, engine: sa.Engine) -> None:
    _, token = uploads.begin(WHOLE)
    _, other = uploads.begin(WHOLE)
    with reading(engine) as connection:
        rows = connection.execute(sa.select(tables.uploads)).all()
    assert token != other
    assert len(rows) == 2
    assert token not in str(rows)
    with pytest.raises(NotFound, match="unknown"):
        uploads.by_token("")


def test_of_files_that_come_at_once_for_one_url_one_is_kept(uploads: Uploads, files: Files, tmp_path: Path) -> None:
    upload, _ = uploads.begin(WHOLE)

    def try_put(i: int) -> FileRecord | None:
        try:
            return put(uploads, files, upload, b"%d" % i)
        except NotFound:
            return None

    with ThreadPoolExecutor(8) as pool:
        kept = [record for record in pool.map(try_put, range(8)) if record]
    assert kept == [files.get(upload.file_id)]
    assert contents(tmp_path) == [files.path(kept[0]).read_bytes()]


def test_only_the_file_that_was_announced_is_kept(uploads: Uploads, files: Files, tmp_path: Path) -> None:
    right = b"right"
    announced = Announcement("d", "eval", "csv", sha256=hashlib.sha256(right).hexdigest(), bytes=5)
    upload, token = uploads.begin(announced)
    for wrong, field in ((b"wrong", "checksum"), (b"longer", "file_size")):
        with pytest.raises(SpecInvalid) as error:
            put(uploads, files, upload, wrong)
        assert error.value.field == field
    assert contents(tmp_path) == []
    assert uploads.by_token(token) == upload
    assert put(uploads, files, upload, right).bytes == 5


@given(parts=st.lists(st.binary(max_size=5), min_size=1, max_size=5), data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_are_joined_in_their_order_whatever_the_order_they_come_in(
    uploads: Uploads, files: Files, tmp_path: Path, parts: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(parts)
    upload, _ = uploads.begin(in_parts(len(parts), len(whole)))
    order = data.draw(st.permutations(range(len(parts))))
    tags = {i: put_part(uploads, files, upload, i + 1, parts[i]) for i in order}
    record = uploads.complete(upload, [tags[i] for i in range(len(parts))])
    assert files.path(record).read_bytes() == whole
    assert record.sha256 == hashlib.sha256(whole).hexdigest()
    assert list((tmp_path / "files" / "parts").iterdir()) == []
    files.delete(record.id)


def test_a_part_that_comes_again_takes_the_place_of_the_former(uploads: Uploads, files: Files, tmp_path: Path) -> None:
    upload, _ = uploads.begin(in_parts(2))
    put_part(uploads, files, upload, 1, b"first")
    first = put_part(uploads, files, upload, 1, b"again")
    assert contents(tmp_path) == [b"again"]
    record = uploads.complete(upload, [first, put_part(uploads, files, upload, 2, b"!")])
    assert files.path(record).read_bytes() == b"again!"
    assert uploads.find(upload.file_id) is None


@pytest.mark.parametrize("tags", [[], ["0" * 64], ["0" * 64, "0" * 64], ["../../x", "y"]])
def test_parts_that_have_not_come_are_named(uploads: Uploads, files: Files, tags: list[str]) -> None:
    upload, token = uploads.begin(in_parts(2))
    put_part(uploads, files, upload, 1, b"a")
    with pytest.raises(SpecInvalid, match="part") as error:
        uploads.complete(upload, tags)
    assert error.value.field == "parts"
    assert uploads.by_token(token) == upload


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_part_beyond_those_announced_is_refused(uploads: Uploads, files: Files, tmp_path: Path, number: int) -> None:
    upload, _ = uploads.begin(in_parts(2))
    with pytest.raises(NotFound, match=f"no part {number}"):
        put_part(uploads, files, upload, number, b"x")
    assert contents(tmp_path) == []


def test_a_part_that_is_longer_than_the_file_is_refused(uploads: Uploads, files: Files, tmp_path: Path) -> None:
    upload, _ = uploads.begin(in_parts(2, size=3))
    with pytest.raises(SpecInvalid, match="4 bytes came, 3") as error:
        put_part(uploads, files, upload, 1, b"long")
    assert error.value.field == "file_size"
    assert contents(tmp_path) == []


def test_what_is_dropped_goes_with_its_parts(uploads: Uploads, files: Files, tmp_path: Path) -> None:
    upload, token = uploads.begin(in_parts(2))
    put_part(uploads, files, upload, 1, b"x")
    uploads.drop(upload)
    assert contents(tmp_path) == []
    with pytest.raises(NotFound):
        uploads.by_token(token)


def test_what_expires_goes_when_another_begins(
    uploads: Uploads, files: Files, engine: sa.Engine, tmp_path: Path
) -> None:
    old, old_token = uploads.begin(in_parts(1))
    put_part(uploads, files, old, 1, b"old")
    new, new_token = uploads.begin(in_parts(1))
    put_part(uploads, files, new, 1, b"new")
    expire(engine, old)
    assert uploads.find(old.file_id) is None
    with pytest.raises(NotFound, match="expired"):
        uploads.by_token(old_token)
    assert contents(tmp_path) == [b"new", b"old"]
    uploads.begin(WHOLE)
    assert contents(tmp_path) == [b"new"]
    assert uploads.by_token(new_token) == new
