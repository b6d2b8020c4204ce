"""What commands print of rows: a table for people, plain lines for pipes, or the format that is asked for."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from cyclopts import Parameter
from rich.table import Table

from cli import terminal
from cli.terminal import json_text
from core.text import as_markdown, one_line

AsJson = Annotated[bool, Parameter(name="--json", negative="")]
Format = Literal["table", "csv", "parquet", "json", "jsonl", "md"]


@dataclass(frozen=True, slots=True)
class View:
    """Rows of values for programs, and a table of them for people, which may leave out what is the same in all."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    table: Table


def is_for_people(format: Format | None) -> bool:
    """Whether a table is printed: where it is asked for, or nothing is and people read the output."""
    return format == "table" or (format is None and sys.stdout.isatty())


def put(view: View, format: Format | None = None) -> None:
    """Print rows in a format; without one as a table on a terminal, and else as lines with tabs between values."""
    if is_for_people(format):
        terminal.show(view.table)
    elif format in FILES:
        terminal.pour([FILES[format](view)])
    else:
        put_lines(view.columns, *view.rows)


def put_lines(*rows: Sequence[object]) -> None:
    """Print a line for each row, with tabs between the values, each on one line and whole."""
    for row in rows:
        terminal.say("\t".join(map(plain, row)))


def array_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts of a JSON array of what comes as parts of lines of JSON."""
    yield b"["
    held = b""
    for part in lines:
        piece = held + part
        body = piece.rstrip(b"\n")
        held = piece[len(body) :]
        yield body.replace(b"\n", b",\n")
    yield b"]\n"


def plain(value: object) -> str:
    """Return a value as a text on one line; what has parts is JSON."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dict() | list() | tuple():
            return one_line(json.dumps(value, ensure_ascii=False, default=str))
    return one_line(str(value))


def _csv(view: View) -> bytes:
    from store.results.exports import csv_text

    return csv_text([view.columns, *view.rows])


def _parquet(view: View) -> bytes:
    from store.results.exports import parquet_file

    return parquet_file(view.columns, view.rows)


def _json(view: View) -> bytes:
    return json_text(list(_objects(view)), indent=2)


def _json_lines(view: View) -> bytes:
    return b"".join(map(json_text, _objects(view)))


def _objects(view: View) -> Iterator[dict[str, object]]:
    return (dict(zip(view.columns, row, strict=True)) for row in view.rows)


def _markdown(view: View) -> bytes:
    lines = [_markdown_row(view.columns), "|" + "---|" * len(view.columns), *map(_markdown_row, view.rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def _markdown_row(values: Sequence[object]) -> str:
    return "| " + " | ".join(as_markdown(plain(value)) for value in values) + " |"


FILES: Final[Mapping[Format | None, Callable[[View], bytes]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "json": _json,
    "jsonl": _json_lines,
    "md": _markdown,
}
