"""Where the service is: what a running one notes in its home, and where commands look for it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from core.errors import Misconfigured
from core.setting_origin import origin
from core.settings import Settings, read_settings
from store.files.atomic import publish

NOTE: Final = "serve.url"
CONNECT_S: Final = 2.0


REMEDY: Final = "start one with `assay serve`, or set ASSAY_URL to where one is"


class Unreachable(Exception):
    """There is no service where one was looked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """A URL at which the service may be, and what says so."""

    url: str
    said_by: str

    @property
    def listens(self) -> bool:
        """Whether anything takes a connection there."""
        parts = urlsplit(self.url)
        try:
            socket.create_connection((parts.hostname or "", parts.port or 80), CONNECT_S).close()
        except OSError:
            return False
        return True


@contextmanager
def noted(home: Path, url: str) -> Iterator[None]:
    """Have the commands find the service at `url` by its home, until the context ends."""
    note = home / NOTE
    publish(note, lambda file: file.write_text(f"{url}\n"))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def results_of_home(settings: Settings) -> Path:
    """Return the folder of the results in the home. Raises Misconfigured if there is no home.

    Where ASSAY_STORE has the results none need be there.
    """
    if settings.store is None and not settings.home.is_dir():
        said_by = origin(["home"]) or "the default of ASSAY_HOME"
        remedy = "set ASSAY_HOME to the data folder of a service, or stand in the folder in which `assay serve` runs"
        raise Misconfigured(f"{settings.home} ({said_by}) is not there: {remedy}")
    return settings.home / "results"


def find_service() -> str:
    """Return where the service is: as ASSAY_URL says, else where one listens as settings or the note in the home say.

    Raises Unreachable, which says where was looked, and Misconfigured for settings that cannot be read; with ASSAY_URL
    they are not.
    """
    if url := os.environ.get("ASSAY_URL"):
        return url.rstrip("/")
    settings = read_settings()
    places = known_places(settings)
    found = next((place.url for place in places if place.listens), None)
    if found is None:
        looked = [f"{place.url} ({place.said_by})" for place in places]
        if not (note := settings.home / NOTE).exists():
            looked.append(f"{note} (which a running service writes)")
        raise Unreachable(f"no service is at {', nor at '.join(looked)}: {REMEDY}")
    return found


def known_places(settings: Settings) -> list[Place]:
    """Return where the service may be, the likeliest first: settings that were made say more than the defaults."""
    made = settings.model_fields_set & {"host", "port"}
    said_by = " and ".join(origin([name]) or name for name in sorted(made)) or "the default"
    of_settings = [Place(settings.listening_url, said_by)] if settings.port else []
    note = settings.home / NOTE
    try:
        noted_there = [Place(note.read_text(encoding="utf-8").strip(), f"as {note} says")]
    except OSError:
        noted_there = []
    return [*of_settings, *noted_there] if made else [*noted_there, *of_settings]
