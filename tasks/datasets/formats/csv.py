"""Tables of text with a header: separated by commas, tabs, semicolons or vertical bars, whichever the header has."""

import csv
import io
import re
from collections.abc import Container, Iterator
from functools import partial
from itertools import chain, count
from typing import Final, NamedTuple, TextIO

from core.errors import DatasetUnreadable
from core.spec import FileFormat
from store.files.bounds import MAX_COLUMNS, MAX_VALUES
from tasks.datasets.data_file import DataFile, Format, Row

SEPARATORS: Final = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}

_TOLD: Final = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*\s*', re.IGNORECASE)
"""What Excel writes and reads before the header."""

_QUOTED: Final = re.compile(r'"[^"]*(?:"|\Z)')

csv.field_size_limit(2**31 - 1)  # a row is bounded as a whole, before its cells are told apart


def read_table(file: DataFile, *, usual: str) -> Iterator[Row]:
    """Yield the rows of a table, all values as text; blank lines are skipped. `usual` is what should separate cells."""
    with file.open() as stream:
        lines = _Lines(file, io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""))
        first = next((line for line in lines if line.strip()), None)
        told = _TOLD.fullmatch(first) if first else None
        if told:
            lines.end_row()
            first = next((line for line in lines if line.strip()), None)
        if first is None:
            return
        separator = told[1] if told else _separator(first, usual)
        if separator != usual:
            file.note(f"its cells are separated by {SEPARATORS[separator]}")
        reader = csv.reader(chain([first], lines), delimiter=separator, strict=True)
        try:
            yield from _rows(file, reader, lines)
        except csv.Error as error:
            raise DatasetUnreadable(
                f"line {lines.number} of {file.named} is not CSV: {error}; a cell that begins with a quotation mark "
                "ends with one, and has those inside doubled"
            ) from error


def _is_table(_head: bytes, _said: FileFormat | None) -> bool:
    return False  # any text can be a table: it is one if it is said to be


CSV = Format("csv", (".csv",), _is_table, partial(read_table, usual=","))
TSV = Format("tsv", (".tsv", ".tab"), _is_table, partial(read_table, usual="\t"))


class _Lines:
    """The lines of a file, of which those of one row are bounded; `row` is where the row began that is read."""

    def __init__(self, file: DataFile, text: TextIO) -> None:
        self._file = file
        self._text = text
        self.number = 0
        self.row = 1
        self._length = 0
        self._blank = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        longest = self._file.bounds.row
        try:
            line = self._text.readline(longest + 1 - self._length)
        except UnicodeDecodeError as error:
            raise self._file.refuse_encoding() from error
        if not line:
            raise StopIteration
        self.number += 1
        self._length += len(line)
        if line in {"\n", "\r\n", "\r"}:
            self._blank += 1
            self._file.refuse_blank(self._blank)
        where = f"line {self.row} of {self._file.named}"
        self._file.bounds.refuse_row(where, self._length)
        if self._length > MAX_VALUES and max(map(line.count, SEPARATORS)) > MAX_VALUES:
            raise DatasetUnreadable(f"{where} has more than {MAX_VALUES:,} cells, and is too large to be held")
        return line

    def end_row(self) -> None:
        """Begin a row with the next line."""
        self.row = self.number + 1
        self._length = 0


class _Header(NamedTuple):
    """The names of the columns, and those of them that the file does not give."""

    names: list[str]
    unnamed: frozenset[str]


def _rows(file: DataFile, reader: Iterator[list[str]], lines: _Lines) -> Iterator[Row]:
    header = _header(file, next(reader), lines.row)
    lines.end_row()
    for cells in reader:
        if cells:
            yield _row(file, lines.row, header, cells)
        lines.end_row()


def _separator(line: str, usual: str) -> str:
    """Return what separates the names in a header: what should, or else the first of the others that is there."""
    plain = _QUOTED.sub("", line)
    return next((each for each in (usual, *SEPARATORS) if each in plain), usual)


def _header(file: DataFile, names: list[str], line: int) -> _Header:
    """Return the names of the columns, each once; one without a name is called as pandas calls it."""
    where = f"line {line} of {file.named}"
    if len(names) > MAX_COLUMNS:
        raise DatasetUnreadable(f"{where} has {len(names):,} columns, of at most {MAX_COLUMNS:,}")
    given = {name for name in names if name.strip()}
    named = [name if name in given else _unnamed(index, given) for index, name in enumerate(names)]
    twice = sorted({name for name in named if named.count(name) > 1}) if len(set(named)) < len(named) else []
    if twice:
        columns = ", ".join(map(repr, twice))
        raise DatasetUnreadable(f"{where}: columns need names, each once; rename all but one that is called {columns}")
    unnamed = [name for name in named if name not in given]
    if unnamed:
        columns = ", ".join(map(repr, unnamed))
        file.note(f"columns without a name are called {columns}, and left out where they are empty")
    return _Header(named, frozenset(unnamed))


def _unnamed(index: int, given: Container[str]) -> str:
    """Return a name that no other column has: a table that was saved with its index twice has one of this kind."""
    name = f"Unnamed: {index}"
    return name if name not in given else next(each for n in count(1) if (each := f"{name}.{n}") not in given)


def _row(file: DataFile, line: int, header: _Header, cells: list[str]) -> Row:
    """Return a row without the cells of unnamed columns that are empty, such as after a comma at the end of a line."""
    file.at(f"line {line}")
    names, unnamed = header
    while len(cells) > len(names) and not cells[-1]:
        cells.pop()
    if len(cells) > len(names) or not unnamed.issuperset(names[len(cells) :]):
        remedy = (
            "in quotation marks if it has one of what separates cells" if len(cells) > len(names) else "if empty too"
        )
        raise DatasetUnreadable(
            f"line {line} of {file.named} has {len(cells)} cells, but the header {len(names)}: {', '.join(names)}; "
            f"each column has a cell, {remedy}"
        )
    return {name: cell for name, cell in zip(names, cells, strict=False) if cell or name not in unnamed}
