"""What is stored of a job and cannot be read: a page shows the rest, and says that."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from api.lists.damage import UNREADABLE

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass
class Damage:
    """What was found damaged, in words."""

    found: list[str] = field(default_factory=list)

    def spare(self, read: Callable[[], T], otherwise: T) -> T:
        """Return what is read; where that is damaged, something else in its place."""
        try:
            return read()
        except UNREADABLE as error:
            if error.message not in self.found:
                log.error("%s: %s", error.code, error.message)
                self.found.append(error.message)
            return otherwise
