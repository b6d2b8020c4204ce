"""Prefect's server as `assay serve` runs it: `python -m flows.worker.server FD`.

It serves on a socket that listens already, and lets SQLite's writers wait for their turn.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from prefect.server.api.server import create_app
from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration


@asynccontextmanager
async def begin_in_turn(self: Any, session: Any, with_for_update: bool = False) -> AsyncIterator[Any]:
    """Begin a transaction of a session by taking the write lock.

    The mode is set for this one BEGIN only: a task or a second session that comes out of the transaction would
    otherwise take the lock for mere reading, and wait for the one that waits for it.
    """
    async with session.begin() as transaction:
        token = SQLITE_BEGIN_MODE.set("IMMEDIATE")
        try:
            await session.connection()
        finally:
            SQLITE_BEGIN_MODE.reset(token)
        yield transaction


def take_turns() -> None:
    """Begin every transaction of Prefect's on SQLite by taking the write lock.

    As Prefect has it, a transaction that reads first and then writes is refused at once if another
    has written in between, and its request fails with 503: fifteen flow runs took 20 s to create
    beside a worker that polls, and take half a second with turns. See docs/decisions/004.
    """
    AioSqliteConfiguration.begin_transaction = begin_in_turn  # type: ignore[method-assign]


def main() -> None:
    """Serve on the socket whose descriptor is the first argument."""
    take_turns()
    config = uvicorn.Config(create_app(final=True), log_level="warning", timeout_keep_alive=30)
    listener = socket.socket(fileno=int(sys.argv[1]))
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
