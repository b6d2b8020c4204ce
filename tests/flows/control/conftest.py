from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.control.service import Service, serving


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with serving(tmp_path, monkeypatch) as service:
        yield service
