"""`assay recover`: jobs whose results are there and whose records are lost."""

from collections.abc import Callable

from api.recover import republish
from core.errors import AssayError
from core.settings import Settings
from store.recover import Recovered, recover
from store.workspace import Workspace

FAILED = 4


def recover_all(settings: Settings, say: Callable[[str], None]) -> int:
    """Register again what can be, and say what became of each; return the exit code: 4 if one could not be."""
    workspace = Workspace.open(settings, migrating=True)
    code = registered = 0
    for found in recover(workspace):
        problem = _problem(workspace, found)
        if problem:
            code = FAILED
            say(f"{found.job_id}: {problem}")
        registered += found.job is not None
    say(f"{registered} job{'' if registered == 1 else 's'} registered again")
    return code


def _problem(workspace: Workspace, found: Recovered) -> str | None:
    if found.job is None:
        return f"not registered: {found.problem}"
    try:
        republish(workspace, found.job)
    except AssayError as error:
        return f"registered, but {error.message}"
    return None
