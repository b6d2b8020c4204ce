"""The API process: `python -m api`."""

import uvicorn

from api.app import create_app
from api.state import State
from core.settings import Settings
from flows.control import Control
from store.workspace import Workspace


def main() -> None:
    """Serve the API, and the control loop beside it, until told to stop."""
    settings = Settings()
    workspace = Workspace.open(settings)
    control = Control(workspace)
    control.start()
    state = State(
        settings=settings,
        jobs=workspace.jobs,
        vault=workspace.vault,
        results=workspace.results,
        wake=control.wake,
        ready=lambda: control.ready,
    )
    uvicorn.run(create_app(state), host=settings.host, port=settings.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
