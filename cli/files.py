"""`assay upload` and `assay files`: files that specifications name, kept by the service once for each content."""

import hashlib
from pathlib import Path
from typing import Final

from cyclopts import App
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from cli import terminal
from cli.client import Client, JsonDict, Refused, path_to
from cli.output import AsJson, put
from cli.tables import plain_view
from core.errors import DatasetUnreadable
from core.spec import UPLOAD_SCHEME
from core.text import visible

FILES: Final = "/api/assay/v1/files"

app = App(name="files", help="List the files that were uploaded, or delete one.")


def upload(file: Path, *, as_json: bool) -> int:
    """Have the service keep a file of rows, and print the URL by which a specification names it."""
    from tasks.datasets.rows import first_row

    first_row(file, None)
    kept = upload_dataset(Client(), file)
    if as_json:
        terminal.say_json(kept, indent=2)
    else:
        terminal.note(f"{kept['filename']}: {kept['bytes']:,} bytes in {kept['line_count']:,} lines")
        terminal.say(UPLOAD_SCHEME + kept["id"])
    return 0


@app.default
def list_files(*, limit: int = 20, as_json: AsJson = False) -> int:
    """List the newest uploads.

    Args:
        limit: How many at most, up to 1000.
        as_json: Print JSON, for a script to read.
    """
    found = Client().ask("GET", FILES, params={"limit": limit})["data"]
    if as_json:
        terminal.say_json(found, indent=2)
        return 0
    rows = [(UPLOAD_SCHEME + each["id"], each["filename"], each["line_count"], each["bytes"]) for each in found]
    put(plain_view(("url", "filename", "lines", "bytes"), rows))
    return 0


@app.command
def delete(file: str) -> int:
    """Delete an upload, named by its URL; jobs that have begun keep the rows that they read of it."""
    Client().ask("DELETE", path_to(FILES, file.removeprefix(UPLOAD_SCHEME)))
    return 0


def upload_dataset(client: Client, path: Path) -> JsonDict:
    """Return what the service keeps of a file, which is sent unless it is there already, and then renewed.

    Raises DatasetUnreadable for a file that cannot be read, and Refused.
    """
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetUnreadable(f"{path} cannot be read: {error.strerror}") from error
    named = {"filename": path.name, "sha256": sha256}
    there: list[JsonDict] = client.ask("GET", FILES, params=named)["data"]
    if not there:
        return _send(client, path, named)
    try:
        return client.ask("POST", path_to(FILES, there[0]["id"], "renew"))
    except Refused as error:
        if error.status != 404:  # it has been removed meanwhile
            raise
        return _send(client, path, named)


def _send(client: Client, path: Path, named: dict[str, str]) -> JsonDict:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    shown = terminal.NOTES.is_terminal
    with (
        Progress(*columns, console=terminal.NOTES, transient=True, disable=not shown) as progress,
        path.open("rb") as file,
    ):
        content = progress.wrap_file(file, total=path.stat().st_size, description=visible(path.name))
        try:
            return client.ask("POST", FILES, params=named, content=content)
        except Refused as error:
            if error.status != 413:
                raise
            remedy = "cut it, or set ASSAY_MAX_UPLOAD of the service to the bytes a file may have"
            raise Refused(f"{path.name} is longer than the service takes: {remedy}", error.status) from None
