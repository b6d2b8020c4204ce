import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.state import State
from core.settings import Settings
from store.connect import connect
from store.entities import Entities, Results
from store.jobs import Jobs
from store.migrations import migrate
from store.secrets import Vault, load_key

MAX_BODY = 200_000


@dataclass
class Service:
    """The API on a real socket, over real tables; no engine works for it."""

    url: str
    state: State
    http: httpx.Client
    database: Path
    woken: list[str] = field(default_factory=list)
    is_ready: bool = True


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, max_body=MAX_BODY)
    engine = connect(settings.jobs_url)
    migrate(engine)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=url) as http:
            state = State(
                settings=settings,
                jobs=Jobs(engine),
                vault=Vault(engine, load_key(None, home)),
                targets=Entities(engine, "target"),
                configs=Entities(engine, "config"),
                results_table=Results(engine),
                results=home / "results",
                wake=lambda: service.woken.append("woken"),
                ready=lambda: service.is_ready,
            )
            service = Service(url, state, http, home / "assay.db")
            with running(state, listening):
                yield service
    engine.dispose()


@contextmanager
def running(state: State, listening: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(create_app(state), log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
