"""`assay prune`: old jobs and uploads that nothing needs go, with their runs in Prefect."""

import sys
from collections.abc import Sized

from cli.output import put
from cli.tables import plain_view
from cli.terminal import note, say_json
from core.errors import InvalidInput
from core.job import utcnow
from core.retention import Rule
from core.settings import Settings
from store.prune import Surplus, find_surplus, prune, sizes
from store.workspace import Workspace

STOPPED = 130


def prune_home(settings: Settings, rule: Rule, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Say what goes, and remove it unless it is a dry run; asks first unless `yes`. Raises InvalidInput."""
    if not (dry_run or yes or sys.stdin.isatty()):
        raise InvalidInput("nobody is there to be asked: give --yes, or --dry-run to see what would go")
    workspace = Workspace.open(settings)
    surplus = find_surplus(workspace, rule, utcnow())
    _show(workspace, surplus, dry_run=dry_run, as_json=as_json)
    if dry_run:
        return 0
    if not yes and input("Remove them? [y/N] ").strip().lower() not in ("y", "yes"):
        return STOPPED
    prune(workspace, surplus)
    return 0


def _show(workspace: Workspace, surplus: Surplus, *, dry_run: bool, as_json: bool) -> None:
    by_job, upload_bytes = sizes(workspace, surplus)
    job_bytes = sum(by_job.values())
    if as_json:
        jobs = [{"id": job.id, "finished_at": job.finished_at, "bytes": by_job[job.id]} for job in surplus.jobs]
        uploads = [{"id": each.id, "filename": each.filename, "bytes": each.bytes} for each in surplus.uploads]
        whole = {"dry_run": dry_run, "jobs": jobs, "uploads": uploads, "bytes": job_bytes + upload_bytes}
        say_json(whole, indent=2)
        return
    rows = [("job", job.id, f"{job.finished_at:%Y-%m-%d %H:%M}", by_job[job.id]) for job in surplus.jobs]
    rows += [("upload", each.filename, f"{each.created_at:%Y-%m-%d %H:%M}", each.bytes) for each in surplus.uploads]
    put(plain_view(("what", "which", "since (UTC)", "bytes"), rows))
    counted = f"{_count(surplus.jobs, 'job')} ({job_bytes:,} bytes)"
    counted += f" and {_count(surplus.uploads, 'upload')} ({upload_bytes:,} bytes)"
    if surplus.jobs or surplus.uploads or not surplus.marked:
        note(f"{counted} {'would go' if dry_run else 'go'}")
    if surplus.marked:
        ends = "would end" if dry_run else "ends"
        note(f"The removal of {_count(range(surplus.marked), 'job')} {ends}, which was begun before")
    if surplus.needed:
        note(f"{surplus.needed} more would, but people have given verdicts on them, or a retry of them runs")


def _count(what: Sized, name: str) -> str:
    return f"{len(what):,} {name}{'' if len(what) == 1 else 's'}"
