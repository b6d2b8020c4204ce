"""A bucket over a folder: the client of the real one, and of the protocol all but its network."""

from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import LocalStore
from pyarrow.fs import LocalFileSystem

from store.objects.bucket import Bucket

Homes = Callable[[str], tuple[Path, Bucket]]


@pytest.fixture
def home(tmp_path: Path) -> Homes:
    """Return the home of a name, empty at first, and what all of them have in common."""
    kept = tmp_path / "kept"

    def home(name: str) -> tuple[Path, Bucket]:
        store = LocalStore(kept, mkdir=True)
        return tmp_path / name, Bucket(f"s3://{kept}", tmp_path / name, store, LocalFileSystem())

    return home
