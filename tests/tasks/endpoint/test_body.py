import asyncio
import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.endpoint.adjust import Asked
from tasks.endpoint.attempt import LARGE_BYTES, attempt
from tasks.endpoint.body import STEP_BYTES, Budget
from tasks.endpoint.connections import Connections
from tasks.endpoint.loop import IoLoop, JobLimit, Policy, Reply, Route
from tests.conftest import until
from tests.scripted import Answer, ScriptedEndpoint, text

PLAIN = text("ok").body


@pytest.fixture(scope="module")
def loop() -> Iterator[IoLoop]:
    loop = IoLoop(Policy(private=True))
    yield loop
    loop.close()


def ask(loop: IoLoop, endpoint: ScriptedEndpoint, body: bytes, packing: str, **how: Any) -> Reply:
    endpoint.script = lambda _: Answer(body, headers={"content-encoding": packing})
    route = Route(f"{endpoint.url}/chat/completions", "m", timeout_s=30.0, max_retries=0, **how)
    return loop.run(loop.ask(route, b"{}", limit=JobLimit(1), role="target"))


def bare(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("packing", "body"),
    [
        ("gzip", gzip.compress(PLAIN)),
        ("GZIP", gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:])),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", bare(PLAIN)),
        ("identity", PLAIN),
    ],
)
def test_an_answer_is_unpacked(loop: IoLoop, endpoint: ScriptedEndpoint, packing: str, body: bytes) -> None:
    assert ask(loop, endpoint, body, packing).body == PLAIN.decode()


@pytest.mark.parametrize("packing", ["gzip, gzip", "deflate, gzip", "br", "zstd"])
def test_what_is_packed_twice_or_otherwise_is_refused_before_it_is_unpacked(
    loop: IoLoop, endpoint: ScriptedEndpoint, packing: str
) -> None:
    reply = ask(loop, endpoint, gzip.compress(gzip.compress(PLAIN)), packing)
    assert (reply.outcome, reply.body) == ("error", None)
    assert packing in (reply.error or "")


@pytest.mark.parametrize("body", [gzip.compress(PLAIN)[:-9], gzip.compress(PLAIN)[:40] + b"x" * 40])
def test_what_breaks_off_or_is_broken_may_pass(loop: IoLoop, endpoint: ScriptedEndpoint, body: bytes) -> None:
    reply = ask(loop, endpoint, body, "gzip")
    assert (reply.outcome, reply.body) == ("transient", None)
    assert "packed" in (reply.error or "") or "unpacked" in (reply.error or "")


def test_a_setting_says_how_large_an_answer_may_be(loop: IoLoop, endpoint: ScriptedEndpoint) -> None:
    bomb = gzip.compress(b" " * 3_000_000)
    assert len(bomb) < STEP_BYTES
    reply = ask(loop, endpoint, bomb, "gzip", max_answer=2_000_000)
    assert reply.error == "The answer has more than 2,000,000 bytes, which is what ASSAY_MAX_ANSWER allows"
    assert ask(loop, endpoint, bomb[:1], "identity", max_answer=1).status == 200


def test_answers_together_hold_no_more_than_their_budget_and_the_first_of_the_held_goes_on() -> None:
    async def read_all() -> tuple[list[str], int]:
        budget, most, ended = Budget(limit=10), 0, list[str]()
        held: dict[str, int] = {}

        async def read(name: str, pieces: int) -> None:
            nonlocal most
            for _ in range(pieces):
                while not budget.take(name, 4):
                    await budget.wait()
                held[name] = held.get(name, 0) + 4
                most = max(most, sum(held.values()))
                await asyncio.sleep(0)
            budget.give_back(name)
            del held[name]
            ended.append(name)

        await asyncio.gather(*(read(name, 4) for name in "abc"))
        return ended, most

    ended, most = asyncio.run(asyncio.wait_for(read_all(), 10))
    assert ended == ["a", "b", "c"]
    assert most <= 10 + 16  # the first one's whole answer may come on top


def test_other_calls_go_on_while_a_large_answer_is_read(endpoint: ScriptedEndpoint) -> None:
    async def ask_and_watch(content: str) -> tuple[str | None, bool]:
        seen = set()
        endpoint.script = lambda _: text(content)
        route = Route(f"{endpoint.url}/chat/completions", "m", timeout_s=30.0, max_retries=0)
        async with Connections(Policy(private=True)) as connections:

            async def watch() -> None:
                while True:
                    seen.add(connections.reading.locked())
                    await asyncio.sleep(0)

            watching = asyncio.create_task(watch())
            made = await attempt(connections, route, Asked(b"{}"))
            watching.cancel()
        return made.reading.text, True in seen

    large = "a" * LARGE_BYTES
    assert asyncio.run(ask_and_watch(large)) == (text(large).body.decode(), True)
    assert asyncio.run(ask_and_watch("a")) == (text("a").body.decode(), False)


def test_a_large_answer_has_its_room_until_it_is_read(endpoint: ScriptedEndpoint) -> None:
    answer = text("a" * LARGE_BYTES)
    endpoint.script = lambda _: answer

    async def ask() -> int:
        route = Route(f"{endpoint.url}/chat/completions", "m", timeout_s=30.0, max_retries=0)
        async with Connections(Policy(private=True)) as connections:
            async with connections.reading:  # by another call
                asked = asyncio.create_task(attempt(connections, route, Asked(b"{}")))
                await asyncio.to_thread(
                    until, "all of it is there", lambda: connections.budget.held == len(answer.body)
                )
                await asyncio.wait([asked], timeout=0)
                held = connections.budget.held
            await asked
            assert connections.budget.held == 0
            return held

    assert asyncio.run(ask()) == len(answer.body)


def test_an_answer_that_is_refused_gives_its_room_back(endpoint: ScriptedEndpoint) -> None:
    async def ask(body: bytes, packing: str) -> tuple[str | None, int]:
        endpoint.script = lambda _: Answer(body, headers={"content-encoding": packing})
        route = Route(f"{endpoint.url}/chat/completions", "m", timeout_s=30.0, max_retries=0, max_answer=2_000)
        async with Connections(Policy(private=True)) as connections:
            made = await attempt(connections, route, Asked(b"{}"))
            return made.reading.error, connections.budget.held

    for body, packing in ((gzip.compress(b" " * 1_000)[:-9], "gzip"), (b" " * 3_000, "identity")):
        error, held = asyncio.run(ask(body, packing))
        assert error
        assert held == 0
