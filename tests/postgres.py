"""A PostgreSQL of its own for the length of a command: `python -m tests.postgres COMMAND...`.

It is Debian's, on a free port of this machine, in a temporary folder that is removed afterwards. The
command finds it by `ASSAY_TEST_POSTGRES`, and each test takes a schema of its own in it. Within
`tests.network` it is there for the machines.
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
from tests import around, network

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
def database(server: str) -> Iterator[str]:
    """Yield the URL of an empty database, as Prefect's server takes one, which is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    owner = connect(server).execution_options(isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield f"{server.replace('postgresql', 'postgresql+asyncpg', 1).rpartition('/')[0]}/{name}"
    finally:
        with owner.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        owner.dispose()


@contextmanager
def server() -> Iterator[str]:
    """Run a server, and yield its URL."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if binaries is None:
        sys.exit("There is no PostgreSQL on this machine: apt-get install postgresql")
    address = network.found().address
    with socket.create_server((address, 0)) as probe:
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    if user:
        shutil.chown(folder, user)
    control = [str(binaries / "pg_ctl"), "--silent", "--pgdata", str(folder / "data")]
    options = f"-c listen_addresses={address} -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    try:
        _run([*control, "initdb", "--options", "--auth=trust --username=assay"], folder, user)
        with (folder / "data" / "pg_hba.conf").open("a", encoding="utf-8") as who_may:
            who_may.write(f"host all assay {network.SUBNET} trust\n")
        _run([*control, "--wait", "--log", str(folder / "log"), "--options", options, "start"], folder, user)
        try:
            yield f"postgresql://assay@{address}:{port}/postgres"
        finally:
            _run([*control, "--mode", "immediate", "stop"], folder, user)
    finally:
        shutil.rmtree(folder)


def _run(command: list[str], folder: Path, user: str | None) -> None:
    subprocess.run(command, cwd=folder, user=user, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    with server() as url:
        code = around.run(sys.argv[1:], {VARIABLE: url})
    sys.exit(code)
