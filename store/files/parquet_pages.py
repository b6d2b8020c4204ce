"""What Parquet files decode to, told from the headers of their pages before anything is decoded.

A file of a kilobyte can decode to gigabytes: by compression, by a dictionary of one long text, by runs of one value, by
texts that repeat the start of the one before. What the footer says of it need not be true; readers go by the pages.
Source: the Parquet format, and Thrift's compact protocol, in which headers are written.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

from core.errors import DatasetUnreadable

BATCH_ROWS: Final = 1_000

_MAX_PAGES = 200_000
_DICTIONARY_PAGE = 2
_DATA_PAGE_V2 = 3
_PARTS = {0: 5, _DICTIONARY_PAGE: 7, _DATA_PAGE_V2: 8}
_DELTA_BYTE_ARRAY = 7
_INDICES = frozenset({2, 8})  # PLAIN_DICTIONARY, RLE_DICTIONARY
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8}
_LEVEL_BYTES = 4
_INDEX_BYTES = 4


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
        """The bytes that reading a single row may take; all pages where a row's list may go through all."""
        largest = max((page.bytes for page in self.data), default=0)
        listed = sum(page.values * (self._value(page) + _LEVEL_BYTES) for page in self.data) if self.is_repeated else 0
        return int(self.dictionary_bytes + largest + listed)

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
    file: BinaryIO, metadata: Any, group: int, named: str, most: int, read_dictionary: Callable[[str], list[int]]
) -> Plan:
    """Return how a row group can be read without decoding more than `most` bytes of a column at a time.

    `metadata` is pyarrow's of the file, and `read_dictionary` gives the lengths of the texts in a column's dictionary,
    or at least of some. Raises DatasetUnreadable naming row group and column if a single row may be too much.
    """
    columns: list[Column] = []
    for index in range(metadata.num_columns):
        pages_left = _MAX_PAGES - sum(len(column.pages) for column in columns)
        column = _column(file, metadata, group, index, pages_left)
        columns.append(_with_longest(column, read_dictionary) if column.dictionary_bytes <= most else column)
    held = sum(column.held for column in columns)
    per_row = sum(column.per_row for column in columns)
    greatest = max(columns, key=lambda column: column.held + column.per_row, default=None)
    if greatest and (greatest.held > most or held > 2 * most or per_row > most):
        raise DatasetUnreadable(
            f"row group {group + 1} of {named}, column {greatest.name!r}, may decode to "
            f"{int(greatest.held + greatest.per_row):,} bytes at a time, of at most {most:,}: "
            "write the file with fewer rows in a row group, and with shorter values"
        )
    rows = max(1, min(BATCH_ROWS, int(most / 2 / max(per_row, 1))))
    return Plan(rows, tuple(column.name for column in columns if column.is_dictionary))


def _with_longest(column: Column, read_dictionary: Callable[[str], list[int]]) -> Column:
    """Look how long the texts of a dictionary are, where to take each for as long as all would be too wary by far."""
    if not column.is_mixed:
        return column
    lengths = read_dictionary(column.name)
    is_whole = len(lengths) == sum(page.values for page in column.pages if page.is_dictionary)
    return replace(column, longest=max(lengths, default=0)) if is_whole else column


def _column(file: BinaryIO, metadata: Any, group: int, index: int, pages: int) -> Column:
    chunk, schema = metadata.row_group(group).column(index), metadata.schema.column(index)
    return Column(
        name=chunk.path_in_schema,
        width=schema.length if chunk.physical_type == "FIXED_LEN_BYTE_ARRAY" else _WIDTHS.get(chunk.physical_type),
        is_repeated=schema.max_repetition_level > 0,
        pages=tuple(_pages(file, chunk, pages)),
    )


def _pages(file: BinaryIO, chunk: Any, most: int) -> Iterator[Page]:
    """Yield the pages that a reader goes through: until it has seen the values that the footer speaks of."""
    offsets = (chunk.dictionary_page_offset, chunk.data_page_offset)
    offset = min(each for each in offsets if each is not None and each > 0)
    end, seen = offset + chunk.total_compressed_size, 0
    for _ in range(most + 1):
        if seen >= chunk.num_values or offset >= end:
            return
        file.seek(offset)
        header = _struct(file)
        page = _page(header)
        yield page
        seen += 0 if page.is_dictionary else page.values
        offset = file.tell() + _integer(header, 3)
    raise ValueError(f"a row group has more than {_MAX_PAGES:,} pages; write it with larger ones")


def _page(header: dict[int, Any]) -> Page:
    kind = _integer(header, 1)
    parts = header.get(_PARTS.get(kind, 0))
    if parts is None:  # a page of an index, which readers pass over
        return Page(False, _integer(header, 2), 0, 0)
    encoding = _integer(parts, 4 if kind == _DATA_PAGE_V2 else 2)
    return Page(kind == _DICTIONARY_PAGE, _integer(header, 2), _integer(parts, 1), encoding)


def _integer(struct: dict[int, Any], number: int) -> int:
    match struct.get(number):
        case int() as value if value >= 0:
            return value
    raise ValueError("a page's header is damaged")


def _struct(file: BinaryIO, depth: int = 0) -> dict[int, Any]:
    """Read a struct of Thrift's compact protocol; only its integers and structs are kept."""
    if depth > 8:
        raise ValueError("a page's header is damaged")
    fields: dict[int, Any] = {}
    number = 0
    while byte := _byte(file):
        number = number + (byte >> 4) if byte >> 4 else _zigzag(file)
        fields[number] = _field(file, byte & 15, depth)
    return fields


def _field(file: BinaryIO, kind: int, depth: int) -> Any:
    match kind:
        case 1 | 2:
            return None
        case 3:
            return _byte(file)
        case 4 | 5 | 6:
            return _zigzag(file)
        case 7:
            return file.seek(8, 1) and None
        case 8:
            return file.seek(_varint(file), 1) and None
        case 12:
            return _struct(file, depth + 1)
    raise ValueError("a page's header is damaged")  # a page's header has no lists


def _zigzag(file: BinaryIO) -> int:
    value = _varint(file)
    return value >> 1 ^ -(value & 1)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = _byte(file)
        value |= (byte & 127) << shift
        if byte < 128:
            return value
    raise ValueError("a page's header is damaged")


def _byte(file: BinaryIO) -> int:
    byte = file.read(1)
    if not byte:
        raise ValueError("a page's header is cut short")
    return byte[0]
