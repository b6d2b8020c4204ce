"""A PostgreSQL of its own for the length of a command: `python -m tests.postgres COMMAND...`.

It is Debian's, on a free port of this machine, in a temporary folder that is removed afterwards. The
command finds it by `ASSAY_TEST_POSTGRES`, and each test takes a schema of its own in it.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.db.connect import connect, writing

VARIABLE = "ASSAY_TEST_POSTGRES"


@contextmanager
def schema(server: str) -> Iterator[str]:
    """Yield the URL of an empty schema, which is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    owner = connect(server)
    with writing(owner) as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    try:
        yield f"{server}?options=-csearch_path%3D{name}"
    finally:
        with writing(owner) as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
        owner.dispose()


@contextmanager
def server() -> Iterator[str]:
    """Run a server, and yield its URL."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if binaries is None:
        sys.exit("There is no PostgreSQL on this machine: apt-get install postgresql")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    if user:
        shutil.chown(folder, user)
    control = [str(binaries / "pg_ctl"), "--silent", "--pgdata", str(folder / "data")]
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    try:
        _run([*control, "initdb", "--options", "--auth=trust --username=assay"], folder, user)
        _run([*control, "--wait", "--log", str(folder / "log"), "--options", options, "start"], folder, user)
        yield f"postgresql://assay@127.0.0.1:{port}/postgres"
        _run([*control, "--mode", "immediate", "stop"], folder, user)
    finally:
        shutil.rmtree(folder)


def _run(command: list[str], folder: Path, user: str | None) -> None:
    subprocess.run(command, cwd=folder, user=user, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    with server() as url:
        finished = subprocess.run(sys.argv[1:], env=os.environ | {VARIABLE: url})
    sys.exit(finished.returncode)
