"""Two processes' parts in the bounds of a model, as two loops in one, over a ledger of theirs."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pytest

from core.errors import StorageFailed
from store.bounds.database import DatabaseLedger
from store.db.connect import connect
from store.db.migrations import migrate
from tasks.endpoint.limits import account, slots
from tasks.endpoint.limits.ledger import Bounds, Ledger
from tasks.endpoint.loop import IoLoop, JobLimit, Policy, Reply, Route, route_url
from tests.conftest import until
from tests.scripted import ScriptedEndpoint, by_default, failure, silence, text

T = TypeVar("T")
SHORT_S = 1.0
REQUEST = b'{"model":"m","messages":[{"role":"user","content":"ok"}],"max_tokens":50}'


@pytest.fixture
def loops() -> Iterator[list[IoLoop]]:
    loops = [IoLoop(Policy(private=True)) for _ in range(2)]
    yield loops
    for loop in loops:
        loop.close()


@pytest.fixture
def ledger(tmp_path: Path) -> DatabaseLedger:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    engine = connect(url)
    migrate(engine)
    return DatabaseLedger(url, engine)


def ask_all(loops: list[IoLoop], route: Route, number: int, limits: list[JobLimit] | None = None) -> list[Reply]:
    async def asked(loop: IoLoop, limit: JobLimit) -> list[Reply]:
        return await asyncio.gather(
            *(loop.ask(route, REQUEST, limit=limit, role="target", retries=0) for _ in range(number))
        )

    limits = limits or [JobLimit(32) for _ in loops]
    futures = [loop.submit(asked(loop, limit)) for loop, limit in zip(loops, limits, strict=True)]
    return [reply for future in futures for reply in future.result(timeout=60)]


def route_to(endpoint: ScriptedEndpoint, bounds: Bounds, ledger: Ledger | None, **how: Any) -> Route:
    return Route(route_url(endpoint.url, "chat/completions"), "m", bounds=bounds, ledger=ledger, **how)


def test_two_processes_have_no_more_calls_at_a_time_than_one_may(loops, ledger) -> None:
    with ScriptedEndpoint(latency_s=0.005) as endpoint:
        replies = ask_all(loops, route_to(endpoint, Bounds(concurrency=4), ledger), 60)
        assert {reply.outcome for reply in replies} == {"answered"}
        assert 2 <= endpoint.peak <= 4


def test_two_processes_at_one_job_have_no_more_calls_at_a_time_than_the_job_may(loops, ledger) -> None:
    with ScriptedEndpoint(latency_s=0.005) as endpoint:
        route = route_to(endpoint, Bounds(), None)
        limits = [JobLimit(4, ledger, "job-1") for _ in loops]
        replies = ask_all(loops, route, 60, limits)
        assert {reply.outcome for reply in replies} == {"answered"}
        assert 2 <= endpoint.peak <= 4
        assert [limit.free for limit in limits] == [4, 4]
        until("both to have given back", lambda: not ledger.change("job-1", lambda text, _: (text or "", text)))


def test_a_model_and_a_job_of_one_call_at_a_time_are_no_dead_end_for_two_processes(loops, ledger) -> None:
    with ScriptedEndpoint() as endpoint:
        limits = [JobLimit(1, ledger, "job-1") for _ in loops]
        replies = ask_all(loops, route_to(endpoint, Bounds(concurrency=1), ledger), 3, limits)
        assert {reply.outcome for reply in replies} == {"answered"}
        assert endpoint.peak == 1


@pytest.mark.thorough
@pytest.mark.parametrize("bounds", [Bounds(None, 400, None, 10.0), Bounds(None, None, 4_000, 10.0)])
def test_two_processes_begin_no_more_than_a_bound_of_a_minute(loops, ledger, bounds) -> None:
    with ScriptedEndpoint() as endpoint:
        began = time.time()
        replies = ask_all(loops, route_to(endpoint, bounds, ledger), 30)
        assert {reply.outcome for reply in replies} == {"answered"}
        # Of 60 calls, each of ten tokens, one is begun in 26 ms, and what is due in 0.25 s at once.
        assert max(call["time"] for call in endpoint.calls) - began > 1.0


def test_a_change_of_a_request_is_a_request_too(loops, ledger) -> None:
    bounds = Bounds(requests_per_minute=20, minute_s=10.0)  # one in half a second
    with ScriptedEndpoint() as endpoint:
        said = "Unsupported parameter: 'max_tokens' is not supported with this model."
        endpoint.script = lambda call: failure(400, said) if "max_tokens" in call["body"] else text("ok")
        began = time.time()
        first, second = ask_all(loops[:1], route_to(endpoint, bounds, ledger), 2)
        assert (first.outcome, second.outcome) == ("answered", "answered")
        arrived = [call["time"] for call in endpoint.calls]
        assert len(arrived) >= 3
        assert arrived[2] - began > 0.6


def shorten_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (account, slots):
        monkeypatch.setattr(module, "LEASE_S", SHORT_S)


def hold_all(url: str, endpoint: str) -> None:
    """Have all calls of a job that there may be, none of which is answered; in a process of its own."""
    shorten_leases(pytest.MonkeyPatch())
    limit = JobLimit(4, DatabaseLedger(url, connect(url)), "job-1")
    ask_all([IoLoop(Policy(private=True))], Route(route_url(endpoint, "chat/completions"), "m"), 4, [limit])


@pytest.mark.thorough
def test_what_a_process_had_that_was_killed_is_anothers_once_its_lease_ends(loops, ledger, monkeypatch) -> None:
    shorten_leases(monkeypatch)
    with ScriptedEndpoint(lambda _: silence()) as endpoint:
        killed = get_context("spawn").Process(target=hold_all, args=(ledger.url, endpoint.url))
        killed.start()
        until("it to have all calls", lambda: len(endpoint.calls) == 4)
        killed.kill()
        killed.join()
        endpoint.script = by_default
        kept = ledger.change("job-1", lambda text, _: (text, json.loads(text)))
        assert [each["held"] for each in kept["holders"].values()] == [4]
        replies = ask_all(loops[:1], route_to(endpoint, Bounds(), None), 8, [JobLimit(4, ledger, "job-1")])
        assert {reply.outcome for reply in replies} == {"answered"}
        until("nothing to be left of both", lambda: not ledger.change("job-1", lambda text, _: (text or "", text)))


class Failing:
    """A ledger that cannot be asked for a while."""

    def __init__(self, ledger: Ledger, times: int) -> None:
        self.ledger, self.times = ledger, times

    def change(self, key: str, step: Callable[[str | None, float], tuple[str, T]]) -> T:
        self.times -= 1
        if self.times >= 0:
            raise StorageFailed("the disk is gone")
        return self.ledger.change(key, step)


def test_no_call_begins_while_the_ledger_cannot_be_asked(loops, ledger, monkeypatch, caplog) -> None:
    monkeypatch.setattr("tasks.endpoint.limits.account.AGAIN_S", 0.01)
    with ScriptedEndpoint() as endpoint:
        failing = Failing(ledger, 3)
        (reply,) = ask_all(loops[:1], route_to(endpoint, Bounds(concurrency=1), failing), 1)
        assert (reply.outcome, failing.times < 0) == ("answered", True)
        assert [record.message for record in caplog.records] == [
            f"The bounds of m at {endpoint.url.removesuffix('/v1')} cannot be kept for now, and no call begins: "
            "the disk is gone"
        ]


def test_without_a_bound_there_is_no_account(loops) -> None:
    with ScriptedEndpoint() as endpoint:
        route = route_to(endpoint, Bounds(), None)
        ask_all(loops[:1], route, 3)
        assert loops[0].bearing(route).now is None


def test_what_an_endpoint_bears_shows_in_the_calls_that_it_gets(loops) -> None:
    with ScriptedEndpoint(latency_s=0.01) as endpoint:
        endpoint.script = lambda call: failure(429) if call["in_flight"] > 8 else text("ok")
        route = route_to(endpoint, Bounds(), None)
        ask_all(loops[:1], route, 200, [JobLimit(64)])
        bears = loops[0].bearing(route)
        assert bears.bears < 16
        assert bears.now == f"{route.place}: {int(bears.bears)} at a time, since it bore no more"
        assert max(call["in_flight"] for call in endpoint.calls[-60:]) <= 16
