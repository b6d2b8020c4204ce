"""The process of requests with large bodies: `python -m api.aside`, on a socket that is its standard input.

It answers as the API's own process would, whose `Aside` it talks with, and ends with it.
"""

import asyncio
import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message

from api.app import create_app
from api.http import aside
from api.http.body import again
from api.http.state import State
from store.workspace import Workspace

log = logging.getLogger("assay.api")


async def main() -> None:
    """Answer requests until nobody hears."""
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=0))
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    def wake() -> None:
        asyncio.run_coroutine_threadsafe(aside.send(writer, (0, None)), loop)

    _, settings = await aside.receive(reader)
    app = create_app(State.over(Workspace.open(settings), wake=wake, ready=lambda: True), apart=True)
    while True:
        try:
            number, (scope, body) = await aside.receive(reader)
        except asyncio.IncompleteReadError:
            return

        async def reply(number: int = number, scope: Any = scope, body: bytes = body) -> None:
            await aside.send(writer, (number, await answered(app, scope, body)))

        task = asyncio.create_task(reply())
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def answered(app: ASGIApp, scope: MutableMapping[str, Any], body: bytes) -> list[Message]:
    """Return what an application sends for a request."""
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    async def nothing_more() -> Message:
        await asyncio.Event().wait()
        raise AssertionError  # nobody sets it

    try:
        await app(scope, again(body, nothing_more), keep)
    except Exception:  # the application has answered, and raises it for the log
        log.exception("%s %s failed", scope["method"], scope["path"])
    return sent


if __name__ == "__main__":
    os.nice(5)  # a small request is not to wait for large ones
    asyncio.run(main())
