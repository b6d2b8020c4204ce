"""`assay jobs`: what there is, and what shall become of it."""

from collections.abc import Callable

from cyclopts import App

from cli.client import Client, JsonDict, job_path
from cli.output import AsJson, View, put
from cli.overview import job_fields, usage_view
from cli.summaries import read_summaries, show_end, show_summaries
from cli.tables import job_view
from cli.terminal import say_json

app = App(name="jobs", help="List, show and steer jobs.")


@app.command(name="list")
def list_jobs(
    *,
    status: str | None = None,
    project: str | None = None,
    name: str | None = None,
    limit: int = 20,
    as_json: AsJson = False,
) -> int:
    """List the newest jobs.

    Args:
        status: Only jobs of this status, such as running or failed.
        project: Only jobs of this project.
        name: Only jobs with this text in their name.
        limit: How many jobs at most, up to 1000.
        as_json: Print JSON, for a script to read.
    """
    filters = {"filter[status]": status, "filter[project]": project, "search[name]": name}
    asked = {key: value for key, value in filters.items() if value is not None}
    jobs = Client().get("", page_size=limit, **asked)["data"]
    _print(jobs, as_json, lambda: job_view(jobs))
    return 0


@app.command
def show(job: str, *, as_json: AsJson = False) -> int:
    """Show a job: how far it is, how long it took, what it paid to each model, and its scores once there are some.

    Args:
        job: The job: its id or an unambiguous start of it, or its name.
        as_json: Print JSON, for a script to read.
    """
    client = Client()
    found = client.get(job_path(job))
    told = client.get(job_path(found["id"], "summaries"))["data"]
    usage = client.get(job_path(found["id"], "usage"))["data"]
    if as_json:
        say_json({"job": found, "summaries": told, "usage": usage}, indent=2)
        return 0
    put(job_fields(found))
    if usage:
        put(usage_view(usage))
    summaries = read_summaries(told)
    if summaries:
        show_summaries(summaries)
    show_end(found, summaries)
    return 0


@app.command
def cancel(job: str, *, as_json: AsJson = False) -> int:
    """Stop a job for good; what it has done so far is kept."""
    return _want(job, "cancel", as_json)


@app.command
def pause(job: str, *, as_json: AsJson = False) -> int:
    """Stop a job until it is resumed."""
    return _want(job, "pause", as_json)


@app.command
def resume(job: str, *, as_json: AsJson = False) -> int:
    """Have a paused job go on where it stopped."""
    return _want(job, "resume", as_json)


@app.command
def delete(job: str) -> int:
    """Delete a job with its results; one that runs is stopped first."""
    Client().delete(job_path(job))
    return 0


def _want(job: str, verb: str, as_json: bool) -> int:
    changed = Client().post(job_path(job, verb))
    _print(changed, as_json, lambda: job_view([changed]))
    return 0


def _print(value: JsonDict | list[JsonDict], as_json: bool, view: Callable[[], View]) -> None:
    if as_json:
        say_json(value, indent=2)
    else:
        put(view())
