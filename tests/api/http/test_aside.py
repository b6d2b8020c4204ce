"""Large bodies are read in another process, which is there when it is wanted and gone when it is not."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from api.http.aside import Aside, Lost
from api.http.body import DENSE
from core.settings import Settings
from store.workspace import Workspace
from tests.conftest import until

pytestmark = pytest.mark.thorough

JOBS = "/v2/evaluation/jobs"
CHECK = {"type": "string-check", "params": {"check": ["{{item.a}}", "equals", "a"]}}
TASKS = {"t": {"type": "data", "metrics": {"m": CHECK}}}


def body(rows: list[Any]) -> bytes:
    spec = {"target": {"type": "rows", "rows": rows}, "config": {"type": "custom", "tasks": TASKS}}
    return json.dumps({"spec": spec}, separators=(",", ":")).encode()


DENSE_BODY = body([{"a": 1}] * (DENSE + 1))


def asides() -> set[int]:
    """Return the processes that this one has for large bodies."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            is_child = f"\nPPid:\t{os.getpid()}\n" in status.read_text()
            command = status.with_name("cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if is_child and b"api.aside" in command:
            found.add(int(status.parent.name))
    return found


def post(service, content: bytes) -> Any:
    return service.http.post(JOBS, content=content, headers={"content-type": "application/json"})


def test_a_job_of_many_values_is_made_as_any_other(service):
    woken = len(service.woken)
    made = post(service, DENSE_BODY)
    assert made.status_code == 201, made.text
    assert len(asides()) == 1
    assert service.state.jobs.get(made.json()["id"]).face == "nemo-v2"
    until("the service was woken", lambda: len(service.woken) > woken)


@pytest.mark.parametrize("rows", [[1] * (DENSE + 2), [[]] * (DENSE + 2), [{"a": 1}, *[""] * (DENSE + 2)]], ids=range(3))
def test_a_large_body_is_refused_as_a_small_one_is(service, rows):
    large, small = post(service, body(rows)), post(service, body(rows[:2]))
    assert (large.status_code, large.json()) == (small.status_code, small.json())
    assert large.status_code == 422


def test_another_process_takes_the_place_of_one_that_died(service):
    assert post(service, DENSE_BODY).status_code == 201
    (pid,) = asides()
    os.kill(pid, signal.SIGKILL)
    until("it is known to be gone", lambda: not Path(f"/proc/{pid}").exists())
    assert post(service, DENSE_BODY).status_code == 201
    assert asides().isdisjoint({pid})


def test_a_request_whose_process_dies_is_told_so(tmp_path: Path) -> None:
    workspace = Workspace.open(Settings(home=tmp_path), migrating=True)
    before = asides()
    scope = {"type": "http", "method": "POST", "path": JOBS, "raw_path": JOBS.encode(), "query_string": b"",
             "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")], "http_version": "1.1",
             "scheme": "http", "root_path": ""}  # fmt: skip

    async def lose() -> None:
        aside = Aside(workspace.settings, lambda: None)
        assert (await aside.answer(scope, DENSE_BODY))[0]["status"] == 201
        (pid,) = asides() - before
        os.kill(pid, signal.SIGSTOP)
        asked = asyncio.create_task(aside.answer(scope, DENSE_BODY))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Lost):
            await asked

    asyncio.run(lose())
    workspace.close()
