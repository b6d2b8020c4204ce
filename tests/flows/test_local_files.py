from pathlib import Path
from typing import Any

import pytest

from core.errors import DatasetUnreadable, SpecInvalid
from flows.local_files import is_path, with_uploads

HERE = Path("/specs")


class Kept:
    """Keeps files, numbering them, and what was said of them."""

    def __init__(self) -> None:
        self.files: list[tuple[str, str | None]] = []

    def __call__(self, path: Path, said: str | None) -> str:
        self.files.append((str(path), said))
        return str(len(self.files))


def test_the_datasets_of_both_kinds_of_words_name_uploads_then() -> None:
    kept = Kept()
    dataset: dict[str, Any] = {"kind": "files", "url": "./rows.jsonl", "format": "jsonl"}
    own = {"tasks": [{"name": "qa", "dataset": dataset}, {"dataset": {"url": "hf://datasets/a/b"}}]}
    assert with_uploads(own, HERE, kept) == {
        "tasks": [{"name": "qa", "dataset": dataset | {"url": "file:1"}}, {"dataset": {"url": "hf://datasets/a/b"}}]
    }
    nemo = {
        "target": {"cached_outputs": {"files_url": "/data/a.csv"}},
        "config": {"tasks": {"qa": {"dataset": {"files_url": "file:///data/a%20b.csv"}}}},
    }
    assert with_uploads(nemo, HERE, kept) == {
        "target": {"cached_outputs": {"files_url": "file:2"}},
        "config": {"tasks": {"qa": {"dataset": {"files_url": "file:3"}}}},
    }
    assert kept.files == [("/specs/rows.jsonl", "jsonl"), ("/data/a.csv", None), ("/data/a b.csv", None)]


def test_what_stands_in_rows_or_elsewhere_is_left_and_a_file_is_kept_once() -> None:
    kept = Kept()
    task = {"dataset": {"url": "a.csv"}}
    body = {"tasks": [task, task], "rows": [task], "targets": [{"endpoint": {"url": "localhost"}}]}
    uploaded = {"dataset": {"url": "file:1"}}
    assert with_uploads(body, HERE, kept) == body | {"tasks": [uploaded, uploaded]}
    assert kept.files == [("/specs/a.csv", None)]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("rows.csv", True),
        ("a/b.jsonl", True),
        ("file:///a", True),
        ("file:id", False),
        ("https://x/a", False),
        ("", False),
    ],
)
def test_a_path_is_told_from_a_url(url: str, path: bool) -> None:
    assert is_path(url) is path


def test_the_field_of_a_file_that_cannot_be_kept_is_named() -> None:
    def refuse(path: Path, _: str | None) -> str:
        raise DatasetUnreadable(f"{path} is not there")

    with pytest.raises(SpecInvalid, match=r"^tasks\.0\.dataset\.url: /specs/none\.csv is not there$"):
        with_uploads({"tasks": [{"dataset": {"url": "none.csv"}}]}, HERE, refuse)
