"""JSON documents: an array of rows, read element by element; objects one after another; or an object around rows."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from core.errors import DatasetUnreadable
from core.spec import FileFormat
from store.files.bounds import MAX_VALUES
from tasks.datasets.data_file import DataFile, Format, Row
from tasks.datasets.formats.objects import kind_of, read_object, read_value, refuse_many_values
from tasks.datasets.layouts.wrapped import rows_within

DOCUMENT_VALUES: Final = 2 * MAX_VALUES
"""An object around the rows is held as a whole."""

_STEP: Final = 1 << 16
_BLANKS: Final = re.compile(r"[ \t\r\n\x1e]*")
"""Between values: white space, and what stands before each in a sequence of JSON texts (RFC 7464)."""

_NO_TABLE: Final = re.compile(rb'\s*+(?:\[\s*+)?\{\s*+"(?:[^"\\]|\\.)*+"\s*+:')
_DECODER: Final = json.JSONDecoder(parse_int=len)
"""Finds where a value ends. Its integers stand for nothing: Python's own have a bound of digits."""


def read_json(file: DataFile) -> Iterator[Row]:
    """Yield the rows of a document, whichever of its forms it has."""
    with file.open() as stream:
        text = _Text(file, stream)
        if text.peek() == "[":
            yield from _elements(text, file)
        elif text.peek():
            yield from _objects(text, file)


def is_json(head: bytes, said: FileFormat | None) -> bool:
    """Tell whether a file begins as an array or object does; one said to be a table of text, with the first name."""
    if said in {"csv", "tsv"}:
        return _NO_TABLE.match(head) is not None
    return head.lstrip(b" \t\r\n\x1e")[:1] in {b"[", b"{"}


FORMAT = Format("json", (".json",), is_json, read_json)


def _elements(text: "_Text", file: DataFile) -> Iterator[Row]:
    text.skip()
    number = 0
    while text.peek() != "]" or number:
        number += 1
        yield read_object(text.value(file.bounds.row, MAX_VALUES), f"element {number}", file)
        if text.peek() == "]":
            break
        if text.peek() != ",":
            raise text.broken("a comma, or the end of the array, is missing")
        text.skip()
        if text.peek() == "]":
            raise text.broken("there is a comma before the end of the array: take it out")
    text.skip()
    if text.peek():
        raise text.broken("there is more after the end of the array; give one array, or one object a line")


def _objects(text: "_Text", file: DataFile) -> Iterator[Row]:
    first = text.value(file.bounds.held, DOCUMENT_VALUES)
    if not text.peek():
        document = read_value(first, file.named, file)
        if not isinstance(document, dict):
            raise DatasetUnreadable(f"{file.named} is {kind_of(document)}, not an array of objects")
        rows = rows_within(document, file.named, file.note)
        if rows is None:
            yield read_object(first, "the object", file)
        else:
            yield from rows
        return
    yield read_object(first, "object 1", file)
    number = 1
    while text.peek():
        number += 1
        if text.peek() == ",":
            raise text.broken("there is a comma after an object: take it out, or put brackets around all objects")
        yield read_object(text.value(file.bounds.row, MAX_VALUES), f"object {number}", file)


class _Text:
    """The text of a stream, of which no more is held than the value that is being read."""

    def __init__(self, file: DataFile, stream: BinaryIO) -> None:
        self._file = file
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._held = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def peek(self) -> str:
        """Go to the next character that is not blank, and return it; nothing at the end."""
        while True:
            begin = self._at
            self._at = _BLANKS.match(self._held, begin).end()  # type: ignore[union-attr]
            if self._at < len(self._held) or self._ended:
                return self._held[self._at : self._at + 1]
            self._more(_STEP)

    def skip(self) -> None:
        """Go beyond a character."""
        self._at += 1

    def value(self, most_bytes: int, most_values: int) -> bytes:
        """Go beyond the next value and return its text. Raises DatasetUnreadable if it is broken, or too large."""
        self.peek()
        before: object = None
        while True:
            try:
                _, end = _DECODER.raw_decode(self._held, self._at)
            except RecursionError as error:
                raise self.broken("it is nested too deeply: depth limit exceeded") from error
            except json.JSONDecodeError as error:
                # What is wrong still with more of the text is wrong; a text without end could end further on.
                same = (error.pos - self._at, error.msg)
                if self._ended or (same == before and not error.msg.startswith("Unterminated")):
                    raise self.broken(error.msg, error.pos) from error
                before = same
            else:
                if end < len(self._held) or self._ended:
                    text = self._held[self._at : end].encode()
                    self._at = end
                    return text
            self._grow(most_bytes, most_values)

    def broken(self, why: str, at: int | None = None) -> DatasetUnreadable:
        """Return the error for what is at a place, or at this one."""
        line = self._line + self._held.count("\n", 0, self._at if at is None else at)
        return DatasetUnreadable(f"line {line} of {self._file.named} is not JSON: {why}")

    def _grow(self, most_bytes: int, most_values: int) -> None:
        """Read half as much again of a value that has not ended, if it may be that long."""
        held = self._held[self._at :]
        if len(held) > most_bytes or len(held) > most_values:
            where = f"the value at line {self._line + self._held.count(chr(10), 0, self._at)} of {self._file.named}"
            refuse_many_values(held.encode(), where, most_values)
            if len(held) > most_bytes:
                raise DatasetUnreadable(f"{where} is longer than {most_bytes:,} bytes: give the rows one object a line")
        self._more(max(_STEP, len(held) // 2))

    def _more(self, size: int) -> None:
        """Read on, and let go of what has been passed."""
        piece = self._stream.read(size)
        self._ended = not piece
        self._line += self._held.count("\n", 0, self._at)
        try:
            self._held = self._held[self._at :] + self._decode(piece, self._ended)
        except UnicodeDecodeError as error:
            raise self._file.refuse_encoding() from error
        self._at = 0
