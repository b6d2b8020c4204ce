"""Which files a dataset of files has, and what errors call each: as its user does."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import DatasetUnreadable, NotFound
from core.settings import Settings
from core.spec import UPLOAD_SCHEME, EvaluationSpec, FileFormat, FilesDataset
from store.files.bounds import Bounds
from tasks.datasets import hub
from tasks.datasets.layouts import bfcl
from tasks.datasets.readers import BY_ENDING, format_of


@dataclass(frozen=True)
class Upload:
    """An uploaded file: where it lies, what its user calls it, and of what type it was said to be."""

    path: Path
    filename: str
    file_type: str = ""


@dataclass(frozen=True)
class Sources:
    """Where datasets come from.

    `datasets` is a local root for `hf://datasets/`, `uploads` finds an uploaded file by its id, `reveal` gives the
    key that a reference stands for; files are read within `bounds`, and `hubs` may be
    asked where there is no local root.
    """

    datasets: Path | None
    uploads: Callable[[str], Upload]
    reveal: Callable[[str], str]
    bounds: Bounds = field(default_factory=Bounds)
    hubs: hub.Hubs = hub.NO_HUBS


@dataclass(frozen=True)
class Found:
    """A file of a dataset, its name in errors and as a URL, and the format that was given or that its name shows."""

    path: Path
    named: str
    url: str
    said: FileFormat | None


def find_files(dataset: FilesDataset, sources: Sources) -> list[Found]:
    """Return the files of a dataset in the order of their names, fetching them if they are elsewhere.

    Raises DatasetUnreadable saying what is there instead.
    """
    address = _address(dataset)
    if address is None:
        return [_upload(dataset, sources)]
    path = _locate(address, dataset, sources)
    files = _data_files(path, dataset) if path.is_dir() else [path]
    if sources.datasets is not None:
        for file in files:
            hub.refuse_outside(file, sources.datasets, dataset.url)
    return [
        Found(file, file.name, dataset.url, dataset.format or format_of(file.name))
        if file == path
        else _member(file, file.relative_to(path).as_posix(), dataset)
        for file in files
    ]


def check_places(spec: EvaluationSpec, settings: Settings) -> None:
    """Raise DatasetUnreadable for a dataset that, as is known without a look, is nowhere: by its URL, or its hub."""
    for task in spec.tasks:
        if isinstance(task.dataset, FilesDataset) and (address := _address(task.dataset)) and not settings.datasets:
            hub.Hubs(settings.hubs).find(address, task.dataset.hub)


def _address(dataset: FilesDataset) -> hub.HubAddress | None:
    """Return what a URL names on a hub; None for an upload."""
    if dataset.url.startswith(UPLOAD_SCHEME) and "/" not in dataset.url:
        return None
    if not dataset.url.startswith(hub.SCHEME):
        raise DatasetUnreadable(
            f"{dataset.url[:200]} is no dataset: "
            f"give {hub.SCHEME}<namespace>/<name>/<path>, or {UPLOAD_SCHEME}<id>, as `assay upload FILE` prints it"
        )
    return hub.HubAddress.parse(dataset.url)


def _upload(dataset: FilesDataset, sources: Sources) -> Found:
    try:
        upload = sources.uploads(dataset.url.removeprefix(UPLOAD_SCHEME))
    except NotFound:
        raise DatasetUnreadable(f"{dataset.url} is not here: it was deleted, or never uploaded") from None
    said = dataset.format or format_of(upload.filename) or format_of(f"file.{upload.file_type}")
    return Found(upload.path, f"{upload.filename} ({dataset.url})", dataset.url, said)


def _member(file: Path, name: str, dataset: FilesDataset) -> Found:
    """Return a file of a folder."""
    return Found(file, name, f"{dataset.url.rstrip('/')}/{name}", dataset.format or format_of(name))


def _locate(address: hub.HubAddress, dataset: FilesDataset, sources: Sources) -> Path:
    """Return the file or folder at an address."""
    if sources.datasets is not None:
        return hub.locate(address, sources.datasets)
    is_file = format_of(address.path) is not None or bool(Path(address.path).suffix and dataset.format)
    token = sources.reveal(dataset.token) if dataset.token else None
    return hub.fetch(address, is_file=is_file, hub=dataset.hub, token=token, hubs=sources.hubs)


def _data_files(folder: Path, dataset: FilesDataset) -> list[Path]:
    """Return the data files below a folder in the order of their names, of the format and split if these are given."""
    inside = {path: path.relative_to(folder) for path in sorted(folder.rglob("*")) if format_of(path.name)}
    visible = [path for path in inside if not _is_hidden(inside[path]) and path.is_file()]
    if dataset.layout == "bfcl":
        files = [path for path in visible if bfcl.is_of_category(inside[path], dataset.split)]
    else:
        files = [path for path in visible if _is_of_split(inside[path], dataset.split)]
    if not files:
        what = f"of the split {dataset.split!r}" if visible else f"ending in {', '.join(BY_ENDING)}"
        names = ", ".join(sorted(entry.name for entry in folder.iterdir())[:10])
        raise DatasetUnreadable(f"{dataset.url} has no data file {what}; it holds: {names or 'nothing'}")
    return [path for path in files if format_of(path.name) == dataset.format] or files


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_of_split(path: Path, split: str | None) -> bool:
    """Tell whether a file's path names the split, as in `train.jsonl`, `data/train-00000.parquet`, `train/a.csv`."""
    return split is None or split in re.split(r"[^A-Za-z0-9]+", path.as_posix())
