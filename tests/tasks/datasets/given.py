"""Datasets made for a test: a root of local ones with the dataset org/ds, and what is read of it."""

from pathlib import Path
from typing import Any

import pytest

from core.errors import DatasetUnreadable, NotFound
from core.spec import FilesDataset
from store.files.bounds import Bounds
from tasks.datasets.found import Sources, Upload
from tasks.datasets.rows import read_rows


def no_upload(_: str) -> Upload:
    raise NotFound("File not found")


def put(root: Path, name: str, content: str | bytes) -> Path:
    path = root / "org" / "ds" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(
    root: Path,
    path: str = "",
    *,
    bounds: Bounds | None = None,
    needed: frozenset[str] = frozenset(),
    notes: list[str] | None = None,
    **fields: Any,
) -> list[dict[str, Any]]:
    url = f"hf://datasets/org/ds/{path}".rstrip("/")
    sources = Sources(root, no_upload, str, bounds or Bounds())
    note = (notes if notes is not None else []).append
    return list(read_rows(FilesDataset(url=url, **fields), sources, limit=None, needed=needed, note=note))


def refusal(root: Path, path: str = "", **fields: Any) -> str:
    with pytest.raises(DatasetUnreadable) as refused:
        read(root, path, **fields)
    assert str(root) not in refused.value.message
    return refused.value.message
