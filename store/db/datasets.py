"""Datasets: what a container had logged when they were made, kept in files, and known by what they hold."""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

import orjson
import sqlalchemy as sa

from core.errors import NotFound
from core.job import utcnow
from core.queries.lists import Listing
from store.db.connect import reading, writing
from store.db.lists import columns_of, page_of
from store.db.tables import datasets
from store.files.contents import Files

JsonDict = dict[str, Any]

PURPOSE: Final = "dataset"
PLACES: Final = columns_of(datasets, "container")


@dataclass(frozen=True, slots=True)
class NewDataset:
    """A dataset as its user describes it; `container` is the id of the one that it is taken from."""

    name: str
    container: str
    requested_size: int
    description: str | None = None
    filters: list[JsonDict] | None = None
    tags: list[str] | None = None
    metadata: JsonDict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(NewDataset):
    """A stored dataset of `size` rows, which `file` holds; `sha256` is that of the file."""

    id: str
    size: int
    file: str
    sha256: str
    created_at: datetime


class Datasets:
    """The datasets of a database; one that is stored never changes."""

    def __init__(self, engine: sa.Engine, files: Files) -> None:
        self._engine = engine
        self._files = files

    def add(self, dataset: NewDataset, rows: Iterable[JsonDict]) -> Dataset:
        """Store the rows as a new dataset; nothing is left if they break off."""
        lines = (orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        file = self._files.save(lines, filename="dataset.jsonl", purpose=PURPOSE, file_type="jsonl")
        added = Dataset(
            **asdict(dataset),
            id=str(uuid.uuid4()),
            size=file.line_count,
            file=file.id,
            sha256=file.sha256,
            created_at=utcnow(),
        )
        with writing(self._engine) as connection:
            connection.execute(sa.insert(datasets).values(asdict(added)))
        return added

    def get(self, dataset_id: str) -> Dataset:
        """Return a dataset. Raises NotFound."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(datasets).where(datasets.c.id == dataset_id)).one_or_none()
        if row is None:
            raise NotFound("Dataset not found")
        return Dataset(**row._mapping)

    def page(self, listing: Listing) -> tuple[list[Dataset], int]:
        """Return the page that is asked for, and how many datasets are on all its pages."""
        with reading(self._engine) as connection:
            rows, total = page_of(connection, datasets, PLACES, listing)
        return [Dataset(**row._mapping) for row in rows], total

    def rows(self, dataset: Dataset, start: int = 0, stop: int | None = None) -> Iterator[JsonDict]:
        """Yield the rows of a dataset, those from place `start` up to `stop`."""
        with self._files.path(self._files.get(dataset.file)).open("rb") as file:
            for line in islice(file, start, stop):
                yield orjson.loads(line)
