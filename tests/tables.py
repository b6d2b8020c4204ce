"""The job tables of a new home, made once in a process and then copied: making them takes longer than most tests."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from store.db.connect import connect
from store.db.migrations import migrate


def lay_tables(file: Path) -> None:
    """Put the job tables into a file of SQLite that is not there yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_made())


@cache
def _made() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder, "assay.db")
        engine = connect(f"sqlite:///{file}")
        migrate(engine)
        engine.dispose()
        return file.read_bytes()
