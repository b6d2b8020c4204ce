"""The API process: `python -m api [FD]`, on a socket that listens already if one is given."""

import socket
import sys

from api.app import create_app
from api.http.state import State
from api.nemo.complete import complete
from api.nemo.demo import store_demo
from api.nemo.routes.live import FORGOTTEN
from api.together.result_file import publish
from core.job import utcnow
from core.settings import ending_if_misconfigured, read_settings
from flows.control.loop import Control
from flows.serving import serve
from store.workspace import Workspace


def main() -> None:
    """Serve the API, and the control loop beside it, until told to stop."""
    with ending_if_misconfigured():
        settings = read_settings()
        workspace = Workspace.open(settings)
    store_demo(workspace)
    workspace.jobs.drop_ephemeral(utcnow() - FORGOTTEN)
    workspace.files.drop_drafts()
    workspace.uploads.sweep()
    control = Control(workspace, complete=lambda job: complete(state, job), publish=lambda job: publish(workspace, job))
    state = State.over(workspace, wake=control.wake, ready=lambda: control.ready)
    control.start()
    listeners = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
    serve(create_app(state), listeners, host=settings.host, port=settings.port, access_log=False)


if __name__ == "__main__":
    main()
