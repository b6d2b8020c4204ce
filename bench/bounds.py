"""`make bounds-test`: two processes that ask for all they get, and what comes of a model's bounds at the socket.

One of them is killed on the way. It is tried with the bounds in SQLite, in Postgres and in Redis at once, of which the
latter two are started for it, or left out with the reason. Exits with 1 if more calls came than may. With `--write` its
section of RELIABILITY.md is written.
"""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import orjson
import redis

from bench.reliability import table, verdict, write_section
from bench.report import machine
from core.settings import Settings
from store.workspace import Workspace
from tasks.endpoint.limits.ledger import Bounds
from tasks.endpoint.loop import IoLoop, JobLimit, Policy, Route, route_url
from tests import postgres
from tests.scripted import Received, ScriptedEndpoint, text

HEADING: Final = "Bounds over processes: `make bounds-test`"
MINUTE_S: Final = 60.0
LATENCY_S: Final = 0.4
ANSWER_TOKENS: Final = 10
PARALLELISM: Final = 32
SETTLING_S: Final = 15.0
"""From the start, or from a death, until what is used counts: the lease of who died must end."""

BOUNDS: Final[Mapping[str, Bounds]] = {
    "calls": Bounds(concurrency=7),
    "requests": Bounds(requests_per_minute=1_000),
    "tokens": Bounds(tokens_per_minute=10_000),
}


@dataclass
class Used:
    """What came of one bound in one ledger."""

    ledger: str
    kind: str
    bound: float
    most: float
    share: float


@dataclass
class Found:
    """What came of all of them, and how long a ledger took to answer."""

    used: list[Used] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    millis: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def main() -> None:
    """Try it, print what came of it, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench.bounds", description=__doc__)
    parser.add_argument("--seconds", type=float, default=200.0)
    parser.add_argument("--write", type=Path, metavar="FILE", help="RELIABILITY.md, or another such file")
    parser.add_argument("--child", nargs=3, metavar=("LEDGER", "SETTINGS", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        saturate(*options.child)
        return
    found = try_bounds(options.seconds)
    said = report(found, options.seconds)
    print(said)
    if options.write:
        write_section(options.write, HEADING, said)
    sys.exit(bool(found.failures))


def try_bounds(seconds: float) -> Found:
    """Have two processes for each ledger ask for all they get, and kill one of them half way."""
    found = Found()
    endpoint = ScriptedEndpoint(lambda _: text("ok"), latency_s=LATENCY_S)
    with ExitStack() as stack:
        stack.enter_context(endpoint)
        ledgers = dict(_ledgers(stack, found))
        for name, settings in ledgers.items():
            found.millis[name] = _millis(settings)
        children = [_child(name, settings, endpoint.url) for name, settings in ledgers.items() for _ in range(2)]
        began = time.time()
        time.sleep(seconds / 2)
        for child in children[::2]:
            child.send_signal(signal.SIGKILL)
        killed = time.time()
        time.sleep(seconds / 2)
        ended = time.time()
        for child in children:
            child.kill()
            child.wait()
    counted = [(began + SETTLING_S, killed), (killed + SETTLING_S, ended)]
    for name in ledgers:
        for kind in BOUNDS:
            calls = [call for call in endpoint.calls if call["body"]["model"] == f"{name} {kind}"]
            found.used.append(_used(name, kind, calls, counted))
    found.failures += [
        f"{each.ledger}, {each.kind}: {each.most:g} where {each.bound:g} may be"
        for each in found.used
        if each.most > each.bound
    ]
    return found


def _used(name: str, kind: str, calls: Sequence[Received], counted: Sequence[tuple[float, float]]) -> Used:
    """Count what came to the socket: the most at once, or in any minute, and how much of the bound on the whole."""
    bounds = BOUNDS[kind]
    seconds = sum(end - start for start, end in counted)
    within = [call["time"] for call in calls if any(start <= call["time"] < end for start, end in counted)]
    if bounds.concurrency:
        # One that was in flight when its process was killed has come to its end here all the same.
        times = sorted([(call["time"], 1) for call in calls] + [(call["ended"] or time.time(), -1) for call in calls])
        at_once = most = 0
        for _, change in times:
            at_once += change
            most = max(most, at_once)
        return Used(name, kind, bounds.concurrency, most, len(within) * LATENCY_S / seconds / bounds.concurrency)
    weight = ANSWER_TOKENS if bounds.tokens_per_minute else 1
    bound = bounds.tokens_per_minute or bounds.requests_per_minute or 0
    minutes = most_in_a_minute(sorted(call["time"] for call in calls))
    return Used(name, kind, bound, minutes * weight, len(within) * weight / seconds * MINUTE_S / bound)


def most_in_a_minute(times: Sequence[float]) -> int:
    """Return how many of the moments, which are in order, are within a minute at most."""
    first = most = 0
    for last, moment in enumerate(times):
        while moment - times[first] >= MINUTE_S:
            first += 1
        most = max(most, last - first + 1)
    return most


def _ledgers(stack: ExitStack, found: Found) -> Iterator[tuple[str, Settings]]:
    yield "SQLite", _settings(stack)
    if any(Path("/usr/lib/postgresql").glob("*/bin")):
        schema = stack.enter_context(postgres.schema(stack.enter_context(postgres.server())))
        yield "Postgres", _settings(stack, database_url=schema)
    else:
        found.left_out.append("Postgres: Debian's package postgresql is not installed")
    if shutil.which("redis-server"):
        yield "Redis", _settings(stack, redis_url=stack.enter_context(redis_server()))
    else:
        found.left_out.append("Redis: Debian's package redis-server is not installed")


def _settings(stack: ExitStack, **where: str) -> Settings:
    home = stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-bounds-"))
    settings = Settings.model_validate({"home": home, **where})
    Workspace.open(settings, migrating=True).close()
    return settings


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis of its own on a free port, which keeps nothing, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory(prefix="assay-redis-") as folder:
        server = subprocess.Popen(["redis-server", *options, "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            client = redis.Redis(port=port)
            _until_it_answers(client)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


def _until_it_answers(client: redis.Redis) -> None:
    give_up = time.monotonic() + 30
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def _millis(settings: Settings) -> float:
    """Return the milliseconds that a change of a ledger takes, by the median of many."""
    workspace, took = Workspace.open(settings), []
    for _ in range(300):
        began = time.perf_counter()
        workspace.ledger.change("measured", lambda text, now: ("x" * 1000, None))
        took.append(time.perf_counter() - began)
    workspace.close()
    return 1000 * median(took)


def _child(name: str, settings: Settings, url: str) -> "subprocess.Popen[bytes]":
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    told = {"home": str(settings.home), "database_url": settings.database_url, "redis_url": redis_url}
    return subprocess.Popen([sys.executable, "-m", "bench.bounds", "--child", name, orjson.dumps(told), url])


def saturate(name: str, told: str, url: str) -> None:
    """Ask a model for each of the bounds for all that it may be asked, until this process is killed."""
    settings = Settings.model_validate(orjson.loads(told))
    ledger = Workspace.open(settings).ledger
    loop = IoLoop(Policy(private=True))

    async def ask(kind: str) -> None:
        limit = JobLimit(PARALLELISM)
        model = f"{name} {kind}"
        route = Route(route_url(url, "chat/completions"), model, bounds=BOUNDS[kind], ledger=ledger)
        request = orjson.dumps({"model": model, "messages": [{"role": "user", "content": "2+2?"}], "max_tokens": 16})

        async def one_after_another() -> None:
            while True:
                await loop.ask(route, request, limit=limit, role="target")

        await asyncio.gather(*(one_after_another() for _ in range(PARALLELISM)))

    with ThreadPoolExecutor(len(BOUNDS)) as pool:
        list(pool.map(lambda kind: loop.run(ask(kind)), BOUNDS))


def report(found: Found, seconds: float) -> str:
    """Return what was found as Markdown."""
    kinds = {"calls": "calls at a time", "requests": "requests a minute", "tokens": "tokens a minute"}
    rows = [
        (each.ledger, kinds[each.kind], f"{each.bound:,g}", f"{each.most:,g}", f"{each.share:.1%}")
        for each in found.used
    ]
    millis = ", ".join(f"{name} {took:.2f} ms" for name, took in found.millis.items())
    return f"""
Two processes for each ledger ask one model for each bound for all that they get, for {seconds:.0f} s; one of the two is
killed by kill -9 half way. Counted at the socket; *used* without the {SETTLING_S:.0f} s after the start and after the
death, since the calls of who died are its own for the 10 s of its lease. It may be more than all, since the pace is
a twentieth faster until a minute is full, and what is counted are no whole minutes.

{table(("bounds in", "bound", "of", "at most, in any minute", "used"), rows)}

{verdict(found.failures)}
{"".join(f"{chr(10)}Left out: {each}.{chr(10)}" for each in found.left_out)}
A change of a ledger takes: {millis}.

{machine()}, load average {os.getloadavg()[1]:.1f}
"""


if __name__ == "__main__":
    main()
