"""What Parquet files decode to, told from the headers of their pages before anything is decoded.

A file of a kilobyte can decode to gigabytes: by compression, by a dictionary of one long text, by runs of one value, by
texts that repeat the start of the one before. What the footer says of it need not be true; readers go by the pages.
Source: the Parquet format's specification.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

from core.errors import DatasetUnreadable
from store.files.thrift import Struct, Wanted, listed, natural, nested, read_struct

BATCH_ROWS: Final = 1_000

_MAX_PAGES = 200_000
_DICTIONARY_PAGE = 2
_DATA_PAGE_V2 = 3
_PARTS = {0: 5, _DICTIONARY_PAGE: 7, _DATA_PAGE_V2: 8}
_HEADER: Wanted = {1: {}, 2: {}, 3: {}, 5: {1: {}, 2: {}}, 7: {1: {}, 2: {}}, 8: {1: {}, 4: {}}}
_FOOTER: Wanted = {4: {1: {3: {5: {}, 7: {}, 9: {}, 11: {}}}, 3: {}}}
_FOOTER_BYTES = 32_000_000
_DELTA_BYTE_ARRAY = 7
_INDICES = frozenset({2, 8})  # PLAIN_DICTIONARY, RLE_DICTIONARY
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
_LEVEL_BYTES = 4
_INDEX_BYTES = 4


ReadDictionary = Callable[[str], list[int]]
"""Gives the lengths of the texts in a column's dictionary, or at least of some."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where the pages of a column lie in a row group, and how many values they have."""

    values: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Group:
    """A row group: its rows, and a chunk for each column."""

    rows: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What a header says of its page: its bytes once decompressed, and how many values in which encoding."""

    is_dictionary: bool
    bytes: int
    values: int
    encoding: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a row group: `width` is the bytes of a value, None for texts; `is_repeated` within lists.

    `longest` is the longest text of its dictionary where that is known.
    """

    name: str
    width: int | None
    is_repeated: bool
    pages: tuple[Page, ...]
    longest: int | None = None

    @property
    def held(self) -> int:
        """The bytes that reading a single row may take; all pages where a row's list may go through all.

        A dictionary counts twice: readers keep it as it is in the file, too.
        """
        largest = max((page.bytes for page in self.data), default=0)
        listed = sum(page.values * (self._value(page) + _LEVEL_BYTES) for page in self.data) if self.is_repeated else 0
        return int(2 * self.dictionary_bytes + largest + listed)

    @property
    def per_row(self) -> float:
        """The bytes that each further row of a batch may take."""
        if self.is_repeated:
            return 0.0
        return max((self._value(page) for page in self.data), default=0.0)

    @property
    def data(self) -> list[Page]:
        """The pages that have its values, or their places in its dictionary."""
        return [page for page in self.pages if not page.is_dictionary]

    @property
    def dictionary_bytes(self) -> int:
        """The bytes of its dictionary."""
        return sum(page.bytes for page in self.pages if page.is_dictionary)

    @property
    def is_dictionary(self) -> bool:
        """Whether all its texts are places in a dictionary, and can be read as such; elsewhere they are written out."""
        return self.width is None and all(page.encoding in _INDICES for page in self.data)

    @property
    def is_mixed(self) -> bool:
        """Whether it is within lists, and some of its texts are in a dictionary, which was full before the others."""
        kinds = {page.encoding in _INDICES for page in self.data}
        return self.is_repeated and self.width is None and len(kinds) == 2

    def _value(self, page: Page) -> float:
        if self.width is not None:
            return self.width
        if page.encoding in _INDICES:
            return _INDEX_BYTES if self.is_dictionary else (self.longest or self.dictionary_bytes)
        return page.bytes if page.encoding == _DELTA_BYTE_ARRAY else page.bytes / max(page.values, 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a row group is read: so many rows at a time, and some columns as places in their dictionaries."""

    rows: int
    dictionaries: tuple[str, ...]


def plan(
    file: BinaryIO, group: Group, schema: Sequence[Any], most: int, named: str, read_dictionary: ReadDictionary
) -> Plan:
    """Return how a row group can be read without decoding more than `most` bytes of a column at a time.

    `schema` has pyarrow's columns of the file. Raises DatasetUnreadable naming row group and column if a single row
    may be too much; the group is called `named`.
    """
    columns: list[Column] = []
    for described, chunk in zip(schema, group.chunks, strict=True):
        pages_left = _MAX_PAGES - sum(len(column.pages) for column in columns)
        column = _column(file, described, chunk, pages_left)
        columns.append(_with_longest(column, read_dictionary) if column.dictionary_bytes <= most else column)
    held = sum(column.held for column in columns)
    per_row = sum(column.per_row for column in columns)
    greatest = max(columns, key=lambda column: column.held + column.per_row, default=None)
    if greatest and (greatest.held > most or held > 2 * most or per_row > most):
        raise DatasetUnreadable(
            f"{named}, column {greatest.name!r}, may decode to "
            f"{int(greatest.held + greatest.per_row):,} bytes at a time, of at most {most:,}: "
            "write the file with fewer rows in a row group, and with shorter values"
        )
    rows = max(1, min(BATCH_ROWS, int(most / 2 / max(per_row, 1))))
    return Plan(rows, tuple(column.name for column in columns if column.is_dictionary))


def _with_longest(column: Column, read_dictionary: ReadDictionary) -> Column:
    """Look how long the texts of a dictionary are, where to take each for as long as all would be too wary by far."""
    if not column.is_mixed:
        return column
    lengths = read_dictionary(column.name)
    is_whole = len(lengths) == sum(page.values for page in column.pages if page.is_dictionary)
    return replace(column, longest=max(lengths, default=0)) if is_whole else column


def read_groups(file: BinaryIO, columns: int) -> list[Group]:
    """Return what the footer says of the row groups of a file of so many columns. Raises ValueError if it is damaged.

    Pyarrow says it too, but takes the whole process down where a damaged footer says what cannot be.
    """
    size = file.seek(-8, 2)
    length = int.from_bytes(file.read(4), "little")
    if length > min(size, _FOOTER_BYTES):
        raise ValueError(f"its footer has {length:,} bytes, of at most {_FOOTER_BYTES:,}")
    file.seek(size - length)
    groups = [
        Group(natural(each, 3), tuple(_chunk(nested(column, 3)) for column in listed(each, 1)))
        for each in listed(read_struct(file, _FOOTER), 4)
    ]
    if any(len(group.chunks) != columns for group in groups):
        raise ValueError("its row groups do not have the columns of its schema")
    return groups


def _chunk(column: Struct) -> Chunk:
    data, dictionary = natural(column, 9), natural(column, 11, default=0)
    start = dictionary if 0 < dictionary < data else data
    return Chunk(values=natural(column, 5), start=start, end=start + natural(column, 7))


def _column(file: BinaryIO, schema: Any, chunk: Chunk, pages: int) -> Column:
    return Column(
        name=schema.path,
        width=schema.length if schema.physical_type == "FIXED_LEN_BYTE_ARRAY" else _WIDTHS.get(schema.physical_type),
        is_repeated=schema.max_repetition_level > 0,
        pages=tuple(_pages(file, chunk, pages)),
    )


def _pages(file: BinaryIO, chunk: Chunk, most: int) -> Iterator[Page]:
    """Yield the pages that a reader goes through: until it has seen the values that the footer speaks of."""
    offset, seen = chunk.start, 0
    for _ in range(most + 1):
        if seen >= chunk.values or offset >= chunk.end:
            return
        file.seek(offset)
        header = read_struct(file, _HEADER)
        page = _page(header)
        yield page
        seen += 0 if page.is_dictionary else page.values
        offset = file.tell() + natural(header, 3)
    raise ValueError(f"a row group has more than {_MAX_PAGES:,} pages; write it with larger ones")


def _page(header: Struct) -> Page:
    kind = natural(header, 1)
    if kind not in _PARTS:  # a page of an index, which readers pass over
        return Page(False, natural(header, 2), 0, 0)
    parts = nested(header, _PARTS[kind])
    encoding = natural(parts, 4 if kind == _DATA_PAGE_V2 else 2)
    return Page(kind == _DICTIONARY_PAGE, natural(header, 2), natural(parts, 1), encoding)
