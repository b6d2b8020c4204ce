import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import sqlalchemy as sa
import uvicorn

from api.app import create_app
from api.http.state import State
from core.settings import Settings
from flows.serving import KEPT_S
from store.db.connect import connect, reading
from store.db.tables import metadata
from store.workspace import Workspace
from tests import postgres

MAX_BODY = 200_000
HUBS = ("https://huggingface.co", "https://hub.example")


@dataclass
class Service:
    """The API on a real socket, over real tables; no engine works for it."""

    url: str
    state: State
    http: httpx.Client
    woken: list[str] = field(default_factory=list)
    is_ready: bool = True

    def kept(self) -> bytes:
        """Return all that it keeps: every file, and every row of the database."""
        files = [path.read_bytes() for path in self.state.settings.home.rglob("*") if path.is_file()]
        engine = connect(self.state.settings.jobs_url)
        with reading(engine) as connection:
            rows = [row for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
        engine.dispose()
        return b"".join(files) + repr(rows).encode()


@pytest.fixture(scope="module")
def database_url() -> Iterator[str | None]:
    """SQLite in the home (None), or Postgres where there is a server for tests."""
    if (server := os.environ.get(postgres.VARIABLE)) is None:
        yield None
        return
    with postgres.schema(server) as url:
        yield url


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, database_url: str | None) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, max_body=MAX_BODY, database_url=database_url, hubs=HUBS)
    workspace = Workspace.open(settings, migrating=True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=60) as http:
            made: Service
            state = State.over(workspace, wake=lambda: made.woken.append("woken"), ready=lambda: made.is_ready)
            made = Service(url, state, http)
            with running(state, listening):
                yield made
    workspace.close()


@contextmanager
def running(state: State, listening: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(create_app(state), log_config=None, ws="none", timeout_keep_alive=KEPT_S))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
