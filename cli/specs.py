"""Specifications in files: YAML or JSON, in the core's words or NeMo's."""

import os
from pathlib import Path
from typing import Any, Final, NamedTuple

from core.errors import SpecInvalid
from flows.spec_file import read_mapping
from store.secrets import DATA_FIELDS, holds_key

NEMO_JOBS: Final = "/v2/evaluation/jobs"


class Request(NamedTuple):
    """What is sent for a file: a body, and the path of another face if it is in its words."""

    body: dict[str, Any]
    elsewhere: str | None


def read_request(path: Path, *, name: str | None = None, project: str | None = None) -> Request:
    """Return the request for a job that a file describes. Raises SpecInvalid, saying what is wrong where."""
    spec = _with_own_keys(read_mapping(path, lambda file: file.read_text(encoding="utf-8")))
    described = {key: value for key, value in (("name", name), ("project", project)) if value is not None}
    if "target" in spec and "config" in spec:
        return Request({"spec": spec, **described}, NEMO_JOBS)
    if "targets" in spec and "tasks" in spec:
        return Request({"spec": spec, **described}, None)
    raise SpecInvalid(
        f"{path} has neither 'targets' and 'tasks' (see `assay schema`) nor NeMo's 'target' and 'config'; "
        f"it has: {', '.join(map(str, spec)) or 'nothing'}"
    )


def _with_own_keys(value: Any, name: str = "") -> Any:
    """Return a specification with the keys that this process has in the place of `env:NAME`.

    The service takes the names of its own variables from nobody, unless its settings list them.
    """
    match value:
        case dict():
            return {key: _with_own_keys(part, key) for key, part in value.items()}
        case list() if name not in DATA_FIELDS:
            return [_with_own_keys(part) for part in value]
        case str() if holds_key(name) and value.startswith("env:"):
            return os.environ.get(value.removeprefix("env:")) or value
    return value
