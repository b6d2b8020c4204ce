"""The texts that processes change together, in Redis; the clock is Redis's."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

import redis

from core.errors import StorageFailed

T = TypeVar("T")

PREFIX: Final = "assay:bounds:"
KEPT_S: Final = 3600
"""What nobody has asked for so long bounds nothing any more."""

TIMEOUT_S: Final = 5.0

_READ: Final = "return {redis.call('GET', KEYS[1]) or '', redis.call('TIME')}"
_REPLACE: Final = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


@dataclass(frozen=True)
class RedisLedger:
    """The texts in the Redis at `url`; of those who change one at once, all but the first begin again."""

    url: str = field(repr=False)

    def change(self, key: str, step: Callable[[str | None, float], tuple[str, T]]) -> T:
        """Put what `step` makes of the text and the time in its place, and return what it says besides."""
        name = PREFIX + key
        read, replace = self._scripts
        try:
            while True:
                text, (seconds, microseconds) = read(keys=[name])
                new, said = step(text or None, int(seconds) + int(microseconds) / 1e6)
                if replace(keys=[name], args=[text, new, KEPT_S]):
                    return said
        except redis.RedisError as error:
            raise StorageFailed(f"Redis cannot be asked now: {error}") from error

    @cached_property
    def _scripts(self) -> tuple[Any, Any]:
        client = redis.Redis.from_url(
            self.url, decode_responses=True, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        return client.register_script(_READ), client.register_script(_REPLACE)
