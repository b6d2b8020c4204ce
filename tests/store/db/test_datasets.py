from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import NotFound
from core.queries.lists import Listing, OneOf
from store.db.datasets import Datasets, NewDataset
from store.files.contents import Files

ROWS = [{"n": n, "text": "käse\n"} for n in range(5)]


@pytest.fixture
def files(engine: sa.Engine, tmp_path: Path) -> Files:
    return Files(engine, tmp_path / "files")


@pytest.fixture
def datasets(engine: sa.Engine, files: Files) -> Datasets:
    return Datasets(engine, files)


def described(name: str = "d", container: str = "c", **fields: Any) -> NewDataset:
    return NewDataset(name=name, container=container, requested_size=10, **fields)


def test_a_dataset_has_the_rows_that_it_was_given(datasets: Datasets) -> None:
    added = datasets.add(described(filters=[{"key": "k"}], tags=["t"], metadata={"a": 1}), ROWS)
    assert datasets.get(added.id) == added
    assert (added.size, added.requested_size, added.filters) == (5, 10, [{"key": "k"}])
    assert list(datasets.rows(added)) == ROWS
    assert list(datasets.rows(added, 1, 3)) == ROWS[1:3]
    assert list(datasets.rows(added, 4, 9)) == ROWS[4:]


def test_the_same_rows_have_the_same_digest(datasets: Datasets) -> None:
    same = [datasets.add(described(name), ROWS) for name in ("a", "b")]
    other = datasets.add(described("a"), ROWS[1:])
    assert same[0].sha256 == same[1].sha256 != other.sha256
    assert same[0].id != same[1].id


def test_rows_that_break_off_leave_nothing(datasets: Datasets, files: Files) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield ROWS[0]
        raise NotFound("Container not found")

    with pytest.raises(NotFound, match="Container"):
        datasets.add(described(), broken())
    assert datasets.page(Listing()) == ([], 0)
    assert files.newest() == []


def test_datasets_are_listed_by_container(datasets: Datasets) -> None:
    first, _, third = (datasets.add(described(container=name), ROWS[:1]) for name in ("c", "other", "c"))
    assert datasets.page(Listing((OneOf(("container",), ("c",)),))) == ([third, first], 2)
    with pytest.raises(NotFound, match="Dataset not found"):
        datasets.get("none")
