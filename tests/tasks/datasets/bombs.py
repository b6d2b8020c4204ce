"""Small files that hold far too much, each with what is said of it at bounds that are smaller than the default."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa

MB = 1_000_000


def packed(pack: Callable[[bytes], bytes], begin: bytes, piece: bytes, times: int, end: bytes = b"") -> bytes:
    """Compress `begin`, a piece many times, and `end`: streams may have many parts."""
    return pack(begin) + pack(piece * (MB // len(piece))) * times + pack(end)


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


PACKED: dict[str, tuple[bytes, str]] = {
    "line.jsonl.gz": (
        packed(gzip.compress, b'{"q": "', b"x", 150, b'"}'),
        "line 1 of line.jsonl.gz is longer than 2,000,000 bytes: shorten it, or set ASSAY_MAX_ROW",
    ),
    "line.jsonl.zst": (
        packed(zstd, b'{"q": "', b"x", 150, b'"}'),
        "line 1 of line.jsonl.zst is longer than 2,000,000 bytes",
    ),
    "line.jsonl.bz2": (
        packed(bz2.compress, b'{"q": "', b"x", 150, b'"}'),
        "line 1 of line.jsonl.bz2 is longer than 2,000,000 bytes",
    ),
    "line.jsonl.xz": (
        packed(partial(lzma.compress, preset=0), b'{"q": "', b"x", 150, b'"}'),
        "line 1 of line.jsonl.xz is longer than 2,000,000 bytes",
    ),
    "memory.jsonl.xz": (
        lzma.compress(b"{}", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 28}]),
        "memory.jsonl.xz is damaged, or was cut short: xz says 'Memory usage limit exceeded'; compress it again",
    ),
    "element.json.gz": (
        packed(gzip.compress, b'[{"q": "', b"x", 150, b'"}]'),
        "the value at line 1 of element.json.gz is longer than 2,000,000 bytes",
    ),
    "object.json.zst": (
        packed(zstd, b'{"q": "', b"x", 150, b'"}'),
        "the value at line 1 of object.json.zst is longer than 8,000,000 bytes",
    ),
    "cell.csv.gz": (
        packed(gzip.compress, b'q,a\n1,"', b"x", 150, b'"'),
        "line 2 of cell.csv.gz is longer than 2,000,000 bytes",
    ),
    "cell-of-lines.csv.zst": (
        packed(zstd, b'q,a\n1,"', b"xxxxx xxxx xxxx xxxx\n", 150, b'"'),
        "line 2 of cell-of-lines.csv.zst is longer than 2,000,000 bytes",
    ),
    "cells.tsv.gz": (
        gzip.compress(b"q\ta\n" + b"\t" * 1_500_000),
        "line 2 of cells.tsv.gz has more than 1,000,000 cells",
    ),
    "header.csv.gz": (packed(gzip.compress, b"", b"a,", 150), "line 1 of header.csv.gz is longer than 2,000,000 bytes"),
    "lists.jsonl": (
        b'{"q": [[]' + b",[]" * 600_000 + b"]}",
        "line 1 of lists.jsonl has more than 1,000,000 values",
    ),
    "objects.json.gz": (
        gzip.compress(b'[{"q": [{}' + b",{}" * 600_000 + b"]}]"),
        "element 1 of objects.json.gz has more than 1,000,000 values",
    ),
    "document.json.zst": (
        packed(zstd, b'{"data": [{}', b",{}", 150, b"]}"),
        "the value at line 1 of document.json.zst has more than 2,000,000 values",
    ),
    "lines.jsonl.gz": (
        packed(gzip.compress, b"", b'{"q": "' + b"a" * 200 + b'"}\n', 150),
        "lines.jsonl.gz decodes to more than 15,000,000 bytes, from",
    ),
    "blank.jsonl.zst": (packed(zstd, b"", b"\n", 150), "blank.jsonl.zst has more than 100,000 blank lines"),
    "blank.json.bz2": (packed(bz2.compress, b"[", b" ", 150), "blank.json.bz2 decodes to more than 15,000,000 bytes"),
    "blank.csv.gz": (packed(gzip.compress, b"a\n", b"\n", 150), "blank.csv.gz has more than 100,000 blank lines"),
}


def repeated(text: str, times: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))


TEXT = "x" * MB
NUMBERS = pa.list_(pa.int64())
WHOLE = {"dictionary_pagesize_limit": 1 << 30}
PLAIN = {"use_dictionary": False}

TABLES: dict[str, tuple[Callable[[], dict[str, pa.Array]], dict[str, Any], str]] = {
    # one text in a dictionary, which many rows have
    "dictionary": (lambda: {"q": repeated(TEXT, 1_000)}, WHOLE, "dictionary decodes to more than 15,000,000 bytes"),
    "long": (lambda: {"q": pa.array([TEXT * 120])}, {}, "row group 1 of long, column 'q', may decode to 240,"),
    "plain": (lambda: {"q": pa.array([TEXT * 120])}, PLAIN, "row group 1 of plain, column 'q', may decode to 24"),
    "row": (lambda: {"q": pa.array([TEXT * 3])}, {}, "row 1 of row group 1 of row, column 'q', is longer than 2,000,0"),
    "numbers": (
        lambda: {"a": pa.array([1, 2]), "xs": pa.array([[0], [0] * 20 * MB], NUMBERS)},
        {},
        "row group 1 of numbers, column 'xs.list.element', may decode to 24",
    ),
    "nothings": (
        lambda: {"xs": pa.array([[None] * 20 * MB], pa.list_(pa.null()))},
        {},
        "row group 1 of nothings, column 'xs.list.element', may decode to",
    ),
    "values": (
        lambda: {"xs": pa.array([[0], [0] * 240_000], NUMBERS), "y": repeated("", 2)},
        {},
        "2 rows",
    ),
    "listed": (
        lambda: {"xs": pa.ListArray.from_arrays([0, 1_000], repeated(TEXT, 1_000))},
        WHOLE,
        "row 1 of row group 1 of listed, column 'xs', is longer than 2,000,000 bytes",
    ),
    "members": (
        lambda: {"o": pa.StructArray.from_arrays([repeated(TEXT, 1_000)] * 3, ["a", "b", "c"])},
        WHOLE,
        "row 1 of row group 1 of members, column 'o', is longer than 2,000,000 bytes",
    ),
    # each text is the one before, with nothing added
    "delta": (
        lambda: {"q": pa.array([TEXT] * 150)},
        PLAIN | {"column_encoding": {"q": "DELTA_BYTE_ARRAY"}},
        "delta decodes to more than 15,000,000 bytes",
    ),
    "delta-in-a-list": (
        lambda: {"xs": pa.array([[TEXT] * 150])},
        PLAIN | {"column_encoding": {"xs.list.element": "DELTA_BYTE_ARRAY"}},
        "row group 1 of delta-in-a-list, column 'xs.list.element', may decode to",
    ),
    "fixed": (
        lambda: {"b": pa.array([b"\x00" * 120 * MB], pa.binary(120 * MB))},
        PLAIN,
        "row group 1 of fixed, column 'b', may decode to 240,",
    ),
    "columns": (
        lambda: {f"c{number}": pa.array([TEXT * 6]) for number in range(20)},
        PLAIN,
        "row group 1 of columns, column 'c0', may decode to 12,",
    ),
}
