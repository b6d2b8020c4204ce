"""Bodies and queries that are wrong in every way: all are refused in time, shortly, and by no error of ours."""

import copy
import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from api.nemo.routes.live import PATIENCE_S
from bench.attacks import dense
from bench.attacks.jobs import JOBS
from bench.attacks.site import Site, Try
from tests.scripted import text
from tests.service.keyed import Given, Keyed, Keys, requests
from tests.service.lists import LISTS, OF_A_JOB
from tests.tasks.specs import CORRECT, recorded, rows, spec

BODIES: Final = 1_400
SEED: Final = 12
AT_A_TIME: Final = 4
LONGEST_S: Final = 20.0
MOST_BYTES: Final = 100_000
"""Of an answer to what was refused."""

UNSUPPORTED: Final = 501
LIVE: Final = "/v1/evaluation/live"
"""Waits for its evaluation, which is as long as others make it, and says 504 then."""

JSON: Final = {"Content-Type": "application/json"}


def _nested(levels: int, value: Any = 1) -> Any:
    for _ in range(levels):
        value = [value]
    return value


VALUES: Final[tuple[Any, ...]] = (
    *(None, True, -1, 0, 1e308, -1e-308, 2**53, 2**63, 2**64, 10**30, float("nan"), float("inf")),
    *("", " ", "\x00", "\ud800", "\u2028\u202e\ufeff", "a" * 10_000, "é" * 300_000, "../" * 50, "{{ 7 * 7 }}", "%s%n"),
    *("env:HOME", "store:1", "model:m", "file:x", "hf://datasets/../../etc/passwd", "(a+)+$", "(?:" * 500, "$ref"),
    *("2020-01-01T00:00:00Z", "99999-99-99", "1e999", "-0", "\x1b[2J", "'; DROP TABLE jobs; --", "<script>"),
    *([], {}, [[]], [None] * 5_000, ["x"] * 300, {"": ""}, {"a": {"a": {}}}, {"__class__": 1}, {"type": "custom"}),
    *(_nested(90), _nested(900), {f"k{n}": n for n in range(3_000)}, {"x" * 5_000: 1}, [{"type": "llm-judge"}] * 50),
)
"""What takes the place of a value."""

_SPOILED: Final = (
    lambda body: body[: len(body) // 2],
    lambda body: body + body,
    lambda body: b"\xef\xbb\xbf" + body,
    lambda body: body.decode().encode("utf-16"),
    lambda body: body.replace(b'"', b"'"),
    lambda body: b"[" * 50_000 + body,
    lambda body: body.replace(b"{", b'{"a": NaN, "a": -Infinity,', 1),
    lambda body: body.replace(b":", b": \xff", 1),
    lambda body: b'{"x": 1' + b"0" * 5_000 + b"}",
    lambda body: b'{"x": "\\ud83d"}',
    lambda body: b"null",
    lambda body: b"",
    lambda body: body[:-1] + b"," + body[1:],
    lambda body: b" " * 100_000 + body,
)
"""What happens to the bytes of a body."""

_TYPES: Final[tuple[dict[str, str], ...]] = (
    *({}, {"Content-Type": "text/plain"}, {"Content-Type": "multipart/form-data"}, {"Content-Type": "a" * 5_000}),
    *({"Content-Type": "multipart/form-data; boundary=" + "x" * 300}, {"Content-Encoding": "gzip"}),
    *({"Content-Type": "application/json; charset=utf-7"}, {"Expect": "100-continue"}),
    {"Content-Type": "application/x-www-form-urlencoded"},
)

_PARAMETERS: Final = """
    page page_size limit offset cursor after sort order filter search format status name container label group id
    filter[status] filter[created_at][gte] filter[name] search[name] filter[item.a] filter[score.x][gt] sort[0] filter[]
""".split()  # noqa: SIM905 - one a line would be long
_GIVEN: Final = (
    *(
        "-1",
        "0",
        "1e9",
        "NaN",
        "99999999999999999999",
        "",
        "%00",
        "%ff",
        "%F0%9F%98%80",
        "a" * 3_000,
        "," * 500,
        "null",
    ),
    *(
        "created'--",
        "-" * 90,
        "-created_at,-created_at",
        "true",
        "[]",
        "{}",
        "{%22a%22:1}",
        "..%2f..%2fetc",
        "%0d%0aX:1",
    ),
    *("2020-01-01", "9999-12-31T23:59:60Z", "0001-01-01T00:00:00%2B23:59", "eyJhIjoxfQ", "%" * 9, "(a%2B)%2B$", "*"),
)


@dataclass
class Sender:
    """Sends requests to a service, and tells what each achieved."""

    http: httpx.Client
    sent: int = field(default=0)

    def send(self, name: str, method: str, path: str, **how: Any) -> Try:
        """Send a request; it succeeds if it ends in an error of ours, or takes long, or is answered at length."""
        begun = time.monotonic()
        try:
            answer = self.http.request(method, path, **how)
        except httpx.TransportError as error:
            return Try(name, f"the connection ended: {error!r}")
        seconds = time.monotonic() - begun
        allowed = {UNSUPPORTED} | ({504} if path == LIVE and seconds > PATIENCE_S else set())
        if answer.status_code >= 500 and answer.status_code not in allowed:
            return Try(name, f"it was answered {answer.status_code}: {answer.text[:200]}")
        if seconds > LONGEST_S and path != LIVE:
            return Try(name, f"it took {seconds:.1f} s")
        if answer.is_client_error and len(answer.content) > MOST_BYTES:
            return Try(name, f"the refusal has {len(answer.content):,} bytes")
        return Try(name)


def attack(site: Site) -> Iterator[Try]:
    """Send bodies to each route that takes one, and queries to each that lists."""
    sender, chance = Sender(site.http), random.Random(SEED)
    site.endpoint.script = lambda _: text("ok")
    seeds = [each for each in requests(Keys(), _given(site)) if each.body is not None]
    made = site.http.post(JOBS, json={"spec": _done().model_dump(mode="json", exclude_none=True)}).raise_for_status()
    sent = [_wrong(chance, seeds[number % len(seeds)], number) for number in range(BODIES)]
    sent += [_query(path.format(made.json()["id"]), name) for path in (*LISTS, *OF_A_JOB) for name in _queries(chance)]
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        yield from threads.map(lambda each: sender.send(**each), site.some(sent))
    if site.most is None or site.most >= len(sent) // 2:  # the short form is cheap
        yield from (sender.send(**each) for each in dense.requests())


def _wrong(chance: random.Random, seed: Keyed, number: int) -> dict[str, Any]:
    """Return a request with a body that is wrong in some way."""
    how: dict[str, Any] = {"name": f"{seed.method} {seed.path} #{number}", "method": seed.method, "path": seed.path}
    body = copy.deepcopy(seed.body)
    for _ in range(chance.choice((1, 1, 2))):
        _replace(chance, body)
    content = json.dumps(body).encode()
    if chance.random() < 0.25:
        content = chance.choice(_SPOILED)(content)
    headers = chance.choice(_TYPES) if chance.random() < 0.1 else JSON
    return {**how, "content": content, "headers": headers}


def _replace(chance: random.Random, body: Any) -> None:
    """Put something else in the place of a value that is anywhere in a body, or beside it."""
    places: list[tuple[Any, Any]] = []
    pending = [body]
    while pending:
        part = pending.pop()
        keys: list[Any] = list(part) if isinstance(part, dict) else list(range(len(part)))
        places += [(part, key) for key in keys]
        pending += [part[key] for key in keys if isinstance(part[key], dict | list)]
    part, key = chance.choice(places)
    if isinstance(part, dict) and chance.random() < 0.1:
        del part[key]
    else:
        part[key] = json.loads(json.dumps(chance.choice(VALUES)))  # a copy, however deep


def _queries(chance: random.Random) -> Iterator[str]:
    """Yield queries for a path."""
    for _ in range(24):
        pairs = [(chance.choice(_PARAMETERS), chance.choice(_GIVEN)) for _ in range(chance.choice((1, 1, 2, 5)))]
        yield "&".join(f"{name}={value}" for name, value in pairs)


def _query(path: str, query: str) -> dict[str, Any]:
    url = f"{path}{'&' if '?' in path else '?'}{query}"
    return {"name": url[:200], "method": "GET", "path": url}


def _done() -> Any:
    return spec(recorded("answer"), rows(3), CORRECT)


def _given(site: Site) -> Given:
    """Upload what the requests are about."""
    content = b'{"question": "say 1", "answer": "1", "response": "1"}\n'
    questions = json.dumps([{"question_num": 1, "question": "q", "answer": "a"}]).encode()
    form = {"purpose": "eval", "file_type": "jsonl"}
    file = site.http.post("/v1/files", files={"file": ("rows.jsonl", content)}, data=form).raise_for_status().json()
    upload = {"file": ("q.json", questions)}
    made = site.http.post("/api/v3/benchmark/upload", files=upload, data={"name": "attacked"}).raise_for_status()
    return Given(site.endpoint.url, f"file:{file['id']}", file["id"], made.json()["benchmark_id"])
