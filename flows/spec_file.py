"""Specifications in files, YAML or JSON, as the command line and the flow's `spec_file` take them."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final, Self
from uuid import NAMESPACE_OID, uuid5

import yaml
from pydantic import ValidationError

from core.errors import SpecInvalid
from core.settings import Settings
from core.spec import EvaluationSpec
from flows.local_files import Keep, with_uploads
from store.files.contents import Files
from store.files.inputs import PURPOSE
from store.secrets import seal

MOST_BYTES: Final = 10_000_000
CHUNK_BYTES: Final = 1 << 20
MOST_PARTS: Final = 2_000_000
"""Of a specification in a file."""


@dataclass(frozen=True)
class FileBounds:
    """Which files may be read for a specification, and which variables they may name; None for all.

    Who starts a deployment says which file a worker reads, and may not be the one who runs the worker.
    """

    folders: tuple[Path, ...] | None = None
    variables: tuple[str, ...] | None = None

    @classmethod
    def of_deployments(cls, settings: Settings) -> Self:
        """Return what a run of a deployment may read."""
        variables = tuple(name for name in settings.key_variables if settings.may_name(name))
        return cls(settings.spec_folders or (settings.home / "specs",), variables)

    @contextmanager
    def open(self, path: Path) -> Iterator[BinaryIO]:
        """Open a file for reading. Raises SpecInvalid for one outside the folders, or no file, and OSError."""
        found = path.resolve()
        if self.folders is not None and not any(found.is_relative_to(folder.resolve()) for folder in self.folders):
            folders = ", ".join(map(str, self.folders))
            raise SpecInvalid(f"{path} is not below the folders of ASSAY_SPEC_FOLDERS: {folders}")
        with open(os.open(found, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SpecInvalid(f"{path} is no file")
            yield file

    def read(self, path: Path) -> str:
        """Return a file's text. Raises as `open` does, and SpecInvalid for one that is too long."""
        with self.open(path) as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SpecInvalid(f"{path} has more than {MOST_BYTES:,} bytes")
        return content.decode()


UNBOUNDED: Final = FileBounds()


def keep_rows(files: Files, job_id: str, bounds: FileBounds) -> Keep:
    """Return what keeps the files that a job's specification names by paths: with the job, each content once."""

    def keep(path: Path, _: str | None) -> str:
        try:
            with bounds.open(path) as file, files.draft() as draft:
                while chunk := file.read(CHUNK_BYTES):
                    draft.write(chunk)
                own_id = f"file-{uuid5(NAMESPACE_OID, f'{job_id} {draft.finish().sha256}')}"
                kept = {"filename": path.name, "purpose": PURPOSE, "file_type": ""}
                return files.keep(draft, **kept, file_id=own_id, job=job_id).id
        except OSError as error:
            raise SpecInvalid(f"{path} cannot be read: {error.strerror}") from error

    return keep


def read_spec(path: Path, overrides: Mapping[str, int], keep: Keep, bounds: FileBounds = UNBOUNDED) -> EvaluationSpec:
    """Return the specification in a YAML or JSON file, some of its parameters replaced; `keep` has its datasets.

    Raises SpecInvalid, which repeats no value, also for a key that is not named by `env:NAME`.
    """
    body = read_mapping(path, bounds.read)
    _refuse_keys(path, body, bounds)
    body = with_uploads(body, path.parent, keep)
    try:
        spec = EvaluationSpec.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SpecInvalid(f"{path}: {place or 'the whole'}: {first['msg']}", field=place or None) from None
    return spec.with_params(overrides)


def read_mapping(path: Path, read: Callable[[Path], str]) -> dict[str, Any]:
    """Return the object that a file holds, dates in it as text, which is what JSON has for them; `read` gives its text.

    Raises SpecInvalid, which says where it is wrong and repeats nothing of it: it may hold a key.
    """
    try:
        body = yaml.safe_load(read(path))
        _refuse_bomb(path, body)
        body = _as_json(body)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecInvalid(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise SpecInvalid(f"{path} is neither YAML nor JSON: {_place(error)}") from None
    except RecursionError:
        raise SpecInvalid(f"{path} is nested too deep") from None
    if not isinstance(body, dict):
        raise SpecInvalid(f"{path} holds no object, such as one of 'targets' and 'tasks'")
    return body


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it ends too soon"


def _as_json(value: Any) -> Any:
    """Return a value of YAML as JSON has it."""
    match value:
        case dict():
            return {str(key): _as_json(part) for key, part in value.items()}
        case list():
            return [_as_json(part) for part in value]
        case date():
            return value.isoformat()
    return value


def _refuse_bomb(path: Path, body: Any) -> None:
    """Raise SpecInvalid if a few aliases stand for more than a file may hold."""
    left, parts = MOST_PARTS, [body]
    while parts:
        part = parts.pop()
        inside = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        left -= len(inside)
        if left < 0:
            raise SpecInvalid(f"{path} means more than {MOST_PARTS:,} values")
        parts.extend(inside)


def _refuse_keys(path: Path, body: dict[str, Any], bounds: FileBounds) -> None:
    sealed, keys = seal(body)
    if any(not key.startswith("env:") for key in keys.values()) or _texts(sealed, keys) != _texts(body, {}):
        raise SpecInvalid(f"{path} holds a key; name the worker's variable that has it: env:NAME")
    named = {key.removeprefix("env:") for key in keys.values()}
    if bounds.variables is not None and not named <= set(bounds.variables):
        raise SpecInvalid(f"{path} names a variable that ASSAY_KEY_VARIABLES does not list")


def _texts(value: Any, keys: Mapping[str, str]) -> Any:
    """Return a sealed value with the keys back in the place of references."""
    match value:
        case dict():
            return {name: _texts(part, keys) for name, part in value.items()}
        case list():
            return [_texts(part, keys) for part in value]
        case str():
            return keys.get(value.removeprefix("store:"), value)
    return value
