"""Bodies of a few megabytes that cost most for what they are: digits, levels, keys, parts and templates."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

MB: Final = 1_000_000
JOBS: Final = "/v2/evaluation/jobs"
CONFIGS: Final = "/v1/evaluation/configs"
FILES: Final = "/v1/files"
BENCHMARKS: Final = "/api/v3/benchmark/upload"
EVALUATORS: Final = "/v1/evaluators"


def _parts(*parts: bytes) -> bytes:
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"


def _field(name: bytes, value: bytes = b"a") -> bytes:
    return b'Content-Disposition: form-data; name="' + name + b'"\r\n\r\n' + value


def _check(template: bytes) -> bytes:
    return b'{"a":{"type":"string-check","params":{"check":["' + template + b'","equals","x"]}}}'


def _task(metrics: bytes) -> bytes:
    return b'{"type":"data","metrics":' + metrics + b"}"


def _config(tasks: bytes) -> bytes:
    return b'{"type":"custom","tasks":{' + tasks + b"}}"


def _questions(*more: bytes, each: bytes) -> bytes:
    file = b"[" + each * 300_000 + b",".join(more or (b"{}",)) + b"]"
    return _parts(_field(b"name", b"q"), _field(b'file"; filename="q.json', file))


_LOOP: Final = b"{{ a }} {% for b in c %}{{ b }}{% endfor %}"
_REGEX: Final = b'{"type":"regex","pattern":"' + b"(a{1,900}){1,900}" * 200 + b'"}'
_JUDGE: Final = (
    b'{"m":{"type":"llm-judge","params":{"model":"m","template":{"messages":[]},"scores":{"s":{"type":"int","parser":'
    + _REGEX
    + b"}}}}}"
)

JSON: Final[Mapping[str, tuple[str, Callable[[], bytes]]]] = {
    "a number of 9 million digits": (JOBS, lambda: b'{"spec": ' + b"9" * 9 * MB + b"}"),
    "a fraction of 9 million digits": (JOBS, lambda: b'{"spec": 0.' + b"9" * 9 * MB + b"}"),
    "an exponent of 9 million digits": (JOBS, lambda: b'{"spec": 1e' + b"9" * 9 * MB + b"}"),
    "9 million lists": (JOBS, lambda: b"[" * 9 * MB),
    "2 million objects": (JOBS, lambda: b'{"a":' * 1_800_000),
    "9 million blanks": (JOBS, lambda: b" " * 9 * MB),
    "escapes": (JOBS, lambda: b'{"spec":"' + b"\\u0041" * 1_500_000 + b'"}'),
    "a key of 9 MB": (JOBS, lambda: b'{"' + b"a" * 9 * MB + b'":1}'),
    "the same key 400,000 times": (JOBS, lambda: b"{" + b'"a":1,' * 400_000 + b'"a":1}'),
    "490,000 wrong keys": (JOBS, lambda: b'{"spec":{' + b",".join(b'"k%d":1' % n for n in range(490_000)) + b"}}"),
    "490,000 wrong rows": (JOBS, lambda: b'{"spec":{"target":{"type":"rows","rows":[' + b"1," * 490_000 + b"1]}}}"),
    "19,000 tasks": (JOBS, lambda: b'{"spec":{"config":' + _config(_named(19_000, b'{"type":"data"}')) + b"}}"),
    "5,000 metrics": (CONFIGS, lambda: _config(b'"qa":' + _task(b"{" + _named(5_000, _check(b"x")[5:-1]) + b"}"))),
    "a template of 190,000 columns": (CONFIGS, lambda: _config(b'"qa":' + _task(_check(b"{{a}}" * 190_000)))),
    "300,000 braces": (CONFIGS, lambda: _config(b'"qa":' + _task(_check(b"{{ " * 300_000)))),
    "4,000 templates": (CONFIGS, lambda: _config(_named(4_000, _task(_check(_LOOP))))),
    "a pattern of many repetitions": (CONFIGS, lambda: _config(b'"qa":' + _task(_JUDGE))),
    "a source of 1 MB": (EVALUATORS, lambda: b'{"type":"code","name":"a","source":"' + b"x = 1\\n" * 200_000 + b'"}'),
    "a source of brackets": (EVALUATORS, lambda: b'{"type":"code","name":"b","source":"x = ' + b"(" * 100_000 + b'"}'),
}
FORMS: Final[Mapping[str, tuple[str, Callable[[], bytes]]]] = {
    "100,000 fields": (FILES, lambda: _parts(*(_field(b"a%d" % n) for n in range(100_000)))),
    "100,000 times a field": (FILES, lambda: _parts(*[_field(b"purpose", b"eval")] * 100_000)),
    "a header of 20 MB": (FILES, lambda: _parts(b"X: " + b"a" * 20 * MB + b"\r\n\r\na")),
    "2 million headers": (FILES, lambda: _parts(b"X: a\r\n" * 2 * MB + b"\r\na")),
    "a field of 50 MB": (FILES, lambda: _parts(_field(b"purpose", b"a" * 50 * MB))),
    "nothing but ends of lines": (FILES, lambda: b"\r\n" * 10 * MB),
    "what is almost the end": (FILES, lambda: _parts(_field(b'f"; filename="a', b"\r\n--" * 8 * MB))),
    "50 MB before the first part": (FILES, lambda: b"a" * 50 * MB),
    "100,000 fields of a benchmark": (BENCHMARKS, lambda: _parts(*(_field(b"a%d" % n) for n in range(100_000)))),
    "300,000 wrong questions": (BENCHMARKS, lambda: _questions(each=b'{"question_num":1},')),
    "a wrong question after 300,000": (BENCHMARKS, lambda: _questions(each=b'{"question":"q","answer":"a"},')),
    "questions nested deeply": (BENCHMARKS, lambda: _questions(b"[" * 5 * MB, each=b"")),
    "a question of 490,000 fields": (
        BENCHMARKS,
        lambda: _questions(b'{"question":"q","answer":"a",' + _named(240_000, b"[]") + b"}", each=b""),
    ),
}


def _named(count: int, value: bytes) -> bytes:
    return b",".join(b'"k%d":' % number + value for number in range(count))


def requests() -> Iterator[dict[str, Any]]:
    """Yield the requests, by what they hold."""
    for name, (path, make) in JSON.items():
        headers = {"content-type": "application/json"}
        yield {"name": name, "method": "POST", "path": path, "content": make(), "headers": headers}
    for name, (path, make) in FORMS.items():
        headers = {"content-type": "multipart/form-data; boundary=x"}
        yield {"name": name, "method": "POST", "path": path, "content": make(), "headers": headers}
