"""How our servers listen: on sockets that are open already, and not for ever to who says nothing."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
import uvloop
from uvicorn.protocols.http.h11_impl import H11Protocol

STALL_S: Final = 30.0
LEAST_BYTES: Final = 1_000
"""How many bytes a client must send in `STALL_S` of a request that it has begun, or has yet to begin."""

LOOKS: Final = 3
"""In `STALL_S`."""

KEPT_S: Final = 65
"""How long a connection is kept for a next request: longer than clients do (httpx 5 s, aiohttp 15, nginx 60).

Where a server and its client give one up at the same time, a request meets a connection that is being closed.
"""


@dataclass
class Patience:
    """How long a client is waited for; times are monotonic."""

    stall_s: float
    since: float
    heard: int = 0

    def renew(self, now: float) -> None:
        """Begin to wait anew."""
        self.since, self.heard = now, 0

    def is_over(self, now: float) -> bool:
        """Tell whether the client has sent too little in its time, and else give it as much again once that is over."""
        if now - self.since < self.stall_s:
            return False
        if self.heard < LEAST_BYTES:
            return True
        self.renew(now)
        return False


class Attentive(H11Protocol):
    """Ends connections whose clients owe the rest of a request, or a first one, and send next to nothing.

    Between requests uvicorn's own timeout holds, and while an answer is made none does.
    """

    stall_s = STALL_S

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a first request."""
        super().connection_made(transport)
        self._begun = True
        self._patience = Patience(self.stall_s, self.loop.time())
        self._look_later()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if not self._owes():
            self._patience.renew(self.loop.time())
        cycle = self.cycle
        self._begun = self._begun or cycle is None or cycle.response_complete
        self._patience.heard += len(data)
        super().data_received(data)
        if self.cycle is not cycle:
            self._begun = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._next_look.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._next_look = self.loop.call_later(self.stall_s / LOOKS, self._look)

    def _look(self) -> None:
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # it is over, or a web socket now
        if not self._owes():
            self._patience.renew(self.loop.time())
        elif self._patience.is_over(self.loop.time()):
            self.transport.abort()
            return
        self._look_later()

    def _owes(self) -> bool:
        """Whether the client is to send, and we to hear."""
        if self.cycle is None or self.cycle.response_complete:
            return self._begun
        return self.cycle.more_body and not self.flow.read_paused


def serve(app: Any, listeners: Sequence[socket.socket] | None, **config: Any) -> None:
    """Serve an application until told to stop; without listeners where `config`, which is uvicorn's, says."""
    server = uvicorn.Server(
        uvicorn.Config(app, http=Attentive, log_level="warning", timeout_keep_alive=KEPT_S, **config)
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=list(listeners) if listeners else None))
