"""Where a setting was read, for what is said of it: an option, a variable, or a line of the TOML file."""

import os
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "ASSAY_"

Loc = Sequence[int | str]


def settings_file() -> Path:
    """Return the TOML file of the settings, which need not be there."""
    return Path(os.environ.get("ASSAY_CONFIG", "assay.toml"))


def origin(loc: Loc, options: Collection[str] = ()) -> str | None:
    """Return a setting as it is written where it was read, and where that is; None for a default.

    `options` are the settings that a command was given.
    """
    name, rest = str(loc[0]), "".join(f".{part}" for part in loc[1:])
    if name in options:
        return f"--{name}"
    if (variable := PREFIX + name.upper()) in map(str.upper, os.environ):
        return f"{variable}{rest} in the environment"
    file = settings_file().absolute()
    try:
        line = line_of(file.read_text(encoding="utf-8"), [str(part) for part in loc])
    except (OSError, UnicodeDecodeError):
        return None
    return f"{name}{rest} in {file}, line {line}" if line else None


def line_of(text: str, path: Sequence[str]) -> int | None:
    """Return the line of a TOML text that sets what a path leads to, or else the last part of it that a line names."""
    table: tuple[str, ...] = ()
    named = 0
    found = None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("["):
            table = keys = _path_of(line)
        elif keys := _assigned(line):
            keys = table + keys
        if named < len(keys) <= len(path) and keys == tuple(path[: len(keys)]):
            named, found = len(keys), number
    return found


def _assigned(line: str) -> tuple[str, ...]:
    """Return the keys before the equals sign of a line, which may stand in a quoted key too; none if it has none."""
    parts = line.split("=")
    starts = ("=".join(parts[:end]) for end in range(1, len(parts)))
    return next((keys for start in starts if (keys := _path_of(f"{start} = 0"))), ())


def _path_of(line: str) -> tuple[str, ...]:
    """Return the keys that a whole line of TOML leads through; none of what is no such line."""
    try:
        value: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    keys: list[str] = []
    while isinstance(value, dict) and value:
        key, value = next(iter(value.items()))
        keys.append(key)
        value = value[0] if isinstance(value, list) and value else value
    return tuple(keys)
