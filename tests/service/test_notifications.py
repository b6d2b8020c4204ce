"""What docs/prefect.md says of being told: its automations, made as it says, on the real server."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.conftest import WAIT_S, Served, until
from tests.scripted import ScriptedEndpoint, by_default, text
from tests.service.prefect_api import Prefect, job_of, store_pair

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
_, _, SECTION = (ROOT / "docs" / "prefect.md").read_text().partition("## Being told\n")


class Told(ThreadingHTTPServer):
    """Where messages go."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.messages: list[dict[str, Any]] = []


class _Take(BaseHTTPRequestHandler):
    server: Told

    def do_POST(self) -> None:
        self.server.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def told() -> Iterator[Told]:
    with Told() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def fence(language: str) -> str:
    [content] = re.findall(rf"^```{language}\n(.*?)^```$", SECTION.partition("\n## ")[0], re.DOTALL | re.MULTILINE)
    return str(content)


def run(served: Served, arguments: list[str], folder: Path) -> str:
    environment = os.environ | served.prefect_client
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_job_that_is_worse_than_the_one_before_it_and_one_that_fails_are_told(
    served: Served, endpoint: ScriptedEndpoint, told: Told, tmp_path: Path
) -> None:
    code = fence("python").replace(
        "https://hooks.example.com/services/of-yours", f"http://127.0.0.1:{told.server_port}"
    )
    (tmp_path / "hook.py").write_text(code)
    block = run(served, [sys.executable, "hook.py"], tmp_path).split()[-1]
    (tmp_path / "automations.yaml").write_text(fence("yaml").replace("BLOCK_ID", block))
    [command] = re.findall(r"^\$ (.*)$", fence("console"), re.MULTILINE)
    run(served, [str(Path(sys.executable).with_name("prefect")), *command.split()[1:]], tmp_path)

    prefect = Prefect(served)
    pair = store_pair(served, endpoint, "told", 20)
    names = []
    for script in (by_default, by_default, lambda _: text("no")):
        endpoint.script = script
        ended = served.wait(job_of(served, prefect.start("evaluation", **pair, name='the "nightly" job')))
        assert ended.status == "completed"
        names.append(ended.name)
    until("the message", lambda: told.messages)
    assert told.messages == [{"text": f"{names[2]} is worse than {names[1]}"}]

    failed = served.wait(job_of(served, prefect.start("evaluation", target="told/nothing", name="bad")))
    until("the second message", lambda: len(told.messages) > 1)
    assert told.messages[1]["text"] == f"bad-{failed.id[-6:]}: {failed.error_details['message']}"
    (compared,) = until("the event to be kept", lambda: prefect.events("assay.job.compared", "worse"))
    (score,) = compared["payload"]["scores"]
    assert (score["verdict"], score["difference"], score["n"], score["candidate"]) == ("worse", -1.0, 20, 0.0)
    assert -1.0 <= score["ci_low"] < score["ci_high"] < 0
    assert {"id", "name", "config", "target"} <= compared["payload"]["job"].keys()
