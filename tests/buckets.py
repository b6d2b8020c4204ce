"""A bucket over a folder: the client of the real one, and of the protocol all but its network."""

from pathlib import Path

from obstore.store import LocalStore
from pyarrow.fs import LocalFileSystem

from store.objects.bucket import Bucket


def bucket(kept: Path, home: Path) -> Bucket:
    """Return the bucket that lies in a folder, as a home sees it."""
    return Bucket(f"s3://{kept}", home, LocalStore(kept, automatic_cleanup=True, mkdir=True), LocalFileSystem())
