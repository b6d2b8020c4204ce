"""Tables of text with a header: separated by commas, tabs or semicolons, whichever the header has."""

import csv
import io
import re
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Final, TextIO

from core.errors import DatasetUnreadable
from core.spec import FileFormat
from store.files.bounds import MAX_COLUMNS, MAX_VALUES
from tasks.datasets.data_file import DataFile, Format, Row

SEPARATORS: Final = {",": "commas", "\t": "tabs", ";": "semicolons"}

_QUOTED: Final = re.compile(r'"[^"]*(?:"|\Z)')

csv.field_size_limit(2**31 - 1)  # a row is bounded as a whole, before its cells are told apart


def read_table(file: DataFile, *, usual: str) -> Iterator[Row]:
    """Yield the rows of a table, all values as text; blank lines are skipped. `usual` is what should separate cells."""
    with file.open() as stream:
        lines = _Lines(file, io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""))
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            return
        separator = _separator(first, usual)
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
            raise self._file.refuse_encoding(f"what follows line {self.number}") from error
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


def _header(file: DataFile, names: list[str], line: int) -> list[str]:
    """Return the names of the columns, each once; one without a name is called as pandas calls it."""
    where = f"line {line} of {file.named}"
    if len(names) > MAX_COLUMNS:
        raise DatasetUnreadable(f"{where} has {len(names):,} columns, of at most {MAX_COLUMNS:,}")
    named = [name or _unnamed(index) for index, name in enumerate(names)]
    twice = sorted({name for name in named if named.count(name) > 1}) if len(set(named)) < len(named) else []
    if twice:
        columns = ", ".join(map(repr, twice))
        raise DatasetUnreadable(f"{where}: columns need names, each once; rename all but one that is called {columns}")
    if "" in names:
        unnamed = ", ".join(repr(_unnamed(index)) for index, name in enumerate(names) if not name)
        file.note(f"columns without a name are called {unnamed}, and left out where they are empty")
    return named


def _unnamed(index: int) -> str:
    return f"Unnamed: {index}"


def _row(file: DataFile, line: int, header: list[str], cells: list[str]) -> Row:
    """Return a row without the cells of unnamed columns that are empty, such as after a comma at the end of a line."""
    file.at(f"line {line}")
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    lacking = header[len(cells) :]
    if len(cells) > len(header) or any(name != _unnamed(header.index(name)) for name in lacking):
        raise DatasetUnreadable(
            f"line {line} of {file.named} has {len(cells)} cells, but the header {len(header)}: {', '.join(header)}"
        )
    return {
        name: cell
        for index, (name, cell) in enumerate(zip(header, cells, strict=False))
        if cell or name != _unnamed(index)
    }
