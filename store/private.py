"""What a home holds is for its owner alone, also where an earlier release or another program has left it open."""

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

logger = logging.getLogger("assay.store")

FOLDERS: Final = ("results", "files", "logs", "run", "prefect", "hub")
FILES: Final = ("assay.db*", "secret.key", "serve.lock")
"""What is ours in a home, beside which its owner may keep other things."""

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def close_to_others(home: Path) -> None:
    """Make the folders of a home that are not there, and take from all but its owner the rights to what is."""
    for name in FOLDERS:
        (home / name).mkdir(mode=0o700, exist_ok=True)
    for entry in [home / name for name in FOLDERS] + [file for name in FILES for file in home.glob(name)]:
        if _is_open(entry):
            _close(entry)


def _close(entry: Path) -> None:
    """Close what is inside first: where that is cut short, the next start sees that it was."""
    for folder, folders, files in os.walk(entry, topdown=False):
        for name in (*folders, *files):
            _chmod(Path(folder, name))
    _chmod(entry)


def _chmod(path: Path) -> None:
    with suppress(FileNotFoundError):  # it was only passing
        if _is_open(path):
            try:
                path.chmod(path.stat().st_mode & ~OTHERS & 0o7777)
            except PermissionError:
                logger.warning("%s is open to others, and not this user's to close", path)


def _is_open(path: Path) -> bool:
    mode = path.lstat().st_mode
    return bool(mode & OTHERS) and not stat.S_ISLNK(mode)
