"""`assay logs`: what a job's log says, also while it is written."""

import signal
import time
from typing import Final

from cli.client import Client, JsonDict, job_path
from cli.follow import POLL_S
from cli.signals import heeding
from cli.terminal import say, say_json
from core.job import TERMINAL

PAGE_LINES: Final = 1000
INTERRUPTED: Final = 130


def logs(named: str, *, follow: bool, as_json: bool) -> int:
    """Print the lines of a job's log; with `follow`, those that come until the job has ended. Return the exit code."""
    client = Client()
    job_id = client.get(job_path(named))["id"]
    with heeding(signal.default_int_handler):
        try:
            _print(client, job_id, follow=follow, as_json=as_json)
        except KeyboardInterrupt:
            return INTERRUPTED
    return 0


def _print(client: Client, job_id: str, *, follow: bool, as_json: bool) -> None:
    cursor = 0
    while True:
        # Asked before the last lines are read, so that none comes after.
        has_ended = not follow or client.get(job_path(job_id))["status"] in TERMINAL
        has_more = True
        while has_more:
            page = client.get(job_path(job_id, "logs"), cursor=cursor, limit=PAGE_LINES)
            for line in page["data"]:
                say_json(line) if as_json else say(_line(line))
            cursor, has_more = page["end_cursor"], page["next_cursor"] is not None
        if has_ended:
            return
        time.sleep(POLL_S)


def _line(line: JsonDict) -> str:
    level = "" if line["level"] == "INFO" else f"{line['level']} "
    return f"{line['time'][:19].replace('T', ' ')} {level}{line['message']}"
