"""Datasets in Hugging Face repositories: in a local folder of the same shape, or fetched from a hub."""

import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final, Literal, NoReturn
from urllib.parse import urlsplit

import httpx2
import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError, HFValidationError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.tqdm import disable_progress_bars

from core.errors import DatasetUnreadable
from tasks.datasets.hub_client import Reach, reaching
from tasks.endpoint.guard import Policy

SCHEME: Final = "hf://datasets/"

DOWNLOADS: Final = 8
"""Files of a folder at a time."""

MOST_FILES: Final = 10_000
LISTING_BYTES: Final = 64_000_000
"""Bounds on what a hub says that a dataset consists of."""

_SHOWN = 10
_LONGEST = 3_000
_LONGEST_NAME = 255
_OF_READING: Final = (LookupError, TypeError, ValueError, AttributeError, AssertionError, RecursionError)
"""What the library raises of an answer that is not what a hub says."""

_NO_NAME = re.compile(r"[\\\x00\ud800-\udfff]")


@dataclass(frozen=True)
class HubAddress:
    """What `hf://datasets/<ns>/<name>[@<revision>][/<path>]` names; `path` is empty for the whole dataset."""

    repository: str
    path: str
    revision: str | None

    @classmethod
    def parse(cls, url: str) -> "HubAddress":
        """Read a URL; raises DatasetUnreadable if it does not have that form, or steps out of its folder."""
        parts = url.removeprefix(SCHEME).rstrip("/").split("/")
        if len(url) > _LONGEST or any(len(part.encode(errors="replace")) > _LONGEST_NAME for part in parts):
            raise DatasetUnreadable(
                f"{url[:_LONGEST_NAME]}… is too long: names of files have at most {_LONGEST_NAME} bytes, and paths "
                f"{_LONGEST:,}"
            )
        if len(parts) < 2 or not _are_names(parts):
            raise DatasetUnreadable(f"{url} is not of the form {SCHEME}<namespace>/<name>/<path>")
        name, _, revision = parts[1].partition("@")
        return cls(f"{parts[0]}/{name}", "/".join(parts[2:]), revision or None)

    def __str__(self) -> str:
        """Return the URL."""
        revision = f"@{self.revision}" if self.revision else ""
        return SCHEME + "/".join(part for part in (self.repository + revision, self.path) if part)


def locate(address: HubAddress, root: Path) -> Path:
    """Return the file or folder of an address under `root`, which holds `<ns>/<name>/<path>`.

    Raises DatasetUnreadable saying what is there instead.
    """
    if address.revision not in {None, "main"}:
        raise DatasetUnreadable(f"{address}: the local datasets have no revisions; leave out @{address.revision}")
    path = root / address.repository / address.path
    refuse_outside(path, root, str(address))
    if not path.exists():
        _refuse_missing(address, path, root)
    return path


def refuse_outside(path: Path, root: Path, named: str) -> None:
    """Raise DatasetUnreadable if a link leads out of `root`."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise DatasetUnreadable(f"{named}: {path.relative_to(root)} leads out of the folder of datasets")


def _refuse_missing(address: HubAddress, path: Path, root: Path) -> NoReturn:
    """Say what the nearest folder that exists holds."""
    nearest = next((parent for parent in path.parents if parent.is_dir()), root)
    names = sorted(entry.name + "/" * entry.is_dir() for entry in nearest.iterdir()) if nearest.is_dir() else []
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    inside = nearest.relative_to(root).as_posix() if nearest != root else "the folder of datasets"
    raise DatasetUnreadable(
        f"{address}: there is no {path.relative_to(root).as_posix()} among the local datasets; "
        f"{inside} holds: {shown or 'nothing'}"
    )


@dataclass(frozen=True)
class Hubs:
    """The hubs that datasets may be fetched from, the first for those that name none, and where that is kept.

    A file has at most `most_bytes`.
    """

    urls: tuple[str, ...] = ()
    cache: Path = Path()
    most_bytes: int = 0

    def find(self, address: HubAddress, named: str | None) -> str:
        """Return the URL of the hub that a dataset names. Raises DatasetUnreadable for one that is not listed."""
        url = named.rstrip("/") if named else next(iter(self.urls), "")
        if url not in self.urls:
            raise DatasetUnreadable(  # the hub is not repeated: there may be a key in it
                f"{address}: its hub is none that datasets are fetched from; list it in ASSAY_HUBS. "
                f"Listed: {', '.join(self.urls) or 'none'}"
            )
        return url

    def reach(self, url: str, most_bytes: int) -> Reach:
        """Return what requests to a listed hub are held to."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return Reach(Policy(allow=(f"{host}:{port}",)), most_bytes)

    def folder(self, url: str, token: str | None) -> Path:
        """Return where the files of a hub are kept: those that a token opened are for that token alone."""
        return self.cache / hashlib.sha256(f"{url}\n{token or ''}".encode()).hexdigest()[:32]


NO_HUBS: Final = Hubs()


def fetch(address: HubAddress, *, is_file: bool, hub: str | None, token: str | None, hubs: Hubs) -> Path:
    """Download a file, or the folder at an address, from a listed hub, and return where it is.

    No token is shown but the one given. Raises DatasetUnreadable with the hub's reason.
    """
    disable_progress_bars()
    url = hubs.find(address, hub)
    fetched = _Fetch(address, url, token or False, hubs)
    try:
        return fetched.file(address.path, address.revision) if is_file else fetched.folder()
    except (httpx2.HTTPError, EntryNotFoundError, HFValidationError, OSError) as error:
        raise DatasetUnreadable(f"{address} could not be fetched: {_cause(error)}") from error
    except _OF_READING as error:
        raise DatasetUnreadable(f"{address} could not be fetched: the hub's answer is not what a hub says") from error


@dataclass(frozen=True)
class _Fetch:
    """What a dataset is fetched by; without a token that is False, so that the library looks for no other."""

    address: HubAddress
    url: str
    token: str | Literal[False]
    hubs: Hubs

    def file(self, path: str, revision: str | None) -> Path:
        """Download one file."""
        cache = self.hubs.folder(self.url, self.token or None)
        with reaching(self.hubs.reach(self.url, self.hubs.most_bytes)):
            found = huggingface_hub.hf_hub_download(
                self.address.repository,
                path,
                repo_type="dataset",
                revision=revision,
                endpoint=self.url,
                token=self.token,
                cache_dir=cache,
            )
        refuse_outside(Path(found), cache, str(self.address))
        return Path(found)

    def folder(self) -> Path:
        """Download all files below the address's path, a few at a time, as one commit has them."""
        commit, paths = self._listing()
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            found = list(pool.map(lambda path: self.file(path, commit), paths))
        if not found:
            raise DatasetUnreadable(f"{self.address}: there is no file there")
        root = next(folder for folder in reversed(found[0].parents) if folder.name == commit)
        return root / PurePosixPath(self.address.path)

    def _listing(self) -> tuple[str, list[str]]:
        """Return the commit that a revision is at, and the paths of its files below the address's path."""
        repository, below = self.address.repository, PurePosixPath(self.address.path)
        api = huggingface_hub.HfApi(endpoint=self.url, token=self.token)
        with reaching(self.hubs.reach(self.url, LISTING_BYTES)):
            commit = api.repo_info(repository, repo_type="dataset", revision=self.address.revision or "main").sha
            if not isinstance(commit, str) or not re.fullmatch("[0-9a-f]{40}", commit):
                raise ValueError("a commit is no digest")
            tree = api.list_repo_tree(repository, recursive=True, revision=commit, repo_type="dataset")
            files = [entry.path for entry in islice(tree, MOST_FILES + 1) if isinstance(entry, RepoFile)]
        if len(files) > MOST_FILES:
            raise DatasetUnreadable(f"{self.address} has more than {MOST_FILES:,} files; name one of them")
        if not all(_are_names(path.split("/")) for path in files):
            raise ValueError("a path steps out of its folder")
        return commit, sorted(path for path in files if PurePosixPath(path).is_relative_to(below))


def _are_names(parts: Sequence[str]) -> bool:
    """Tell whether a path of these parts stays below its folder."""
    return not any(part in {"", ".", ".."} or _NO_NAME.search(part) for part in parts)


def _cause(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
