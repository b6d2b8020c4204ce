"""The table of formats: a file is read as what it holds, or else as what the user or its name says."""

import re
from collections.abc import Generator
from pathlib import PurePath
from typing import Final

from core.errors import DatasetUnreadable
from core.spec import FileFormat
from store.files.compression import ENDINGS as COMPRESSED
from tasks.datasets.content import refuse_foreign
from tasks.datasets.data_file import DataFile, Format, Row
from tasks.datasets.formats import csv, json, jsonl, parquet

FORMATS: Final = (parquet.FORMAT, jsonl.FORMAT, json.FORMAT, csv.CSV, csv.TSV)
"""In the order in which it is asked whether a file is of them."""

BY_NAME: Final[dict[FileFormat, Format]] = {each.name: each for each in FORMATS}
BY_ENDING: Final[dict[str, FileFormat]] = dict(
    sorted((ending, each.name) for each in FORMATS for ending in each.endings)
)

_WORD: Final = re.compile(rb"\s*+(?!(?:true|false|null|NaN|Infinity)\b)[A-Za-z#_]")
_SHOWN: Final = 40


def read_file(file: DataFile, said: FileFormat | None) -> Generator[Row, None, None]:
    """Yield the rows of a file, of which `said` is the format that was given or that its name shows.

    What is noteworthy is told to the file when no more rows are wanted. Raises DatasetUnreadable naming the file.
    """
    try:
        refuse_foreign(file.head, file.named, is_compressed=file.is_compressed)
        yield from _format(file, said).rows(file)
    except OSError as error:
        raise DatasetUnreadable(f"{file.named} cannot be read: {error.strerror or error}") from error
    finally:
        for sentence in file.findings.sentences():
            file.note(sentence)


def format_of(name: str) -> FileFormat | None:
    """Return the format that a file's name shows, which may end in that of a compression."""
    path = PurePath(name.lower())
    if path.suffix in COMPRESSED:
        path = path.with_suffix("")
    return BY_ENDING.get(path.suffix)


def _format(file: DataFile, said: FileFormat | None) -> Format:
    found = next((each for each in FORMATS if each.fits(file.head, said)), None)
    if found is None and said is None:
        raise DatasetUnreadable(
            f"{file.named} does not end in {', '.join(BY_ENDING)}, and what it holds does not show a format; "
            f"say its format: {', '.join(sorted(BY_NAME))}"
        )
    if said in {"json", "jsonl"} and found is None and _WORD.match(file.head):
        begins = file.head[:_SHOWN].decode("utf-8", "replace").strip()
        raise DatasetUnreadable(
            f"{file.named} is not JSON: it begins with {begins!r}; if it is a table with a header, say the format csv "
            "or tsv"
        )
    return found or BY_NAME[said]  # type: ignore[index]
