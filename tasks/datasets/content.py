"""Files that are no data, whatever their names say: told by how they begin, with what to do."""

import re
from typing import Final

import orjson

from core.errors import DatasetUnreadable
from store.files.compression import COMPRESSIONS, OTHERS

_UNPACK = "unpack it, and give the file in it"
_AS_PARQUET = "save it as Parquet, JSON Lines or CSV"
_AS_UTF_8 = "save it in UTF-8, as `iconv -f {0} -t UTF-8` does"

_BEGINNINGS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"version https://git-lfs", "a pointer of Git LFS and not the data", "fetch that by `git lfs pull`"),
    (b"PK\x03\x04", "a ZIP archive or a workbook of Excel", f"{_UNPACK}, or save the sheet as CSV"),
    (b"PK\x05\x06", "an empty ZIP archive", "give a file with rows"),
    (b"\xd0\xcf\x11\xe0", "a document of Office", "save the sheet as CSV"),
    (b"%PDF", "a PDF", "give the rows in it as CSV or JSON Lines"),
    (b"ARROW1", "an Arrow file (Feather)", _AS_PARQUET),
    (b"SQLite format 3", "a database of SQLite", _AS_PARQUET),
    (b"\x93NUMPY", "an array of NumPy", _AS_PARQUET),
    (b"ORC", "an ORC file", _AS_PARQUET),
    (b"Obj\x01", "an Avro file", _AS_PARQUET),
    (b"\x89HDF", "an HDF5 file", _AS_PARQUET),
    (b"\x80\x04\x95", "a pickle", _AS_PARQUET),
    (b"\xff\xfe\x00\x00", "in UTF-32", _AS_UTF_8.format("UTF-32")),
    (b"\x00\x00\xfe\xff", "in UTF-32", _AS_UTF_8.format("UTF-32")),
    (b"\xff\xfe", "in UTF-16", _AS_UTF_8.format("UTF-16")),
    (b"\xfe\xff", "in UTF-16", _AS_UTF_8.format("UTF-16")),
    *((magic, f"compressed by {name}", "decompress it, or use gzip or Zstandard") for magic, name in OTHERS.items()),
)
_MARKUP: Final = re.compile(rb"\s*<(!doctype html|html|head|body|!--|\?xml|!doctype)", re.IGNORECASE)
_LONGEST_COMPLAINT: Final = 10_000
_SHOWN: Final = 200
_TAR: Final = (257, b"ustar")


_ISO_2022: Final = re.compile(rb"\x1b\$[@B]|\x1b\([BJ]")
_COMPLAINTS: Final = frozenset({"error", "errors"})
_STATUS: Final = frozenset({"status", "status_code", "statusCode", "code", "documentation_url"})
_BESIDE: Final = (
    _COMPLAINTS
    | _STATUS
    | {
        *(
            "message",
            "detail",
            "status",
            "status_code",
            "statusCode",
            "code",
            "type",
            "title",
            "path",
            "timestamp",
            "success",
        ),
        *("request_id", "requestId", "documentation_url", "error_description", "cause", "method", "instance"),
    }
)
"""What stands in an answer of a server that has an error in the place of data."""


def refuse_foreign(head: bytes, named: str, *, is_compressed: bool) -> None:
    """Raise DatasetUnreadable if what a file begins with shows that it is no file of rows, or in another encoding."""
    for beginning, what, remedy in _BEGINNINGS:
        if head.startswith(beginning):
            raise _foreign(named, what, remedy)
    if head[_TAR[0] :].startswith(_TAR[1]):
        raise _foreign(named, "a tar archive", _UNPACK)
    if is_compressed and any(head.startswith(each.magic) for each in COMPRESSIONS):
        raise _foreign(named, "compressed twice", "decompress it once")
    if markup := _MARKUP.match(head):
        is_page = b"xml" not in markup[1].lower()
        page = "a web page and not the data", "fetch the file itself; the page may say that a login is needed"
        raise _foreign(named, *(page if is_page else ("XML", _AS_PARQUET)))
    if complaint := _complaint(head):
        raise _foreign(named, f"no data but the error of a server, {complaint}", "fetch the file again")
    if not head.startswith(b"PAR1") and (encoding := _encoding(head)):
        raise _foreign(named, f"in {encoding}", _AS_UTF_8.format(encoding))


def _complaint(head: bytes) -> str | None:
    """Return what a file that is but one object says of an error."""
    if len(head) > _LONGEST_COMPLAINT or not head.lstrip().startswith(b"{"):
        return None
    try:
        said = orjson.loads(head)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or not said.keys() <= _BESIDE:
        return None
    told = next((said[name] for name in ("error", "errors", "detail", "message") if said.get(name)), None)
    is_error = any(said.get(name) for name in _COMPLAINTS) or said.keys() == {"detail"} or not _STATUS.isdisjoint(said)
    return repr(told)[:_SHOWN] if told and is_error else None


def _encoding(head: bytes) -> str | None:
    """Return the encoding of a text whose bytes are ASCII: that of Japanese mail, or two bytes for each character."""
    if _ISO_2022.search(head):
        return "ISO-2022-JP"
    head = head[:400]
    for encoding, zeros in (("UTF-16LE", head[1::2]), ("UTF-16BE", head[::2])):
        if len(head) >= 4 and zeros.count(0) > 0.8 * len(zeros):
            return encoding
    return None


def _foreign(named: str, what: str, remedy: str) -> DatasetUnreadable:
    return DatasetUnreadable(f"{named} is {what}: {remedy}")
