import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from nemo_microservices import NeMoMicroservices

from tests.scripted import ScriptedEndpoint


@dataclass(frozen=True)
class Served:
    """A running `assay serve`."""

    url: str
    home: Path
    process: "subprocess.Popen[str]"

    @property
    def client(self) -> NeMoMicroservices:
        return NeMoMicroservices(base_url=self.url, max_retries=0, _strict_response_validation=True)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    (home / "datasets").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "ASSAY_HOME": str(home),
        "ASSAY_PORT": str(port),
        "ASSAY_DATASETS": str(home / "datasets"),
    }
    command = [sys.executable, "-m", "cli", "serve"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ready"):
                break
        else:
            pytest.fail("".join(lines))
        yield Served(f"http://127.0.0.1:{port}", home, process)
        process.terminate()
        process.stdout.read()


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint() as scripted:
        yield scripted


def until(check: Callable[[], bool], *, timeout_s: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
