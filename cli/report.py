"""`assay report`: a job as one file, for those who have no service."""

import errno
import os
import secrets
from pathlib import Path
from typing import Any

from cli.client import Client, job_path
from cli.terminal import say
from core.errors import InvalidInput


def write_report(job: str, output: Path, *, against: str | None, target: str | None, samples: int) -> int:
    """Write the report of a job to a file, which appears whole; return the exit code.

    Raises InvalidInput for a file that cannot be written, and what the client raises.
    """
    asked = {"against": against, "target": target, "samples": samples}
    query: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    try:
        _write(output, Client(), job_path(job, "report"), query)
    except OSError as error:
        raise InvalidInput(f"{output} cannot be written: {error.strerror or error}") from error
    say(f"{output} ({output.stat().st_size / 1_000_000:.1f} MB)")
    return 0


def _write(output: Path, client: Client, path: str, query: dict[str, Any]) -> None:
    if output.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    draft = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    try:
        # Whether there can be a file is known before the service is asked to work.
        with draft.open("xb") as file, client.stream(path, query) as parts:
            file.writelines(parts)
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
