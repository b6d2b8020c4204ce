"""The connections to endpoints: kept, and opened only to addresses that the policy allows."""

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import httpx

from tasks.endpoint.body import Budget, read_body
from tasks.endpoint.guard import AddressRefused, Policy
from tasks.endpoint.route import Route

CONNECT_TIMEOUT_S: Final = 10.0
KEEPALIVE_S: Final = 4.0
"""Uvicorn closes an idle connection after 5 s; a request must not meet a connection being closed."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)


@dataclass(slots=True)
class Called:
    """Whom a call is for, as the socket factory must know, and what that made of it."""

    host: str
    port: int
    refused: AddressRefused | None = None


_called: ContextVar[Called] = ContextVar("called")


class Connections:
    """The connections of one event loop, a pool for each file of certificates that models have of their own."""

    def __init__(self, policy: Policy) -> None:
        """Begin with none; to be entered on the loop, which must not wait for the public certificates to be read."""
        self._policy = policy
        self._public = trusting(None)
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._sessions: dict[Path | None, aiohttp.ClientSession] = {}
        self.budget = Budget()
        self.reading = asyncio.Lock()
        """Held while a large answer is read."""

    async def __aenter__(self) -> "Connections":
        """Take up work."""
        await self._stack.__aenter__()
        await self._open(None, self._public)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._stack.aclose()

    async def exchange(self, route: Route, request: bytes, called: Called) -> tuple[aiohttp.ClientResponse, bytes]:
        """Send a request and receive the whole answer, with the keys masked; its room is held until it is `let_go`."""
        _called.set(called)
        session = self._sessions.get(route.ca_file) or await self._trusting(route.ca_file)
        asking = session.post(route.target, data=request, headers=route.headers, allow_redirects=False)
        response = None
        try:
            async with asking as response:
                return response, route.mask(await read_body(response, route.max_answer, self.budget))
        except BaseException:
            if response is not None:
                self.let_go(response)
            raise

    def let_go(self, response: aiohttp.ClientResponse) -> None:
        """Give back the room of an answer that was received, once nobody needs its bytes."""
        self.budget.give_back(response)

    async def _trusting(self, ca_file: Path | None) -> aiohttp.ClientSession:
        async with self._opening:
            if ca_file not in self._sessions:
                await self._open(ca_file, await asyncio.to_thread(trusting, ca_file))
        return self._sessions[ca_file]

    async def _open(self, ca_file: Path | None, context: ssl.SSLContext) -> None:
        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=context,
            keepalive_timeout=KEEPALIVE_S,
            ttl_dns_cache=60,
            socket_factory=self._open_socket,
        )
        session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, timeout=_TIMEOUT
        )
        self._sessions[ca_file] = await self._stack.enter_async_context(session)

    def _open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Open a socket for a connection, if the policy allows the address."""
        family, kind, protocol, _, address = info
        called = _called.get()
        try:
            self._policy.check(called.host, called.port, str(address[0]))
        except AddressRefused as refused:
            called.refused = refused
            raise
        return socket.socket(family, kind, protocol)


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Return what certificates are verified by: the public authorities, and those in a file beside them."""
    context = httpx.create_ssl_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context
