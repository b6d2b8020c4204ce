"""The connections of the hub library: to addresses that may be reached, with answers that may be believed.

A hub's answers are a stranger's words. The library takes paths from some of their headers, follows redirects, and
would wait and read for ever; here is what it is held to.
"""

import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

import httpcore2
import httpx2
from huggingface_hub import set_client_factory

from tasks.endpoint.guard import AddressRefused, Policy

TIMEOUT_S: Final = 30.0
"""For a connection, and between two parts of an answer."""

PATH_HEADERS: Final = ("ETag", "X-Linked-Etag", "X-Repo-Commit")
"""The headers that the library makes names of files of."""

XET_HEADERS: Final = ("X-Xet-Hash", "X-Xet-Refresh-Route")
"""The headers by which a hub has the library fetch a file by another client, which keeps to none of this."""

DIGEST: Final = re.compile(r'(W/)?"?[0-9a-fA-F]{32,128}"?')


@dataclass(frozen=True)
class Reach:
    """What the requests of a fetch may do: whom they reach whatever its address, and how much an answer may hold."""

    listed: Policy | None = None
    most_bytes: int = 0

    def check(self, host: str, port: int, address: str) -> None:
        """Raise AddressRefused for an address that is neither that of a listed hub nor public."""
        if not any(policy.allows(host, port, address) for policy in (Policy(), self.listed) if policy):
            raise AddressRefused(f"{host} is at an address that no hub may lead to")


NOTHING: Final = Reach()

_reach: ContextVar[Reach] = ContextVar("reach", default=NOTHING)


@contextmanager
def reaching(reach: Reach) -> Iterator[None]:
    """Hold the library's requests in this context to `reach`; without, nothing is answered."""
    token = _reach.set(reach)
    try:
        yield
    finally:
        _reach.reset(token)


class _CheckedConnections(httpcore2.SyncBackend):
    """Connects to the very address that was checked."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host}: {error}") from error
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        for address in addresses:
            _reach.get().check(host, port, address)
        for last in addresses[:-1]:
            try:
                return super().connect_tcp(last, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError:
                continue  # the next address of the same host
        return super().connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


class _Counted(httpx2.SyncByteStream):
    """An answer's bytes, up to a bound."""

    def __init__(self, stream: httpx2.SyncByteStream, most: int) -> None:
        self._stream, self._most = stream, most

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        for chunk in self._stream:
            read += len(chunk)
            if read > self._most:
                raise httpx2.ReadError(f"an answer has more than {self._most:,} bytes")
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _Transport(httpx2.HTTPTransport):
    """Sends each request, redirected ones too, by checked connections, and takes from an answer what is not safe."""

    def __init__(self) -> None:
        super().__init__()
        # The one way to a backend of one's own; tests/tasks/datasets/test_hub.py fails if it leads nowhere.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_keepalive_connections=0,  # each request is checked where it connects
            network_backend=_CheckedConnections(),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = super().handle_request(request)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise httpx2.RemoteProtocolError("the answer is packed, and was asked for unpacked")
        for name in PATH_HEADERS:
            if not DIGEST.fullmatch(response.headers.get(name, "")):
                response.headers.pop(name, None)
        for name in XET_HEADERS:
            response.headers.pop(name, None)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Counted(response.stream, _reach.get().most_bytes)
        return response


def _client() -> httpx2.Client:
    # Without the environment's proxies: one would connect for us, to addresses that we do not see.
    return httpx2.Client(transport=_Transport(), follow_redirects=True, timeout=TIMEOUT_S, trust_env=False)


set_client_factory(_client)
