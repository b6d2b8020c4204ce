"""The rows that come in requests for jobs: they go to files of the job, which its specification names from then on.

So no read of a job record, nor of a list of them, is slower for the rows that a job came with. A job has each file of
another job that it names as one of its own: that job may go before it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Final, Self

import sqlalchemy as sa

from core.errors import DatasetUnreadable
from core.job import Input, utcnow
from core.spec import UPLOAD_SCHEME, EvaluationSpec, FilesDataset, RowsDataset, TaskSpec
from store.files.contents import FileRecord, Files, new_id
from store.files.drafts import Draft
from store.secrets import DATA_FIELDS

PURPOSE: Final = "job-input"
FILENAME: Final = "rows.jsonl"

Rows = Sequence[Mapping[str, Any]]
Path = tuple[str | int, ...]


class Intake:
    """What rows a new job came with, each list of them written once; they are dropped at the end unless kept."""

    def __init__(self, files: Files, job_id: str) -> None:
        self._files = files
        self._job_id = job_id
        self._written: dict[str, tuple[FileRecord, Draft]] = {}
        self._shared: dict[str, FileRecord] = {}
        self._drafts = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drafts.close()

    def spec(self, spec: EvaluationSpec) -> EvaluationSpec:
        """Return a specification with files in the place of rows. Raises DatasetUnreadable for what is not JSON."""
        return spec.model_copy(update={"tasks": tuple(map(self._task, spec.tasks))})

    def request(self, request: dict[str, Any]) -> tuple[dict[str, Any], tuple[Input, ...]]:
        """Return a request without its rows, and where each list of them stood."""
        inputs = tuple(Input(path, self._write(rows)) for path, rows in _rows_in(request, ()))
        for path, _ in inputs:
            request = _changed(request, path, lambda holder, key: holder.pop(key))
        return request, inputs

    def placing(self) -> AbstractContextManager[None]:
        """Surround the transaction that is to keep the files."""
        return self._files.placing(list(self._written.values()))

    def keep(self, connection: sa.Connection) -> None:
        """Keep the files, as the last part of the transaction that records their job."""
        for record, draft in self._written.values():
            self._files.add(connection, record, draft)
        for record in self._shared.values():
            self._files.share(connection, record)

    def _task(self, task: TaskSpec) -> TaskSpec:
        match task.dataset:
            case RowsDataset(rows=rows) if rows:
                dataset = FilesDataset(url=UPLOAD_SCHEME + self._write(rows), format="jsonl")
            case FilesDataset(url=url) if url.startswith(UPLOAD_SCHEME):
                dataset = task.dataset.model_copy(update={"url": UPLOAD_SCHEME + self._own(url)})
            case _:
                return task
        return task.model_copy(update={"dataset": dataset})

    def _own(self, url: str) -> str:
        """Return the id of the file that a URL names, or of the job's own one if it is another job's."""
        file_id = url.removeprefix(UPLOAD_SCHEME)
        record = self._shared.get(file_id) or self._files.find(file_id)
        if record is None or record.job in (None, self._job_id):
            return record.id if record else file_id
        self._shared[file_id] = replace(record, id=new_id(), job=self._job_id, created_at=utcnow())
        return self._shared[file_id].id

    def _write(self, rows: Rows) -> str:
        """Write rows to a file, unless they are written already, and return its id."""
        lines = b"".join(_line(row, number) for number, row in enumerate(rows, start=1))
        if (sha256 := hashlib.sha256(lines).hexdigest()) not in self._written:
            draft = self._drafts.enter_context(self._files.draft())
            draft.write(lines)
            content = draft.finish()
            record = FileRecord(
                id=new_id(),
                filename=FILENAME,
                purpose=PURPOSE,
                file_type="jsonl",
                bytes=content.bytes,
                line_count=content.line_count,
                sha256=sha256,
                created_at=utcnow(),
                job=self._job_id,
            )
            self._written[sha256] = record, draft
        return self._written[sha256][0].id


def with_rows(request: dict[str, Any], inputs: Sequence[Input], read: Callable[[str], Any]) -> dict[str, Any]:
    """Return a request as it came, with what `read` returns for a file in the place of its rows."""
    for path, file_id in inputs:
        request = _changed(request, path, partial(_put, read(file_id)))
    return request


def array_of(lines: bytes) -> bytes:
    """Return the lines of a file of rows as a JSON array."""
    return b"[" + lines.rstrip(b"\n").replace(b"\n", b",") + b"]"


def _rows_in(body: Any, path: Path) -> Iterator[tuple[Path, Rows]]:
    parts = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, part in parts:
        if key in DATA_FIELDS and isinstance(part, list) and part and all(isinstance(row, dict) for row in part):
            yield (*path, key), part
        else:
            yield from _rows_in(part, (*path, key))


def _changed(body: Any, path: Path, change: Callable[[Any, str | int], object]) -> Any:
    """Return a copy of a body that differs only in what a path leads to."""
    key, *rest = path
    copy = body.copy()
    if rest:
        copy[key] = _changed(body[key], tuple(rest), change)
    else:
        change(copy, key)
    return copy


def _put(value: Any, holder: Any, key: str | int) -> None:
    holder[key] = value


def _line(row: Mapping[str, Any], number: int) -> bytes:
    """Return a row as a line; what else JSON cannot say of it, such as NaN, is for whoever reads the file."""
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except (ValueError, RecursionError) as error:
        raise DatasetUnreadable(f"row {number} of the request: {error}") from error
