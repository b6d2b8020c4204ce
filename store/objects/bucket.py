"""Objects in a bucket that many machines share, by the protocol of S3; what is read of them is copied to the home.

A copy lies at the object's own path below the home. It is made by reading, never by writing: who could not publish
keeps nothing.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.fsspec import FsspecStore
from obstore.store import ObjectStore, S3Store
from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

from core.errors import StorageFailed
from store.files.atomic import storing
from store.objects.objects import Segments, nobody_kept_out
from store.objects.segments import Pending, segment_name

if TYPE_CHECKING:
    from obstore import Bytes
    from obstore.store import ClientConfig, RetryConfig

SCHEME: Final = "s3://"
AT_A_TIME: Final = 8
"""So many objects are read at once."""

COPIED: Final = stat.S_IRUSR
"""The mode of a copy: what a home had kept before it had a store can be written to."""

PART_BYTES: Final = 1 << 25
"""Of a larger object so much is read with one request, each of which may take its time."""

RETRY: Final["RetryConfig"] = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}


class Bucket:
    """The objects of `store`; `home` is where copies lie, and what the objects' paths are below."""

    def __init__(self, url: str, home: Path, store: ObjectStore, filesystem: FileSystem) -> None:
        """Have objects at `url`, by which the messages call them, and Arrow's `filesystem` without the scheme."""
        self._url = url.rstrip("/")
        self._home = home
        self._store = store
        self.filesystem = filesystem

    @classmethod
    def at(cls, url: str, home: Path) -> "Bucket":
        """Open `s3://BUCKET/PREFIX`; where that is and who may write it, the variables `AWS_…` say."""
        bucket, _, prefix = url.rstrip("/").removeprefix(SCHEME).partition("/")
        store = S3Store(bucket, prefix=prefix or None, client_options=_client(), retry_config=RETRY)
        reading = FsspecStore("s3", client_options=_client(), retry_config=RETRY)
        return cls(url, home, store, PyFileSystem(FSSpecHandler(reading)))

    def __eq__(self, other: object) -> bool:
        """Whether it is the same place."""
        return isinstance(other, Bucket) and (self._url, self._home) == (other._url, other._home)

    def __hash__(self) -> int:
        """Hash as equality has it."""
        return hash((self._url, self._home))

    def name(self, path: Path) -> str:
        """Return what `filesystem` calls an object: its bucket and whole key."""
        return f"{self._url.partition('://')[2]}/{self._key(path)}"

    def file(self, path: Path) -> Path:
        """Return a copy of an object that is written once, made now unless there is one."""
        return path if path.exists() else self.latest(path)

    def latest(self, path: Path) -> Path:
        """Return a copy of an object as it is now, or where none is."""
        try:
            with self._asking(path):
                found = obstore.get(self._store, self._key(path))
                size = found.meta["size"]
                first = found.bytes() if size <= PART_BYTES else self._range(path, 0, size)
        except FileNotFoundError:
            path.unlink(missing_ok=True)
            return path
        with _draft(path) as draft:
            with draft.open("wb") as file, self._asking(path):
                file.write(first)
                for start in range(PART_BYTES, size, PART_BYTES):
                    file.write(self._range(path, start, size))
            draft.chmod(COPIED)
            draft.replace(path)
        return path

    def fetch(self, folder: Path) -> None:
        """Copy all Parquet files below a folder of which there is no copy."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            files = (folder / name for name in self.below(folder) if name.endswith(".parquet"))
            for _ in pool.map(self.file, files):
                pass

    def exists(self, path: Path) -> bool:
        """Whether an object is there."""
        try:
            with self._asking(path):
                obstore.head(self._store, self._key(path))
        except FileNotFoundError:
            return False
        return True

    def names(self, folder: Path) -> list[str]:
        """Return the names of what lies in a folder, sorted."""
        with self._asking(folder):
            found = obstore.list_with_delimiter(self._store, self._key(folder))
        keys = [*found["common_prefixes"], *(each["path"] for each in found["objects"])]
        return sorted(key.rpartition("/")[2] for key in keys)

    def below(self, folder: Path) -> list[str]:
        """Return the names of all objects below a folder, relative to it."""
        start = len(self._key(folder)) + 1
        return [key[start:] for key in self._keys_below(folder)]

    def appended(self, path: Path) -> BinaryIO:
        """Open all segments of an object, one after the other as they were written."""
        names = self.names(path)
        if not names:
            raise FileNotFoundError(path)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            files = pool.map(self.file, (path / name for name in names))
        return BytesIO(b"".join(file.read_bytes() for file in files if file.exists()))

    def segments(self, path: Path, fence: Callable[[], bool] = nobody_kept_out) -> Segments:
        """Return what appends to an object, unless the fence keeps it out by then."""
        return Pending(lambda data: fence() and self._create(path / segment_name(), data))

    def put(self, path: Path, write: Callable[[Path], object]) -> None:
        """Put what `write` fills a file with in the place of an object."""
        with _draft(path) as draft:
            write(draft)
            self._upload(draft, path)

    def publish(self, path: Path, write: Callable[[Path], object]) -> bool:
        """Put an object unless there is one; whether it holds what `write` fills a file with."""
        with _draft(path) as draft:
            write(draft)
            content = draft.read_bytes()
        return self._create(path, content)

    create = publish

    def move(self, file: Path, path: Path) -> None:
        """Put a file in the place of an object that is named by its content, unless it is there."""
        self.offer(file, path)
        file.unlink(missing_ok=True)

    def offer(self, file: Path, path: Path) -> None:
        """Put a file where `move` puts it."""
        if not self.exists(path):
            self._upload(file, path)

    def delete(self, path: Path) -> None:
        """Delete an object and its segments, and their copies."""
        self._delete(self._keys_below(path) or [self._key(path)], path)
        _remove(path)

    def delete_folder(self, folder: Path) -> None:
        """Delete all objects below a folder, and their copies."""
        self._delete(self._keys_below(folder), folder)
        _remove(folder)

    def forget(self, path: Path) -> None:
        """Delete the copies of an object or of all below a folder, unless there is what was never copied."""
        if all(map(_may_be_copy, (path, *path.rglob("*")))):
            _remove(path)

    def _keys_below(self, folder: Path) -> list[str]:
        with self._asking(folder):
            return [each["path"] for part in obstore.list(self._store, f"{self._key(folder)}/") for each in part]

    def _delete(self, keys: list[str], path: Path) -> None:
        if keys:
            with self._asking(path), suppress(FileNotFoundError):
                obstore.delete(self._store, keys)

    def _range(self, path: Path, start: int, size: int) -> "Bytes":
        return obstore.get_range(self._store, self._key(path), start=start, end=min(start + PART_BYTES, size))

    def _create(self, path: Path, content: bytes) -> bool:
        try:
            with self._asking(path):
                obstore.put(self._store, self._key(path), content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            # Perhaps by this very request, whose first answer was lost.
            there = self.latest(path)
            return there.exists() and there.read_bytes() == content
        return True

    def _upload(self, file: Path, path: Path) -> None:
        with storing(path), self._asking(path):
            obstore.put(self._store, self._key(path), file)

    def _key(self, path: Path) -> str:
        return path.relative_to(self._home).as_posix()

    @contextmanager
    def _asking(self, path: Path) -> Iterator[None]:
        try:
            yield
        except AlreadyExistsError:
            raise
        except BaseError as error:
            reason = str(error).partition("\n")[0]
            raise StorageFailed(f"{self._url}/{self._key(path)} cannot be asked for: {reason}") from error


def _may_be_copy(path: Path) -> bool:
    """Whether a path is nothing that a home itself keeps; locks and drafts, whose names begin with a dot, are not."""
    return path.name.startswith(".") or not path.is_file() or stat.S_IMODE(path.stat().st_mode) == COPIED


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True) if path.is_file() else shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Give a file beside `path`, which goes in the end unless it was moved."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with storing(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            draft.touch(mode=0o600)
            yield draft
        finally:
            draft.unlink(missing_ok=True)


def _client() -> "ClientConfig":
    """Return how the store is connected to: without encryption only where its URL says so."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    plain = endpoint.startswith("http://")
    return {"allow_http": plain, "connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=60)}
