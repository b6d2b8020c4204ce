"""A hub that lies: its headers and answers would become paths, or lead into this machine."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from bench.attacks.jobs import Asked, Ended, attempts, native
from bench.attacks.site import OPERATOR_TOKEN, Site, Try
from core.metric import StringCheck
from core.spec import EvaluationSpec, FilesDataset, TaskSpec
from tests.tasks.datasets.hub import BAD_NAMES, DIGESTS, ROWS, Answer
from tests.tasks.specs import recorded

Twist = Callable[[str, Answer], Answer]

FILE: Final = "hf://datasets/org/ds/d.jsonl"
FOLDER: Final = "hf://datasets/org/ds"

_HEADERS: Final = ("ETag", "X-Linked-Etag", "X-Repo-Commit", "X-Xet-Hash")
_PATHS: Final[tuple[Any, ...]] = (
    *("../../../out.jsonl", "/tmp/out.jsonl", "z/../../../../x.jsonl", "..\\x.jsonl", "", ".", "z//d.jsonl", None, 4),
    *("a\x00b.jsonl", "~/x.jsonl", "$HOME/x.jsonl", "a" * 5_000 + ".jsonl", "\ud800.jsonl", ["d.jsonl"], {"a": 1}),
)
_COMMITS: Final[tuple[Any, ...]] = ("../../../out", "main", None, 3, ["a"], "A" * 40, "a" * 41, "a" * 39 + "/")
_NOT_LISTED: Final = (
    *("http://127.0.0.1:PORT", "http://localhost:PORT", "http://[::1]:PORT", "file:///etc", "//127.0.0.1:PORT", "x"),
    *("HUB@127.0.0.1:PORT", "HUB#@127.0.0.1:PORT", "HUB/../x", "HUB?x", "http://u:p@127.0.0.1:PORT", "HUB\\@x"),
)


def attack(site: Site) -> Iterator[Try]:
    """Have a dataset fetched from the listed hub for each lie, and from hubs that are not listed."""
    before = _outside(site)
    for name, url, twist in site.some(list(_twists(site))):
        site.hub.twist = twist
        yield from attempts(site, [_asked(name, url, site.hub.url, lambda ended: _achieved(ended, before))])
    site.hub.twist = lambda _, answer: answer
    named = [each.replace("HUB", site.hub.url).replace("PORT", str(site.canary.port)) for each in _NOT_LISTED]
    asked = [_asked(f"hub {hub!r}", FILE, hub, lambda ended: _achieved(ended, before)) for hub in named]
    yield from attempts(site, site.some(asked), at_a_time=1)


def _twists(site: Site) -> Iterator[tuple[str, str, Twist]]:
    for header in _HEADERS:
        for value in BAD_NAMES:
            yield f"{header}: {value}", FILE, _with_headers({header: f'"{value}"'})
    for path in _PATHS:
        entry = {"type": "file", "path": path, "oid": "b" * 40, "size": 1}
        yield f"a file called {path!r}"[:100], FOLDER, _instead("/tree/", json.dumps([entry]).encode())
    for commit in _COMMITS:
        yield f"commit {commit!r}", FOLDER, _instead("/revision/", json.dumps({"id": "org/ds", "sha": commit}).encode())
    inner = f"127.0.0.1:{site.canary.port}"
    for status in (301, 302, 303, 307, 308):
        for host in (inner, inner.replace("127.0.0.1", "localhost"), inner.replace("127.0.0.1", "0x7f.1")):
            yield f"{status} to {host}", FILE, _leading(status, f"http://{host}/org/ds/d.jsonl")
    link = {"Link": f'<http://{inner}/api/datasets/org/ds/tree/x>; rel="next"'}
    yield "a next page in this machine", FOLDER, _with_headers(link)
    yield "a packed body", FILE, lambda _, answer: (200, {**answer[1], "Content-Encoding": "gzip"}, gzip.compress(ROWS))
    yield "a listing of other things", FOLDER, _instead("/tree/", b"[1, null, [], {}]")
    yield "a listing that is no JSON", FOLDER, _instead("/tree/", b"<html>")
    yield "a listing nested deeply", FOLDER, _instead("/tree/", b"[" * 100_000)
    many = [{"type": "file", "path": f"{n}.jsonl", "oid": "b" * 40, "size": 1} for n in range(50_000)]
    yield "a listing of 50,000 files", FOLDER, _instead("/tree/", json.dumps(many).encode())
    yield "a wrong length", FILE, _with_headers({"Content-Length": "5"})
    yield "a negative length", FILE, _with_headers({"Content-Length": "-5"})
    yield "a cookie and a token back", FILE, _with_headers({"Set-Cookie": "a=b", "WWW-Authenticate": "Bearer"})


def _with_headers(headers: dict[str, str]) -> Twist:
    return lambda _, answer: (200, {**DIGESTS, **answer[1], **headers}, answer[2])


def _instead(where: str, body: bytes) -> Twist:
    return lambda path, answer: (200, answer[1], body) if where in path else answer


def _leading(status: int, to: str) -> Twist:
    return lambda _, answer: (status, {**answer[1], "Location": to}, b"")


def _asked(name: str, url: str, hub: str, succeeded: Callable[[Ended], str | None]) -> Asked:
    check = StringCheck(name="same", left="{{ item.n }}", operator="equals", right="1")
    task = TaskSpec(name="qa", dataset=FilesDataset(url=url, hub=hub), metrics=(check,))
    return native(name, EvaluationSpec(targets=recorded("n"), tasks=(task,)), succeeded)


def _achieved(ended: Ended, before: set[Path]) -> str | None:
    """Return what is where no file may come to be, who was called, and which hub was shown the operator's token."""
    site = ended.site
    visits, site.canary.visits = site.canary.visits, []
    shown = [path for path, authorization in site.hub.asked if OPERATOR_TOKEN in (authorization or "")]
    site.hub.asked.clear()
    if visits:
        return f"it called what may not be called: {visits[0][:100]!r}"
    if shown:
        return f"the operator's token was sent for {shown[0]}"
    return f"it made {sorted(made)[0]}" if (made := _outside(site) - before) else None


def _outside(site: Site) -> set[Path]:
    """Return the files around the home, and those in it that are no data of the service's."""
    own = {"hub", "results", "prefect", "logs", "files", "run", "parts", "uploads"}
    around = {path for path in site.home.parent.parent.rglob("*") if not path.is_relative_to(site.home)}
    within = {path for path in site.home.iterdir() if path.name not in own and not path.name.startswith("assay.db")}
    return around | within | set(Path("/tmp").glob("*out.jsonl")) | set(Path("/tmp").glob("assay-out*"))
