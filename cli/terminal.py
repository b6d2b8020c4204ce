"""What the command line says: the one way to its two outputs, on which no text of a stranger's does anything."""

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

from core.text import visible

NOTES: Final = Console(stderr=True, highlight=False)
"""Where it is told what goes on; a progress bar gives way to it."""


def say(text: str) -> None:
    """Tell the user something, at once."""
    print(_lines(text), flush=True)


def note(text: str) -> None:
    """Tell the user something that is no part of what was asked for."""
    NOTES.print(Text(_lines(text)), soft_wrap=True)


def warn(text: str) -> None:
    """Tell the user something that must not be overlooked."""
    NOTES.print(Text(_lines(text), style="bold red"), soft_wrap=True)


def announce(text: str) -> None:
    """Tell what becomes of a service, which does not end for want of ears, as on a full disk."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), f"{_lines(text)}\n".encode())  # what is not taken must not be tried again


def show(table: RenderableType) -> None:
    """Print a table, whose cells are made by `cli.tables.cell`."""
    Console(highlight=False).print(table)


def say_json(value: object, *, indent: int | None = None) -> None:
    """Print a value for a script to read."""
    say(json_text(value, indent=indent).decode().removesuffix("\n"))


def json_text(value: object, *, indent: int | None = None) -> bytes:
    """Return a value as JSON in ASCII, which no terminal takes for anything else."""
    return json.dumps(value, indent=indent, default=str).replace("\x7f", "\\u007f").encode() + b"\n"


def pour(parts: Iterable[bytes]) -> None:
    """Write a file to the output: as it is, but on a terminal."""
    if sys.stdout.isatty():
        for part in parts:
            sys.stdout.write(_lines(part.decode(errors="replace")))
    else:
        for part in parts:
            sys.stdout.buffer.write(part)
    sys.stdout.flush()


def _lines(text: str) -> str:
    return visible(text, keep="\n\t")
