"""The rows of a dataset, wherever it is kept: in the request, in files here, or on a hub."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from core.errors import DatasetUnreadable
from core.spec import UPLOAD_SCHEME, Dataset, FileFormat, FilesDataset, RowsDataset
from store.files.bounds import Bounds
from store.files.values import Findings, json_value
from tasks.datasets.data_file import DataFile, Row
from tasks.datasets.found import Found, Sources, find_files
from tasks.datasets.layouts import bfcl, squad
from tasks.datasets.readers import format_of, read_file

Note = Callable[[str], object]


def read_rows(
    dataset: Dataset,
    sources: Sources,
    *,
    limit: int | None,
    needed: frozenset[str] = frozenset(),
    note: Note = str,
) -> Iterator[Row]:
    """Yield the rows of a dataset from the first, at most `limit`.

    Nothing is read beyond. Bytes and durations are left out, unless they are in `needed`, the columns that templates
    name; `note` takes sentences for the log. Raises DatasetUnreadable naming file and line; also if there is no row.
    """
    findings = Findings(needed)
    if isinstance(dataset, RowsDataset):
        rows = _given_rows(dataset, findings, note)
    else:
        rows = _file_rows(dataset, sources, needed, note)
    with closing(rows):
        wanted = islice(rows, limit)
        first = next(wanted, None)
        if first is None:
            raise DatasetUnreadable(f"{_named(dataset, sources)} has no rows")
        yield first
        yield from wanted


def first_row(path: Path, said: FileFormat | None) -> Row:
    """Return the first row of a file on this machine, whose format may be said.

    Raises DatasetUnreadable, with what to do, for what is no file of rows.
    """
    if not path.is_file():
        there = "is a folder: name a file in it" if path.is_dir() else "is no file"
        raise DatasetUnreadable(f"{path} {there if path.exists() else 'is not there'}")
    file = DataFile(path, path.name, Bounds(), lambda _: None, Findings())
    with closing(read_file(file, said or format_of(path.name))) as rows:
        row = next(rows, None)
    if row is None:
        raise DatasetUnreadable(f"{path.name} has no rows")
    return row


def _named(dataset: Dataset, sources: Sources) -> str:
    if isinstance(dataset, RowsDataset):
        return "the list of rows in the request"
    return find_files(dataset, sources)[0].named if dataset.url.startswith(UPLOAD_SCHEME) else dataset.url


def _given_rows(dataset: RowsDataset, findings: Findings, note: Note) -> Generator[Row, None, None]:
    try:
        for number, row in enumerate(dataset.rows, start=1):
            findings.place = f"row {number}"
            yield {name: json_value(value, name, findings) for name, value in row.items()}
    except (ValueError, RecursionError) as error:
        raise DatasetUnreadable(f"{findings.place} of the request: {error}") from error
    finally:
        for sentence in findings.sentences():
            note(f"the rows of the request, {sentence}")


def _file_rows(
    dataset: FilesDataset, sources: Sources, needed: frozenset[str], note: Note
) -> Generator[Row, None, None]:
    """Yield the rows of the files one after another, in the form that their layout is brought into."""
    reading = _Reading(dataset, sources, needed, note)
    for found in find_files(dataset, sources):
        with closing(reading.rows(found)) as rows:
            match dataset.layout:
                case "bfcl":
                    yield from bfcl.arrange(rows, partial(reading.answers, found), found.named)
                case "squad":
                    yield from squad.questions(rows, found.named)
                case None:
                    note_of = partial(reading.note_of, found)
                    yield from squad.unnested(rows, found.named, needed=needed, note=note_of)


@dataclass(frozen=True)
class _Reading:
    """How the files of a dataset are read."""

    dataset: FilesDataset
    sources: Sources
    needed: frozenset[str]
    note: Note

    def rows(self, found: Found) -> Generator[Row, None, None]:
        """Return the rows of a file as they are."""
        findings = Findings(self.needed)
        file = DataFile(found.path, found.named, self.sources.bounds, partial(self.note_of, found), findings)
        return read_file(file, found.said)

    def answers(self, found: Found) -> Iterator[Row]:
        """Yield the rows beside a file of the leaderboard's questions that have the possible answers."""
        beside = self.dataset.model_copy(update={"url": bfcl.answers_url(found.url), "split": None, "layout": None})
        try:
            files = find_files(beside, self.sources)
        except DatasetUnreadable as error:
            raise DatasetUnreadable(
                f"{found.named} has questions without 'ground_truth', and their answers are not beside it: "
                f"{error.message}; of a folder, give a category that has answers as the split"
            ) from error
        for file in files:
            yield from self.rows(file)

    def note_of(self, found: Found, sentence: str) -> None:
        """Say something of a file in the log."""
        self.note(f"{found.named}: {sentence}")
