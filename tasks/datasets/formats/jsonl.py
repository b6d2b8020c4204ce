"""JSON Lines: an object a line, whatever the name of the file says."""

from collections.abc import Iterator

import orjson

from core.spec import FileFormat
from tasks.datasets.data_file import HEAD_BYTES, DataFile, Format, Row
from tasks.datasets.formats.objects import read_object


def read_jsonl(file: DataFile) -> Iterator[Row]:
    """Yield the objects of a file that has one a line; blank lines are skipped."""
    longest = file.bounds.row
    with file.open() as stream:
        number = blank = 0
        while line := stream.readline(longest + 2):
            number += 1
            place = f"line {number}"
            file.bounds.refuse_row(f"{place} of {file.named}", len(line.rstrip(b"\r\n")))
            text = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
            if text:
                yield read_object(text, place, file)
            else:
                blank += 1
                file.refuse_blank(blank)


def is_jsonl(head: bytes, said: FileFormat | None) -> bool:
    """Tell whether a file begins with a line that is an object, and is no single object unless said to have lines."""
    text = head.lstrip()
    line, _, rest = text.partition(b"\n")
    if not line.startswith(b"{"):
        return False
    if len(line) == len(text) and len(head) == HEAD_BYTES:
        return said == "jsonl"  # a line longer than what is seen of it
    return (bool(rest.strip()) or said == "jsonl") and _is_whole(line)


def _is_whole(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return line.rstrip().endswith(b"}")  # NaN, or broken: for the reader to say
    return True


FORMAT = Format("jsonl", (".jsonl", ".ndjson"), is_jsonl, read_jsonl)
