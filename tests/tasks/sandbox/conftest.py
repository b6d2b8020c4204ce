import os
import select
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from bench.processes import children
from tasks.sandbox.contract import Limits
from tasks.sandbox.pool import Pool

NARROW = Limits(seconds=0.2, memory=8_000_000, depth=100, printed=10_000, request=100_000, source_length=50_000)

FAKE = """
import socket, struct

channel = socket.socket(fileno=0)


def send(text):
    channel.sendall(struct.pack("!I", len(text)) + text.encode())


send({greeting!r})
while prefix := channel.recv(4, socket.MSG_WAITALL):
    channel.recv(*struct.unpack("!I", prefix), socket.MSG_WAITALL)
    send({reply!r})
"""
"""A process that says the same to every request."""


PATIENT = replace(NARROW, seconds=60.0)
"""The seconds are the clock's: so many pass in no evaluation that ends, however busy the machine is."""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with closing(Pool(PATIENT)) as pool:
        yield pool


@contextmanager
def hurried(pool: Pool) -> Iterator[None]:
    """Have what a pool is asked meanwhile end soon, if it does not by itself."""
    before, pool.limits = pool.limits, NARROW
    try:
        yield
    finally:
        pool.limits = before


def started_by(do: Callable[[], object]) -> list[int]:
    """Return the processes that were started meanwhile."""
    before = set(children(os.getpid()))
    do()
    return sorted(set(children(os.getpid())) - before)


def has_ended(watched: int, within_s: float = 10.0) -> bool:
    """Whether the process of a pidfd ends soon."""
    ended, _, _ = select.select([watched], [], [], within_s)
    os.close(watched)
    return bool(ended)
