"""What goes wrong with one job's step: it is tried again after ever longer pauses, and given up in the end.

So no job's record, files or flow run keep the loop from the others.
"""

import errno
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx
from prefect.exceptions import PrefectHTTPStatusError

from core.errors import AssayError, StorageFailed
from core.job import Failure

FIRST_PAUSE_S: Final = 0.4
LONGEST_PAUSE_S: Final = 5.0
GIVEN_UP_AFTER_S: Final = 20.0
LEAST_TRIES: Final = 5
FORGOTTEN_AFTER_S: Final = 60.0

IN_THE_WAY: Final = frozenset({errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENOTEMPTY, errno.EEXIST})
"""What is wrong with one job's own folder; anything else that is not kept would be kept for no job."""

SHORT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.EROFS})
"""What any job would meet that the loop gets to now."""

logger = logging.getLogger("assay.control")


def is_outage(error: BaseException) -> bool:
    """Tell whether Prefect cannot be reached, or is too busy for anybody: SQLite has it write in turn."""
    if isinstance(error, PrefectHTTPStatusError):
        return error.response.status_code in (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS)
    return isinstance(error, httpx.TransportError)


def is_nobodys(error: Exception) -> bool:
    """Tell whether an error passes by itself, and is no job's own: no job fails for it."""
    match error:
        case PrefectHTTPStatusError():
            return is_outage(error) or error.response.is_server_error
        case StorageFailed():
            return not (isinstance(error.__cause__, OSError) and error.__cause__.errno in IN_THE_WAY)
        case OSError():
            return error.errno in SHORT
    return is_outage(error)


def failure_of(error: Exception) -> Failure:
    """Return what is said of a job that was given up for an error."""
    if isinstance(error, AssayError):
        return Failure(blame=error.blame, code=error.code, message=error.message)
    message = f"The service could not go on with this job: {type(error).__name__}: {error}"
    return Failure(blame="service", code=AssayError.code, message=message)


@dataclass
class Trouble:
    """Since when a step has failed, how often, and when it is tried again."""

    since: float
    next_at: float
    tries: int = 0


class Troubles:
    """The steps that have failed and have not succeeded since, each by its name and whose it is."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: dict[tuple[str, str], Trouble] = {}

    def is_due(self, step: str, whose: str = "") -> bool:
        """Whether a step may be tried now."""
        trouble = self._found.get((step, whose))
        return trouble is None or time.monotonic() >= trouble.next_at

    async def attempt(
        self,
        work: Callable[[], Awaitable[object]],
        step: str,
        whose: str = "",
        *,
        give_up: Callable[[Exception], Awaitable[object]] | None = None,
    ) -> None:
        """Take a step if it is due; if it has failed for long, by an error of its own, call `give_up` with that.

        Raises what it is about alone if Prefect cannot be reached: there is no use then in going on to the next.
        """
        if not self.is_due(step, whose):
            return
        try:
            await work()
            self._found.pop((step, whose), None)
        except Exception as error:  # whatever it is, the others' steps are not to stand still for it
            trouble = self._note(step, whose)
            if isinstance(error, httpx.TransportError):
                raise
            if is_nobodys(error):
                logger.info("%s, trying again: %s: %s", _name(step, whose), type(error).__name__, error)
                return
            logger.log(
                logging.ERROR if trouble.tries == 1 else logging.INFO,
                "%s failed, trying again: %s: %s",
                _name(step, whose),
                type(error).__name__,
                error,
                exc_info=trouble.tries == 1,
            )
            if give_up and trouble.tries >= LEAST_TRIES and time.monotonic() - trouble.since >= GIVEN_UP_AFTER_S:
                await self.attempt(partial(give_up, error), f"giving up {step}", whose)

    def count(self, step: str) -> int:
        """Return of how many a step has failed and not succeeded since."""
        return sum(name == step for name, _ in self._found)

    def _note(self, step: str, whose: str) -> Trouble:
        now = time.monotonic()
        # What nobody has tried for long since it was due is of those who are gone.
        self._found = {key: each for key, each in self._found.items() if now - each.next_at < FORGOTTEN_AFTER_S}
        trouble = self._found.setdefault((step, whose), Trouble(since=now, next_at=now))
        trouble.next_at = now + min(FIRST_PAUSE_S * 2**trouble.tries, LONGEST_PAUSE_S)
        trouble.tries = min(trouble.tries + 1, 1_000)
        return trouble


def _name(step: str, whose: str) -> str:
    return f"{step} of {whose}" if whose else step
