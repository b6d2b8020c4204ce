"""Connections on which nothing happens are ended, and slow ones that go on are not."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from flows.serving import LEAST_BYTES, Attentive, Patience
from tests.conftest import until


class Hasty(Attentive):
    stall_s = 0.3


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with how many bytes came."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"%08d" % size})


@contextmanager
def serving(protocol: type[Attentive]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(echo, http=protocol, log_config=None, timeout_keep_alive=600)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def hasty() -> Iterator[int]:
    with serving(Hasty) as port:
        yield port


HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


def is_ended(connection: socket.socket) -> bool:
    """Send a byte more, and tell whether the other side is gone."""
    try:
        connection.sendall(b"x")
        connection.settimeout(0.02)
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nx-", HEAD, HEAD + b"x" * 500], ids=range(4))
def test_a_client_that_sends_a_byte_now_and_then_is_left(hasty: int, begun: bytes) -> None:
    with socket.create_connection(("127.0.0.1", hasty)) as connection:
        connection.sendall(begun)
        until("the connection is ended", lambda: is_ended(connection))


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nx-", HEAD], ids=range(3))
def test_a_client_that_sends_nothing_is_left(hasty: int, begun: bytes) -> None:
    with socket.create_connection(("127.0.0.1", hasty)) as connection:
        connection.sendall(begun)
        connection.settimeout(30)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""


def test_a_client_may_be_silent_between_requests(hasty: int) -> None:
    connection = until("a first request is in time", lambda: asked(hasty))
    with connection:
        time.sleep(3 * Hasty.stall_s)  # in which nothing is to happen
        connection.sendall(GET)
        assert answer(connection) == b"00000000"


def test_a_request_may_come_in_pieces() -> None:
    with serving(Attentive) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        for piece in (HEAD[:20], HEAD[20:], b"x" * 2_500, b"x" * 2_500):
            connection.sendall(piece)
        assert answer(connection) == b"00005000"


def asked(port: int) -> socket.socket | None:
    """Return a connection on which a request was answered; None if it was not in time."""
    connection = socket.create_connection(("127.0.0.1", port))
    try:
        connection.sendall(GET)
        answer(connection)
    except (OSError, AssertionError):
        connection.close()
        return None
    return connection


def answer(connection: socket.socket) -> bytes:
    """Return the body of the next answer."""
    read = b""
    while b"\r\n\r\n" not in read or len(read.partition(b"\r\n\r\n")[2]) < 8:
        part = connection.recv(1_000)
        assert part
        read += part
    return read.partition(b"\r\n\r\n")[2]


def test_who_sends_enough_is_waited_for_however_long_it_takes() -> None:
    patience = Patience(stall_s=30, since=0)
    for second in range(1, 3_600):
        patience.heard += LEAST_BYTES // 20
        assert not patience.is_over(second)


@pytest.mark.parametrize("rate", [0, 1, 10])
def test_who_sends_next_to_nothing_is_not(rate: int) -> None:
    patience = Patience(stall_s=30, since=0)
    for second in range(1, 30):
        patience.heard += rate
        assert not patience.is_over(second)
    patience.heard += rate
    assert patience.is_over(30)
    patience.renew(30)
    assert not patience.is_over(59)
