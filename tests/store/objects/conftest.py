from collections.abc import Callable
from pathlib import Path

import pytest

from store.objects.bucket import Bucket
from tests.buckets import bucket

Homes = Callable[[str], tuple[Path, Bucket]]


@pytest.fixture
def home(tmp_path: Path) -> Homes:
    """Return the home of a name, empty at first, and the bucket that all of them have in common."""
    return lambda name: (tmp_path / name, bucket(tmp_path / "kept", tmp_path / name))
