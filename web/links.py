"""Where samples are shown, whatever their task is called."""

from urllib.parse import quote


def sample_path(task: str, number: int) -> str:
    """Return the path of a sample below those of its job's samples.

    Of a task with a part that is `.` or `..`, which browsers would take for a folder, each slash is an escape.
    """
    path = f"{quote(task)}/{number}"
    is_folder = any(part in (".", "..") for part in task.split("/"))
    return path.replace("/", "%2F") if is_folder else path


def sample_url(job_id: str, task: str, number: int) -> str:
    """Return the path of the page of a sample."""
    return f"/jobs/{quote(job_id)}/samples/{sample_path(task, number)}"
