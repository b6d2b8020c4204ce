"""Programs in the environments of the vendors' clients, which `make test-clients` makes."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import WAIT_S

CLIENTS = Path(__file__).parents[2] / ".clients"
SCRIPTS = Path(__file__).parent / "scripts"
QUIET = {"TOGETHER_DISABLE_VERSION_CHECK": "1", "TOGETHER_TELEMETRY_DISABLED": "1", "TOGETHER_NO_BANNER": "1"}


def environment(name: str) -> Path:
    """Return the folder of a client's environment; without it the test is skipped."""
    folder = CLIENTS / name
    if not (folder / "installed").exists():
        pytest.skip(f"run `make .clients/{name}/installed` first")
    return folder


def run(command: Sequence[str | Path], folder: Path, **variables: str) -> str:
    """Run a program in a folder, where it finds nothing of the user's own, and return what it printed."""
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    done = subprocess.run(
        command, env=own | QUIET | variables, cwd=folder, capture_output=True, text=True, timeout=WAIT_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
