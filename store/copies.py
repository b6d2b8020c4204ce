"""Copies in a home, beside an object store, of what another machine has removed from there."""

from store.results.folder import job_ids
from store.workspace import Workspace


def drop_copies(workspace: Workspace) -> None:
    """Delete the copies here of jobs and uploads that are no more; without an object store there are none."""
    if workspace.settings.store is None:
        return
    for job_id in workspace.jobs.unknown(job_ids(workspace.results)):
        folder = workspace.folder(job_id)
        with folder.lock.vacant() as is_vacant:
            if is_vacant:
                workspace.objects.forget(folder.path)
    workspace.files.drop_copies()
