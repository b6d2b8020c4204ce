"""A job's log: JSON lines in its folder; what is written is free of keys already."""

import os
import threading
from pathlib import Path
from typing import Literal

import orjson

from core.job import utcnow

Level = Literal["INFO", "WARNING", "ERROR"]


class JobLog:
    """Appends to `log.jsonl`; byte offsets into it are stable cursors."""

    def __init__(self, path: Path) -> None:
        """Open the log at `path`, creating its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._lock = threading.Lock()

    def write(self, message: str, *, level: Level = "INFO", step: str = "evaluation") -> None:
        """Append one line; `step` is the stage it comes from."""
        line = orjson.dumps({"time": utcnow(), "level": level, "step": step, "message": message}) + b"\n"
        with self._lock:
            os.write(self._fd, line)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
