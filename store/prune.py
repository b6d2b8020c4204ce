"""Old jobs and uploads that nothing needs: found, and removed with all that there is of them.

A job is first marked in the tables, and is shown nowhere from then on; see `Workspace.remove`. What a process that is
killed has marked is removed by the next one, or by the service.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.retention import Ended, Rule
from store.files.contents import FileRecord
from store.workspace import Workspace

YOUNGEST: Final = timedelta(days=1)
"""An upload of less than that may be for a job that comes yet."""

AT_A_TIME: Final = 20
"""So many jobs are marked and then removed: a running service, which helps, is not kept from its other work."""


@dataclass(frozen=True, slots=True)
class Surplus:
    """The jobs and uploads that go by a rule, how many jobs would but for being needed, and how many are marked."""

    jobs: tuple[Ended, ...]
    uploads: tuple[FileRecord, ...]
    needed: int = 0
    marked: int = 0

    @property
    def ids(self) -> list[str]:
        """The ids of the jobs."""
        return [job.id for job in self.jobs]


def find_surplus(workspace: Workspace, rule: Rule, now: datetime) -> Surplus:
    """Return what goes by a rule."""
    retention = workspace.retention
    outlived = list(rule.outlived(retention.ended(), now))
    jobs = tuple(job for job in outlived if not job.needed)
    before = now - max(rule.older_than or YOUNGEST, YOUNGEST)
    uploads = retention.unnamed(before, without=[job.id for job in jobs])
    return Surplus(jobs, tuple(uploads), needed=len(outlived) - len(jobs), marked=len(retention.condemned()))


def sizes(workspace: Workspace, surplus: Surplus) -> tuple[dict[str, int], int]:
    """Return the bytes on disk of each of the jobs, and of all the uploads."""
    made: dict[str, list[FileRecord]] = {}
    for record in workspace.retention.files_of(surplus.ids):
        made.setdefault(record.job or "", []).append(record)
    by_job = {job_id: workspace.folder(job_id).size() + _bytes(made.get(job_id, ())) for job_id in surplus.ids}
    return by_job, _bytes(surplus.uploads)


def prune(workspace: Workspace, surplus: Surplus) -> None:
    """Remove the surplus, as far as it is none yet, and what an earlier process has left."""
    retention, ids = workspace.retention, surplus.ids
    for start in range(0, len(ids), AT_A_TIME):
        retention.condemn(ids[start : start + AT_A_TIME])
        _remove_condemned(workspace)
    _remove_condemned(workspace)
    retention.drop_unnamed(surplus.uploads)


def _remove_condemned(workspace: Workspace) -> None:
    for job_id in workspace.retention.condemned():
        workspace.remove(job_id)


def _bytes(records: Iterable[FileRecord]) -> int:
    """Return the bytes of files, each content once."""
    return sum({record.sha256: record.bytes for record in records}.values())
