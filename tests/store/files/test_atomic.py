from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyarrow.fs import LocalFileSystem

from core.errors import StorageFailed, StorageFull
from store.files.atomic import publish

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="the system has no /dev/full")


def test_a_published_file_stands_in_new_folders_with_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    publish(path, lambda file: file.write_text("whole") and None)
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_the_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    seen: list[bool] = []

    def write(file: Path) -> None:
        file.write_text("half")
        seen.append(path.exists())
        file.write_text("whole")

    publish(path, write)
    assert seen == [False]
    assert path.read_text() == "whole"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("old")

    def fail(file: Path) -> None:
        file.write_text("half")
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        publish(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@needs_dev_full
def test_a_full_disk_is_named_with_the_file_that_was_not_written(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"

    def write(file: Path) -> None:
        file.write_text("half")
        Path("/dev/full").write_text("the other half")

    with pytest.raises(StorageFull, match=r"c\.txt was not written"):
        publish(path, write)
    assert list(tmp_path.iterdir()) == []


@needs_dev_full
def test_a_full_disk_met_by_arrow_is_told_alike(tmp_path: Path) -> None:
    def write(file: Path) -> None:
        file.write_text("half")
        # A stream, never the path: after an error Arrow removes the file that it was given by path.
        with LocalFileSystem().open_output_stream("/dev/full", buffer_size=None) as full:
            full.write(b"x" * 100_000)

    with pytest.raises(StorageFull, match=r"t\.parquet was not written") as caught:
        publish(tmp_path / "t.parquet", write)
    assert caught.value.code == "storage_full"
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_says_against_a_write_is_told_with_the_file_below_the_home(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("in the way")
    with pytest.raises(StorageFailed, match=r"^files/c\.txt was not written: File exists; see that") as caught:
        publish(tmp_path / "files" / "c.txt", lambda file: None)
    assert (caught.value.blame, caught.value.code) == ("service", "storage_failed")
    assert (tmp_path / "files").read_text() == "in the way"


def test_of_many_publishers_one_wins_whole(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    texts = [str(i) * 10_000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: publish(path, lambda file: file.write_text(text) and None), texts))
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]
