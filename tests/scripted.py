"""A scripted OpenAI-style endpoint on a real socket, light enough not to be what is measured.

In a thread: `with ScriptedEndpoint() as endpoint`. In a process: `python -m tests.scripted --port 0
--latency 0.05`, which prints its URL, answers `GET /calls`, `GET /log` and `GET /v1/window`, and with `--log FILE`
appends a line for each call it has answered.
"""

import argparse
import asyncio
import gc
import hashlib
import importlib.util
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, Self, TextIO, TypedDict, cast

import orjson


class Received(TypedDict):
    """A request: `body` is its JSON, `time` Unix time, `in_flight` the calls then open, itself included.

    `ended` is when it was answered or given up; 0 until then.
    """

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes
    time: float
    in_flight: int
    ended: float


@dataclass(frozen=True)
class Answer:
    """What is sent back: after `delay_s` the first `cut` bytes, one every `gap_s` if that is set, then `end`."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    delay_s: float = 0.0
    gap_s: float = 0.0
    cut: int | None = None
    end: Literal["keep", "close", "reset", "hang"] = "keep"

    def wire(self) -> bytes:
        """Return the bytes to send."""
        if self.raw is not None:
            return self.raw[: self.cut]
        headers = {"content-type": "application/json", "content-length": str(len(self.body))} | self.headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n{lines}\r\n"
        return (head.encode("latin-1") + self.body)[: self.cut]


Script = Callable[[Received], Answer]


def text(content: str, *, finish_reason: str = "stop", path: str = "/v1/chat/completions", **how: Any) -> Answer:
    """Answer with a model's text, in the form of the route at `path`."""
    said = {"message": {"role": "assistant", "content": content}} if "chat" in path else {"text": content}
    usage = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}
    body = {"choices": [{"index": 0, **said, "finish_reason": finish_reason}], "usage": usage}
    return Answer(orjson.dumps(body), **how)


def failure(status: int, message: str = "scripted failure", headers: dict[str, str] | None = None) -> Answer:
    """Answer with an HTTP error in OpenAI's form."""
    return Answer(orjson.dumps({"error": {"message": message}}), status, headers or {})


def silence() -> Answer:
    """Send nothing, and keep the connection open."""
    return Answer(cut=0, end="hang")


def trickle(content: str, gap_s: float) -> Answer:
    """Send one byte every `gap_s`."""
    return text(content, gap_s=gap_s)


def last_content(body: dict[str, Any]) -> str:
    """Return the text of a request's last message, or its prompt."""
    messages = body.get("messages")
    return str(messages[-1]["content"] if messages else body.get("prompt", ""))


def by_default(request: Received) -> Answer:
    """Answer with the text after the last `ANSWER:` of the prompt, else with `ok`."""
    _, mark, answer = last_content(request["body"]).rpartition("ANSWER:")
    return text(answer.strip() if mark else "ok", path=request["path"])


ROUNDS = 5
"""Of the loop, as an endpoint ends: a connection that is accepted in one is made in a later one."""

_had: set[int] = set()
"""The ports of this process's endpoints: what is known of a model there outlives them."""


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there, for 0 on a port that no endpoint of this process has had."""
    listener = socket.create_server((host, port), backlog=4096)
    if port == 0 and listener.getsockname()[1] in _had:
        with listener:  # while it is held, another is given
            return _listen(host, port)
    _had.add(listener.getsockname()[1])
    return listener


class ScriptedEndpoint:
    """The endpoint: `script` decides on each call's answer, `calls` holds what came."""

    def __init__(
        self,
        script: Script = by_default,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        latency_s: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = script
        self.calls: list[Received] = []
        self.log: TextIO | None = None
        self.latency_s = latency_s
        self.open: set[_Connection] = set()
        self.in_flight = 0
        self.last_reply = 0.0
        self._tls = tls
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://{host}:{self.port}/v1"

    def __enter__(self) -> Self:
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=run, args=(self._until_stopped(started),), daemon=True)
        self._thread.start()
        self._loop, self._stopping = started.result()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    @property
    def peak(self) -> int:
        """The most calls that were open at once."""
        return max((call["in_flight"] for call in self.calls), default=0)

    async def serve(self, stopping: asyncio.Event) -> None:
        """Answer until `stopping` is set."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), sock=self._listener, ssl=self._tls)
        await stopping.wait()
        server.close()
        for _ in range(ROUNDS):
            for connection in list(self.open):
                connection.transport.abort()
            await asyncio.sleep(0)

    async def _until_stopped(self, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        stopping = asyncio.Event()
        started.set_result((asyncio.get_running_loop(), stopping))
        await self.serve(stopping)

    def answered(self, call: Received) -> None:
        """Take note of a call whose answer was sent whole."""
        self.last_reply = time.time()
        if self.log:
            line = {"sha256": hashlib.sha256(call["raw"]).hexdigest(), "content": last_content(call["body"])}
            self.log.write(orjson.dumps(line).decode() + "\n")
            self.log.flush()

    def seen(self) -> Iterator[bytes]:
        """Yield a JSON line for each call that came."""
        for call in self.calls:
            sha = hashlib.sha256(call["raw"]).hexdigest()
            yield orjson.dumps(
                {"time": call["time"], "path": call["path"], "sha256": sha, "in_flight": call["in_flight"]}
            )

    def window(self) -> bytes:
        """Return as JSON the calls since the last window and the seconds from the first to the last reply."""
        calls, self.calls = self.calls, []
        return orjson.dumps({"calls": len(calls), "seconds": self.last_reply - calls[0]["time"] if calls else 0.0})


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, endpoint: ScriptedEndpoint) -> None:
        self._endpoint = endpoint
        self._buffer = b""
        self._answering = False
        self._call: Received | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._endpoint.open.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._endpoint.open.discard(self)
        self._answer(False)
        if self._call and not self._call["ended"]:
            self._call["ended"] = time.time()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        start, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, path, _ = start.split(" ")
        if method == "GET":
            self._report(path)
        else:
            self._receive(path, headers, rest[:length])

    def _answer(self, answering: bool) -> None:
        self._endpoint.in_flight += answering - self._answering
        self._answering = answering

    def _report(self, path: str) -> None:
        match path:
            case "/calls":
                body = str(len(self._endpoint.calls)).encode()
            case "/v1/window":
                body = self._endpoint.window()
            case _:
                body = b"\n".join([*self._endpoint.seen(), b""])
        self.transport.write(Answer(body, headers={"content-type": "text/plain"}).wire())

    def _receive(self, path: str, headers: dict[str, str], raw: bytes) -> None:
        self._answer(True)
        body, in_flight = orjson.loads(raw), self._endpoint.in_flight
        call = Received(
            path=path, headers=headers, body=body, raw=raw, time=time.time(), in_flight=in_flight, ended=0.0
        )
        self._call = call
        self._endpoint.calls.append(call)
        answer = self._endpoint.script(call)
        delay_s = answer.delay_s or self._endpoint.latency_s
        asyncio.get_running_loop().call_later(delay_s, self._send, call, answer)

    def _send(self, call: Received, answer: Answer) -> None:
        if self.transport.is_closing():
            return
        if answer.gap_s:
            self._drip(call, answer, iter(answer.wire()))
        else:
            self.transport.write(answer.wire())
            self._end(call, answer)

    def _drip(self, call: Received, answer: Answer, rest: Iterator[int]) -> None:
        byte = next(rest, None)
        if self.transport.is_closing() or byte is None:
            self._end(call, answer)
            return
        self.transport.write(bytes([byte]))
        asyncio.get_running_loop().call_later(answer.gap_s, self._drip, call, answer, rest)

    def _end(self, call: Received, answer: Answer) -> None:
        self._answer(answer.end == "hang")
        if answer.end != "hang":
            call["ended"] = call["ended"] or time.time()
        if answer.cut is None and not self.transport.is_closing():
            self._endpoint.answered(call)
        if answer.end == "close":
            self.transport.close()
        elif answer.end == "reset":
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self.transport.abort()


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on a loop of its own, the faster one if it is installed."""
    faster = importlib.util.find_spec("uvloop")
    factory = importlib.import_module("uvloop").new_event_loop if faster else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(coroutine)


def main() -> None:
    """Serve in this process until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.scripted")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--log", type=Path, help="file to which each answered call is appended")
    options = parser.parse_args()
    gc.disable()  # what came is kept; looking through it again and again would slow the answers
    endpoint = ScriptedEndpoint(host=options.host, port=options.port, latency_s=options.latency)
    if options.log:
        endpoint.log = options.log.open("a")
    sys.stdout.write(endpoint.url + "\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        run(endpoint.serve(asyncio.Event()))


if __name__ == "__main__":
    main()
