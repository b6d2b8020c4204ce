"""What those who read the store say of a job that has ended: the API and its page, the command line, and SQL."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

import httpx

from bench.distant import Api

ROUTES: Final = {
    "scores": "/api/assay/v1/jobs/{job}/summaries",
    "usage": "/api/assay/v1/jobs/{job}/usage",
    "samples": "/api/assay/v1/jobs/{job}/samples?format=csv",
    "log": "/api/assay/v1/jobs/{job}/logs",
    "page": "/jobs/{job}",
    "SQL": "/sql?q=" + quote("SELECT * FROM scores WHERE job_id = '{job}' ORDER BY ALL", safe="{}") + "&format=csv",
}
COMMANDS: Final = {
    "assay jobs show": ("jobs", "show", "{job}", "--json"),
    "assay results": ("results", "{job}", "--format", "csv"),
}
ALL_SCORES: Final = ("sql", "SELECT * FROM scores ORDER BY ALL", "--format", "csv")
"""What `assay sql` is asked, which reads the store by itself."""

CONTENT: Final = re.compile(rb'<main id="main">.*</main>', re.DOTALL)
TOKEN: Final = re.compile(rb'name="token" value="[^"]*"')
"""What a page's forms are known by, which is another each time; links around the content depend on who asks."""


def differences(first: Api, second: Api, job_id: str) -> Iterator[str]:
    """Yield of what two API processes, and the command line that asks each, do not say the same of a job."""
    told, other = told_by(first, job_id), told_by(second, job_id)
    yield from (what for what in told if told[what] != other[what])


def told_by(api: Api, job_id: str) -> dict[str, bytes]:
    """Return all that is told of a job by an API process, and by the commands that ask it."""
    headers = {"Authorization": f"Bearer {api.key}"} if api.key else {}
    with httpx.Client(base_url=api.url, headers=headers, trust_env=False, timeout=60) as client:
        answers = {
            what: client.get(route.format(job=job_id)).raise_for_status().content for what, route in ROUTES.items()
        }
    answers["page"] = TOKEN.sub(b"", b"".join(CONTENT.findall(answers["page"])))
    asking = {"ASSAY_URL": api.url, "ASSAY_API_KEY": api.key}
    for what, words in COMMANDS.items():
        command = [sys.executable, "-m", "cli", *(word.format(job=job_id) for word in words)]
        answers[what] = printed(command, asking)
    return answers


def printed(command: list[str], variables: Mapping[str, str]) -> bytes:
    """Return what a command prints; raises CalledProcessError if it fails."""
    return subprocess.run(command, env=os.environ | variables, stdout=subprocess.PIPE, check=True).stdout
