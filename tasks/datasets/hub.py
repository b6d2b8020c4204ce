"""Datasets in Hugging Face repositories: in a local folder of the same shape, or fetched from a hub."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NoReturn

import httpx
import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError, HFValidationError
from huggingface_hub.utils.tqdm import disable_progress_bars

from core.errors import DatasetUnreadable

SCHEME: Final = "hf://datasets/"

_SHOWN = 10
_LONGEST = 3_000
_LONGEST_NAME = 255
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
        if len(parts) < 2 or any(part in {"", ".", ".."} or _NO_NAME.search(part) for part in parts):
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


def fetch(address: HubAddress, *, is_file: bool, hub: str | None, token: str | None) -> Path:
    """Download a file, or the folder at an address, from a hub into its cache, and return where it is.

    Raises DatasetUnreadable with the hub's reason.
    """
    disable_progress_bars()
    try:
        if is_file:
            return Path(
                huggingface_hub.hf_hub_download(
                    address.repository,
                    address.path,
                    repo_type="dataset",
                    revision=address.revision,
                    endpoint=hub,
                    token=token,
                )
            )
        folder = huggingface_hub.snapshot_download(
            address.repository,
            repo_type="dataset",
            revision=address.revision,
            endpoint=hub,
            token=token,
            allow_patterns=[f"{address.path}/**"] if address.path else None,
        )
    except (httpx.HTTPError, EntryNotFoundError, HFValidationError, OSError) as error:
        raise DatasetUnreadable(f"{address} could not be fetched: {_cause(error)}") from error
    return Path(folder) / PurePosixPath(address.path)


def _cause(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
