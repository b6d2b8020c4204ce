"""The frozen plan of a job as the file that it is kept in."""

from pathlib import Path

import orjson
from pydantic import ValidationError

from core.errors import ResultsMissing, first_problem
from core.plan import MANIFEST_VERSION, Manifest
from store.results.parquet import damaged, newer, place


def parse_manifest(path: Path, content: bytes) -> Manifest:
    """Return the plan that the file at `path` holds. Raises ResultsMissing if it is damaged, and SchemaMismatch."""
    try:
        plan = orjson.loads(content)
        version = plan["schema_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path) from error
    if version > MANIFEST_VERSION:
        raise newer(path, "manifest", version, MANIFEST_VERSION)
    try:
        return Manifest.model_validate(plan)
    except ValidationError as error:
        raise ResultsMissing(f"{place(path)} cannot be read: {first_problem(error)}") from error
