"""Little that becomes much: files that unpack to gigabytes, and answers of models that nest or go on without end."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from bench.attacks.jobs import Asked, attempts, native
from bench.attacks.site import Site, Try
from core.metric import StringCheck
from core.spec import EvaluationSpec, FilesDataset, TaskSpec
from tests.scripted import Answer, by_default, text
from tests.tasks.datasets.bombs import MB, PACKED, TABLES, packed, zstd
from tests.tasks.specs import judge, model, recorded, spec

FILES: Final[dict[str, Callable[[], bytes]]] = {
    "line of 1 GB.jsonl.gz": lambda: packed(gzip.compress, b'{"q": "', b"x", 1_000, b'"}'),
    "line of 1 GB.jsonl.zst": lambda: packed(zstd, b'{"q": "', b"x", 1_000, b'"}'),
    "cell of 1 GB.csv.gz": lambda: packed(gzip.compress, b'q,a\n1,"', b"x", 1_000, b'"'),
    "object of 1 GB.json.zst": lambda: packed(zstd, b'{"q": "', b"x", 1_000, b'"}'),
    "lists.jsonl.zst": lambda: zstd(b'{"q": [[]' + b",[]" * 9_000_000 + b"]}"),
    "members.jsonl.zst": lambda: zstd(b'{"q": {"": 0' + b"".join(b',"%d":0' % n for n in range(2_000_000)) + b"}}"),
    "nested.jsonl": lambda: b'{"q": ' + b"[" * 1_000_000,
    "digits.jsonl.gz": lambda: gzip.compress(b'{"q": ' + b"9" * 20_000_000 + b"}"),
    "escapes.jsonl.gz": lambda: gzip.compress(b'{"q": "' + b"\\u0000" * 5_000_000 + b'"}'),
    "columns.csv.gz": lambda: gzip.compress(b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n"),
    "quotes.csv.gz": lambda: gzip.compress(b"q\n" + b'"' * 20_000_000),
    "twice packed.jsonl.gz": lambda: gzip.compress(packed(gzip.compress, b'{"q": "', b"x", 1_000, b'"}')),
}
"""Files that are bombs also at the bounds that are the default."""


def files() -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of files that are bombs."""
    yield from ((name, make()) for name, make in FILES.items())
    yield from ((name, content) for name, (content, _) in PACKED.items())
    for name, (columns, how, _) in TABLES.items():
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns()), sink, compression="zstd", **how)
        yield f"{name}.parquet", sink.getvalue().to_pybytes()


def _stacked(times: int) -> bytes:
    body = zlib.compress(b"\x00" * (50 * MB))
    for _ in range(times):
        body = gzip.compress(body)
    return body


def _chat(content: str) -> bytes:
    return text(content).body


def _calls(nested: str) -> bytes:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "ARGUMENTS"}}
    body = json.dumps({"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [call]}}]})
    return body.replace('"ARGUMENTS"', nested).encode()


def _packed(encoding: str, body: bytes) -> Answer:
    return Answer(body, headers={"content-encoding": encoding})


def _raw(head: str, body: bytes = b"") -> Answer:
    return Answer(raw=f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode("latin-1") + body, end="close")


ANSWERS: Final[dict[str, Callable[[], Answer]]] = {
    "1 GB by gzip": lambda: _packed("gzip", packed(gzip.compress, b'{"a": "', b"x", 1_000, b'"}')),
    "1 GB by deflate": lambda: _packed("deflate", zlib.compress(b"\x00" * 200 * MB)),
    "1 GB by zstd": lambda: _packed("zstd", packed(zstd, b'{"a": "', b"x", 1_000, b'"}')),
    "two layers of gzip": lambda: _packed("gzip, gzip", _stacked(2)),
    "nine layers of gzip": lambda: _packed(", ".join(["gzip"] * 9), _stacked(9)),
    "a layer that is none": lambda: _packed("gzip, identity, x", _stacked(1)),
    "packed and cut": lambda: _packed("gzip", gzip.compress(_chat("a" * MB))[:200]),
    "not what it is packed as": lambda: _packed("br", b"\xff" * 1_000),
    "40 MB of text": lambda: text("a" * 40 * MB),
    "40 MB of blanks": lambda: Answer(b" " * 40 * MB + _chat("a")),
    "lists within lists": lambda: Answer(b"[" * 5 * MB),
    "objects within objects": lambda: Answer(b'{"choices":' * 200_000),
    "3 million choices": lambda: Answer(b'{"choices": [{}' + b",{}" * 2_000_000 + b"]}"),
    "arguments nested 1,000 deep": lambda: Answer(_calls("[" * 1_000 + "]" * 1_000)),
    "arguments nested 100,000 deep": lambda: Answer(_calls("[" * 100_000 + "]" * 100_000)),
    "arguments nested in a text": lambda: Answer(_calls(json.dumps("[" * 100_000 + "]" * 100_000))),
    "a number of 5 million digits": lambda: text("9" * 5 * MB),
    "a number of 5 million digits in JSON": lambda: Answer(
        b'{"choices": [], "usage": {"total_tokens": ' + b"9" * 5 * MB + b"}}"
    ),
    "5 MB that look like a verdict": lambda: text('{"score": ' * 500_000),
    "5 MB of backquotes": lambda: text("```json\n" * 600_000),
    "5 MB of thinking": lambda: text("<think>" * 700_000 + "</think>" * 2),
    "5 MB of blanks and a grade": lambda: text(" " * 5 * MB + "SCORE: 1" + "\n" * MB),
    "usage beyond all numbers": lambda: Answer(_chat("a").replace(b'"total_tokens":10', b'"total_tokens":1e400')),
    "half a surrogate pair": lambda: Answer(_chat("SURROGATE").replace(b"SURROGATE", b"\\ud83d\\u0000")),
    "100,000 headers": lambda: _raw("\r\n".join(f"x-{n}: 1" for n in range(100_000))),
    "a header of 10 MB": lambda: _raw("x: " + "a" * 10 * MB),
    "a status line of 10 MB": lambda: Answer(raw=b"HTTP/1.1 200 " + b"a" * 10 * MB, end="close"),
    "100,000 answers before the answer": lambda: Answer(raw=b"HTTP/1.1 103 Early\r\n\r\n" * 100_000, end="close"),
    "a chunk of 2^63 bytes": lambda: _raw("transfer-encoding: chunked", b"7fffffffffffffff\r\n" + b"a" * MB),
    "a negative chunk": lambda: _raw("transfer-encoding: chunked", b"-1\r\nabc\r\n"),
    "a million chunks": lambda: _raw("transfer-encoding: chunked", b"1\r\na\r\n" * MB),
    "5 MB of trailers": lambda: _raw("transfer-encoding: chunked", b"0\r\n" + b"x: 1\r\n" * 800_000),
    "two lengths": lambda: _raw("content-length: 5\r\ncontent-length: 500", b"a" * 500),
    "a length of 2^70": lambda: _raw(f"content-length: {2**70}", b"a" * MB),
}
"""What a model may send in the place of an answer."""


def attack(site: Site) -> Iterator[Try]:
    """Have each file read by a job of its own, and each answer by one as a target's and one as a judge's."""
    for name, content in site.some(list(files())):
        yield from attempts(site, [_read(site, name, content)])
    for name, make in site.some(list(ANSWERS.items())):
        answer = make()
        site.endpoint.script = lambda _, answer=answer: answer  # type: ignore[misc]
        asked = spec(model(site.endpoint.url), [{"question": "q"}] * 4, parallelism=4)
        yield from attempts(site, [native(f"target: {name}", asked)])
        graded = spec(recorded("question"), [{"question": "q"}] * 4, judge(site.endpoint.url), parallelism=4)
        yield from attempts(site, [native(f"judge: {name}", graded)])
    site.endpoint.script = by_default


def _read(site: Site, name: str, content: bytes) -> Asked:
    """Return a job that reads a file, which is uploaded."""
    form = {"purpose": "eval", "file_type": "jsonl"}
    answer = site.http.post("/v1/files", files={"file": (name, content)}, data=form)
    file_id = answer.json()["id"] if answer.is_success else "none"
    check = StringCheck(name="same", left="{{ item.q }}", operator="equals", right="1")
    task = TaskSpec(name="qa", dataset=FilesDataset(url=f"file:{file_id}"), limit=1_000, metrics=(check,))
    return native(name, EvaluationSpec(targets=recorded("q"), tasks=(task,)))
