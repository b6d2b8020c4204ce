"""The body of an answer: read and unpacked in small steps, within what one answer and all together may take up."""

import asyncio
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Final

import aiohttp

STEP_BYTES: Final = 1 << 18
"""At most so much is unpacked at a time, however much a few packed bytes hold."""

IN_FLIGHT_BYTES: Final = 64_000_000
"""What all answers that are being read may hold together; the one that began first may always go on."""

_PACKINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})


class BodyRefused(Exception):
    """An answer is too large, or packed in a way that was not asked for."""


class BodyBroken(Exception):
    """A packed answer cannot be unpacked, or ends too early."""


class Budget:
    """The bytes that the answers in flight may hold; for use on one event loop."""

    def __init__(self, limit: int = IN_FLIGHT_BYTES) -> None:
        """Begin with nothing held."""
        self._limit = limit
        self._held: dict[object, int] = {}
        self._total = 0
        self._freed = asyncio.Event()

    @property
    def held(self) -> int:
        """What all answers hold now."""
        return self._total

    def take(self, answer: object, size: int) -> bool:
        """Give an answer room for so much more, if there is any or no answer is left that began earlier."""
        held = self._held.setdefault(answer, 0)
        if self._total + size > self._limit and next(iter(self._held)) is not answer:
            return False
        self._held[answer] = held + size
        self._total += size
        return True

    async def wait(self) -> None:
        """Wait until another answer gives back its room."""
        self._freed.clear()
        await self._freed.wait()

    def give_back(self, answer: object) -> None:
        """Free all that an answer holds."""
        self._total -= self._held.pop(answer, 0)
        self._freed.set()


async def read_body(response: aiohttp.ClientResponse, limit: int, budget: Budget) -> bytes:
    """Read a whole answer, whose room the caller gives back. Raises BodyRefused and BodyBroken."""
    size, pieces = 0, []
    async for piece in _unpacked(response):
        size += len(piece)
        if size > limit:
            raise BodyRefused(f"The answer has more than {limit:,} bytes, which is what ASSAY_MAX_ANSWER allows")
        while not budget.take(response, len(piece)):
            await budget.wait()
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _unpacked(response: aiohttp.ClientResponse) -> AsyncIterable[bytes]:
    """Return an answer's bytes; one that is not packed need not pay for an unpacker. Raises BodyRefused."""
    stream = response.content.iter_any()
    packing = response.headers["content-encoding"].strip().lower() if "content-encoding" in response.headers else ""
    if packing in ("", "identity"):
        return stream
    if packing not in _PACKINGS:
        raise BodyRefused(f"The answer is packed as {packing!r}: gzip or deflate, once, was asked for")
    return _unpack(stream)


async def _unpack(stream: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    unpacker = _Unpacker()
    async for chunk in stream:
        for piece in unpacker.pieces(chunk):
            yield piece
            await asyncio.sleep(0)
    unpacker.end()


class _Unpacker:
    """Unpacks gzip, also of several members, and deflate with its header or without it."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._started = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk holds, step by step."""
        while chunk:
            if self._decoder.eof:
                self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
            if piece := self._step(chunk):
                yield piece
            chunk = self._decoder.unconsumed_tail or self._decoder.unused_data

    def end(self) -> None:
        """Raise BodyBroken if there should have been more."""
        if self._started and not self._decoder.eof:
            raise BodyBroken("the packed answer ends too early")

    def _step(self, chunk: bytes) -> bytes:
        try:
            piece = self._decoder.decompress(chunk, STEP_BYTES)
        except zlib.error as error:
            if self._started:
                raise BodyBroken(f"the answer cannot be unpacked: {error}") from None
            self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)  # deflate as some servers have it, without a header
            try:
                piece = self._decoder.decompress(chunk, STEP_BYTES)
            except zlib.error:
                raise BodyBroken(f"the answer cannot be unpacked: {error}") from None
        self._started = True
        return piece
