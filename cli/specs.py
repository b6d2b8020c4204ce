"""Specifications in files: YAML or JSON, in the core's words or NeMo's."""

import os
from collections import deque
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

from pydantic import ValidationError

from cli.client import Client
from cli.files import upload_dataset
from core.errors import SpecInvalid, first_problem
from core.spec import UPLOAD_SCHEME, EvaluationSpec, FileFormat, RowsDataset
from flows.local_files import with_uploads
from flows.spec_file import read_mapping
from store.secrets import DATA_FIELDS, holds_key
from tasks.check import check_templates, columns_read
from tasks.datasets.found import Sources, Upload
from tasks.datasets.rows import first_row, read_rows

NEMO_JOBS: Final = "/v2/evaluation/jobs"
CHECKED_ROWS: Final = 100
"""Rows that are looked at before there is a job, which looks at all of them."""


class Request(NamedTuple):
    """What is sent for a file: a body, and the path of another face if it is in its words."""

    body: dict[str, Any]
    elsewhere: str | None


def read_body(path: Path) -> dict[str, Any]:
    """Return what a file describes, with the keys of this process, and with paths of datasets as they are there.

    Raises SpecInvalid, saying what is wrong where, also for a dataset beside the file that cannot be read.
    """
    given = read_mapping(path, lambda file: file.read_text(encoding="utf-8"))
    body: dict[str, Any] = _with_own_keys(given, strict=not _is_in_own_words(given))
    with_uploads(body, path.parent, _checked)
    return body


def with_sent_files(body: dict[str, Any], folder: Path, client: Client) -> dict[str, Any]:
    """Return a body that names uploads in the place of files in a folder, which are sent. Raises Refused."""
    return with_uploads(body, folder, lambda path, _: str(upload_dataset(client, path)["id"]))


def read_request(path: Path, *, name: str | None = None, project: str | None = None) -> Request:
    """Return the request for a job that a file describes. Raises as `read_body` does."""
    spec = read_body(path)
    described = {key: value for key, value in (("name", name), ("project", project)) if value is not None}
    if _is_in_own_words(spec):
        return Request({"spec": spec, **described}, None)
    if "target" in spec and "config" in spec:
        return Request({"spec": spec, **described}, NEMO_JOBS)
    raise SpecInvalid(
        f"{path} has neither 'targets' and 'tasks' (see `assay schema`) nor NeMo's 'target' and 'config'; "
        f"it has: {', '.join(map(str, spec)) or 'nothing'}"
    )


def check_request(request: Request) -> None:
    """Refuse what no service would take, as far as that is seen without one. Raises SpecInvalid."""
    if request.elsewhere is None:
        try:
            EvaluationSpec.model_validate(_with_named_keys(request.body["spec"]))
        except ValidationError as error:
            raise SpecInvalid(f"spec.{first_problem(error)}") from None


def check_rows(request: Request, folder: Path) -> None:
    """Refuse a template or a column that does not fit the first rows, where these are in the file or beside it.

    Raises what a job that was made of it would fail with.
    """
    if request.elsewhere is not None:
        return
    files: dict[str, Upload] = {}

    def found(path: Path, said: str | None) -> str:
        file_id = f"given-{len(files)}"
        files[file_id] = Upload(path, path.name, said or "")
        return file_id

    try:
        body = with_uploads(request.body["spec"], folder, found)
        spec = EvaluationSpec.model_validate(_with_named_keys(body))
    except ValidationError:
        return  # the service says it, which may be of another release
    sources = Sources(None, files.__getitem__, reveal=str)
    for task in spec.tasks:
        dataset = task.dataset
        if isinstance(dataset, RowsDataset) or dataset.url.removeprefix(UPLOAD_SCHEME) in files:
            needed = columns_read(task, spec.targets, spec.reference)
            rows = read_rows(dataset, sources, limit=CHECKED_ROWS, needed=needed)
            deque(check_templates(task, spec.targets, rows, reference=spec.reference), maxlen=0)


def _with_named_keys(value: Any, name: str = "") -> Any:
    """Return a specification with a name in the place of each key, which is what it has where it is kept."""
    match value:
        case dict():
            return {key: _with_named_keys(part, key) for key, part in value.items()}
        case list() if name not in DATA_FIELDS:
            return [_with_named_keys(part) for part in value]
        case str() if holds_key(name):
            return "env:GIVEN"
    return value


def _checked(path: Path, said: str | None) -> str:
    first_row(path, next((each for each in get_args(FileFormat) if each == said), None))
    return ""


def _is_in_own_words(body: dict[str, Any]) -> bool:
    return "targets" in body and "tasks" in body


def _with_own_keys(value: Any, name: str = "", *, strict: bool) -> Any:
    """Return a specification with the keys that this process has in the place of `env:NAME`.

    The service takes the names of its own variables from nobody, unless its settings list them, and in NeMo's words
    from nobody: where that is so, a variable that is not set here is refused.
    """
    match value:
        case dict():
            return {key: _with_own_keys(part, key, strict=strict) for key, part in value.items()}
        case list() if name not in DATA_FIELDS:
            return [_with_own_keys(part, strict=strict) for part in value]
        case str() if holds_key(name) and value.startswith("env:"):
            variable = value.removeprefix("env:")
            if strict and not os.environ.get(variable):
                raise SpecInvalid(f"{name}: the variable {variable} is not set", field=name)
            return os.environ.get(variable) or value
    return value
