"""The rows that a recorded job came with, from wherever its specification says that they are."""

from typing import Any

import orjson

from core.spec import UPLOAD_SCHEME, EvaluationSpec, FilesDataset, RowsDataset
from store.files.contents import Files


def rows_of(files: Files, spec: EvaluationSpec | None, task: int = 0) -> list[Any]:
    """Return the rows of one of a job's tasks, which are in a file."""
    assert spec is not None
    dataset = spec.tasks[task].dataset
    assert isinstance(dataset, FilesDataset)
    path = files.path(files.get(dataset.url.removeprefix(UPLOAD_SCHEME)))
    return [orjson.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def inline(files: Files, spec: EvaluationSpec | None) -> EvaluationSpec:
    """Return a recorded specification as it was asked for, with its rows."""
    assert spec is not None
    tasks = tuple(
        task.model_copy(update={"dataset": RowsDataset(rows=rows_of(files, spec, n))})
        for n, task in enumerate(spec.tasks)
    )
    return spec.model_copy(update={"tasks": tasks})
