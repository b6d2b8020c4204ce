from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import objects


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What workers with nothing else in common have: a bucket and the job tables."""
    if not objects.PYTHON.exists():
        pytest.skip("there is no object store for tests: make .venv/objects/installed")
    with objects.server() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield {
            "ASSAY_STORE": f"{variables[objects.VARIABLE]}/apart",
            "ASSAY_DATABASE_URL": f"sqlite:///{tmp_path / 'jobs.db'}",
            "ASSAY_SECRET_KEY": "the same for all",
        }
