"""The rows of a dataset, wherever it is kept: in the request, in files here, or on a hub."""

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from core.errors import DatasetUnreadable, NotFound
from core.spec import Dataset, FileFormat, FilesDataset, RowsDataset
from store.files.parquet import json_value
from tasks.datasets import bfcl, hub
from tasks.datasets.readers import ENDINGS, read_file

Row = dict[str, Any]

UPLOAD_SCHEME: Final = "file:"


@dataclass(frozen=True)
class Sources:
    """Where datasets come from.

    `datasets` is a local root for `hf://datasets/`, `uploads` finds an uploaded file by its id, `reveal` gives the
    key that a reference stands for.
    """

    datasets: Path | None
    uploads: Callable[[str], Path]
    reveal: Callable[[str], str]


def read_rows(dataset: Dataset, sources: Sources, *, limit: int | None) -> Iterator[Row]:
    """Yield the rows of a dataset from the first, at most `limit`.

    Nothing is read beyond. Raises DatasetUnreadable naming file and line; also if there is no row.
    """
    rows = _given_rows(dataset) if isinstance(dataset, RowsDataset) else _arranged_rows(dataset, sources)
    with closing(rows):
        wanted = islice(rows, limit)
        first = next(wanted, None)
        if first is None:
            raise DatasetUnreadable(f"{_named(dataset)} has no rows")
        yield first
        yield from wanted


def _named(dataset: Dataset) -> str:
    return "the list of rows in the request" if isinstance(dataset, RowsDataset) else dataset.url


def _given_rows(dataset: RowsDataset) -> Generator[Row, None, None]:
    for number, row in enumerate(dataset.rows, start=1):
        try:
            yield {name: json_value(value) for name, value in row.items()}
        except (ValueError, RecursionError) as error:
            raise DatasetUnreadable(f"row {number} of the request: {error}") from error


def _arranged_rows(dataset: FilesDataset, sources: Sources) -> Generator[Row, None, None]:
    with closing(_file_rows(dataset, sources)) as rows:
        if dataset.layout == "bfcl":
            answers = dataset.model_copy(update={"url": bfcl.answers_url(dataset.url)})
            yield from bfcl.arrange(rows, lambda: _file_rows(answers, sources))
        else:
            yield from rows


def _file_rows(dataset: FilesDataset, sources: Sources) -> Generator[Row, None, None]:
    path = _find(dataset, sources)
    files = _data_files(path, dataset) if path.is_dir() else [path]
    if sources.datasets is not None and path.is_relative_to(sources.datasets):
        for file in files:
            hub.refuse_outside(file, sources.datasets, dataset.url)
    for file in files:
        yield from read_file(file, _format(file, dataset), _label(file, path, dataset))


def _label(file: Path, path: Path, dataset: FilesDataset) -> str:
    """Return what an error calls a file: an upload's own name says nothing to its user."""
    if dataset.url.startswith(hub.SCHEME):
        return file.name if file == path else file.relative_to(path).as_posix()
    return dataset.url


def _find(dataset: FilesDataset, sources: Sources) -> Path:
    """Return the file or folder of a dataset, fetching it if it is elsewhere."""
    if dataset.url.startswith(UPLOAD_SCHEME) and "/" not in dataset.url:
        try:
            return sources.uploads(dataset.url.removeprefix(UPLOAD_SCHEME))
        except NotFound:
            raise DatasetUnreadable(f"{dataset.url} is not here: it was deleted, or never uploaded") from None
    if not dataset.url.startswith(hub.SCHEME):
        raise DatasetUnreadable(
            f"{dataset.url} is no dataset: "
            f"give {hub.SCHEME}<namespace>/<name>/<path>, or {UPLOAD_SCHEME}<id> of an upload"
        )
    address = hub.HubAddress.parse(dataset.url)
    if sources.datasets is not None:
        return hub.locate(address, sources.datasets)
    suffix = Path(address.path).suffix
    is_file = suffix in ENDINGS or bool(suffix and dataset.format)
    token = sources.reveal(dataset.token) if dataset.token else None
    return hub.fetch(address, is_file=is_file, hub=dataset.hub, token=token)


def _data_files(folder: Path, dataset: FilesDataset) -> list[Path]:
    """Return the data files below a folder in the order of their names, of the format and split if these are given."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in ENDINGS and path.is_file())
    visible = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    files = [path for path in visible if _is_of_split(path.relative_to(folder), dataset.split)]
    if not files:
        what = f"of the split {dataset.split!r}" if visible else f"ending in {', '.join(ENDINGS)}"
        names = ", ".join(sorted(entry.name for entry in folder.iterdir())[:10])
        raise DatasetUnreadable(f"{dataset.url} has no data file {what}; it holds: {names or 'nothing'}")
    return [path for path in files if ENDINGS[path.suffix] == dataset.format] or files


def _is_of_split(path: Path, split: str | None) -> bool:
    """Tell whether a file's path names the split, as in `train.jsonl`, `data/train-00000.parquet`, `train/a.csv`."""
    return split is None or split in re.split(r"[^A-Za-z0-9]+", path.as_posix())


def _format(file: Path, dataset: FilesDataset) -> FileFormat:
    file_format = dataset.format or ENDINGS.get(file.suffix.lower())
    if file_format is None:
        formats = ", ".join(dict.fromkeys(ENDINGS.values()))
        raise DatasetUnreadable(f"{dataset.url} does not end in {', '.join(ENDINGS)}; say its format: {formats}")
    return file_format
