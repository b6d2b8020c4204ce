"""A service, and what works with it on machines of their own: nothing but a database and an object store in common."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from bench.victims import Service, free_port
from store.objects.objects import Objects
from store.objects.place import place_of
from tests import objects

SECRET_KEY: Final = "the same for all"
AT_MOST: Final = {"ASSAY_MAX_JOBS": "2"}
"""So that one worker does not take all jobs."""


class Distant:
    """A worker on a home of its own, which is empty whenever it starts."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._settings = settings
        self._starts = 0
        self.start()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def start(self) -> None:
        """Start it on an empty disk."""
        self._starts += 1
        self._home = self._folder / f"distant-{self._starts}"
        self._home.mkdir()
        environment = os.environ | self._settings | {"ASSAY_HOME": str(self._home)}
        with (self._folder / "distant.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows"], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        """Kill it, and take its disk away."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()


class SecondApi:
    """Another API process on the same database, on a home of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = os.environ | settings | {"ASSAY_HOME": str(folder / "second"), "ASSAY_PORT": str(port)}
        with (folder / "second.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api"], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def close(self) -> None:
        """End it."""
        self._process.kill()


class Apart(NamedTuple):
    """A service with a worker of its own, and a distant one; their results, as a machine of its own reads them."""

    service: Service
    distant: Distant
    settings: dict[str, str]
    results: Path
    objects: Objects


def in_store(folder: Path) -> dict[str, str]:
    """Return the settings by which results lie in the object store of `tests.objects`, apart from those of others."""
    return {"ASSAY_STORE": f"{os.environ[objects.VARIABLE]}/{folder.name}", "ASSAY_SECRET_KEY": SECRET_KEY}


@contextmanager
def working_apart(folder: Path, database: str) -> Iterator[Apart]:
    """Run both on homes in a folder, over a database and an object store."""
    settings = {"ASSAY_DATABASE_URL": database, **in_store(folder), **AT_MOST}
    home, reader = folder / "service", folder / "reader"
    home.mkdir()
    service = Service(home, free_port(), settings)
    try:
        sign_in = (home / "prefect" / "sign-in").read_text().strip()
        settings |= {"PREFECT_API_URL": f"{service.said('Prefect')}/api", "PREFECT_API_AUTH_STRING": sign_in}
        distant = Distant(folder, settings)
        try:
            yield Apart(service, distant, settings, reader / "results", place_of(settings["ASSAY_STORE"], reader))
        finally:
            distant.stop()
    finally:
        service.stop()
