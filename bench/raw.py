"""The yardstick: nothing but aiohttp on uvloop and JSON. `python -m bench.raw URL N CONCURRENCY JUDGE`.

Prints the CPU seconds that the calls took.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import orjson
import uvloop

from bench.cases import Case, requests


async def run(url: str, case: Case) -> None:
    """Make the case's calls, `concurrency` at a time."""
    bodies = requests(case)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(min(case.concurrency, case.calls)):
            group.create_task(_ask(session, f"{url}/chat/completions", bodies))


async def _ask(session: aiohttp.ClientSession, url: str, bodies: Iterator[dict[str, Any]]) -> None:
    headers = {"content-type": "application/json"}
    for body in bodies:
        async with session.post(url, data=orjson.dumps(body), headers=headers) as response:
            answer = orjson.loads(await response.read())
            assert answer["choices"][0]["message"]["content"]


if __name__ == "__main__":
    url, n, concurrency, judge = sys.argv[1:]
    case = Case(int(n), judge == "True", concurrency=int(concurrency))
    before_s = time.process_time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(url, case))
    print(time.process_time() - before_s)
