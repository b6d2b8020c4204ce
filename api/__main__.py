"""The API process: `python -m api [FD]`, on a socket that listens already if one is given."""

import asyncio
import socket
import sys

import uvicorn

from api.app import create_app
from api.nemo.complete import complete
from api.nemo.live import FORGOTTEN
from api.state import State
from core.job import utcnow
from core.settings import Settings
from flows.control import Control
from store.workspace import Workspace


def main() -> None:
    """Serve the API, and the control loop beside it, until told to stop."""
    settings = Settings()
    workspace = Workspace.open(settings)
    workspace.jobs.drop_ephemeral(utcnow() - FORGOTTEN)
    control = Control(workspace, lambda job: complete(state, job))
    state = State(
        settings=settings,
        jobs=workspace.jobs,
        vault=workspace.vault,
        targets=workspace.targets,
        configs=workspace.configs,
        results_table=workspace.results_table,
        results=workspace.results,
        wake=control.wake,
        ready=lambda: control.ready,
    )
    control.start()
    config = uvicorn.Config(create_app(state), settings.host, settings.port, log_level="warning", access_log=False)
    listeners = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
    asyncio.run(uvicorn.Server(config).serve(sockets=listeners or None))


if __name__ == "__main__":
    main()
