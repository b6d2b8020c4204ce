"""Datasets that a specification names by paths: their files are kept as uploads, which it then names."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from core.errors import InvalidInput, SpecInvalid
from core.spec import UPLOAD_SCHEME
from store.secrets import DATA_FIELDS

URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
ON_DISK: Final = f"{UPLOAD_SCHEME}/"
"""How the URL of a file on disk begins, which no id does."""

HOLDERS: Final = frozenset({"dataset", "cached_outputs"})
"""The fields that hold a dataset, in the core's words or NeMo's."""

NAMES: Final = ("url", "files_url")

Keep = Callable[[Path, str | None], str]
"""Keeps a file, of a format if that is said, and returns the id of the upload; raises InvalidInput."""


def with_uploads(spec: Mapping[str, Any], folder: Path, keep: Keep) -> dict[str, Any]:
    """Return a specification with uploads in the place of paths, which are relative to `folder`.

    Raises SpecInvalid naming the field of a file that cannot be kept.
    """
    kept: dict[tuple[Path, str | None], str] = {}

    def upload(field: str, named: str, said: str | None) -> str:
        path = folder / _path(named)
        try:
            if (path, said) not in kept:
                kept[path, said] = keep(path, said)
        except InvalidInput as error:
            raise SpecInvalid(f"{field}: {error.message}", field=field) from None
        return UPLOAD_SCHEME + kept[path, said]

    replaced: dict[str, Any] = _replaced(spec, "", upload)
    return replaced


def _replaced(value: Any, field: str, upload: Callable[[str, str, str | None], str]) -> Any:
    *_, name = field.split(".")
    match value:
        case dict() | Mapping():
            parts = {key: _replaced(part, f"{field}.{key}".lstrip("."), upload) for key, part in value.items()}
            named = [key for key in NAMES if isinstance(parts.get(key), str)] if name in HOLDERS else []
            return parts | {
                key: upload(f"{field}.{key}", parts[key], parts.get("format")) for key in named if is_path(parts[key])
            }
        case list() if name not in DATA_FIELDS:
            return [_replaced(part, f"{field}.{place}", upload) for place, part in enumerate(value)]
    return value


def is_path(url: str) -> bool:
    """Tell whether what stands for a dataset's URL is the path of a file."""
    return bool(url) and (URL.match(url) is None or url.startswith(ON_DISK))


def _path(named: str) -> Path:
    return Path(unquote(urlsplit(named).path) if named.startswith(ON_DISK) else named).expanduser()
