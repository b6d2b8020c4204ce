"""The clients of all vendors, as they are shipped, against one service at the same time."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import faces
from tests.clients import test_maniac, test_together
from tests.clients.programs import SCRIPTS, environment, run
from tests.conftest import WAIT_S, Served, until
from tests.questions import FATES, Models, Questions
from tests.scripted import Answer, Received, ScriptedEndpoint, last_content

pytestmark = pytest.mark.clients

SETS = {
    faces.NemoV1: Questions("nemo1", FATES[1:] + FATES),
    faces.NemoV2: Questions("nemo2", FATES[2:] + FATES),
    faces.Nugen: Questions("nugen", FATES[3:] + FATES),
}


@pytest.fixture
def models(default_endpoint: ScriptedEndpoint) -> Iterator[ScriptedEndpoint]:
    """What all clients ask, each of its own matter."""
    questions = Models(*SETS.values())

    def script(call: Received) -> Answer:
        if str(call["body"]["messages"][0]["content"]).startswith("Is this an answer"):
            return test_together.judge(call)
        of_maniac = call["body"]["model"] in ("good", "bad") or "Response B:" in last_content(call["body"])
        return test_maniac.models(call) if of_maniac else questions(call)

    usual, default_endpoint.script = default_endpoint.script, script
    yield default_endpoint
    default_endpoint.script = usual


def test_the_clients_of_all_vendors_work_at_the_same_time(
    served: Served, models: ScriptedEndpoint, tmp_path: Path
) -> None:
    dataset = tmp_path / "rows.jsonl"
    dataset.write_text("".join(json.dumps(row) + "\n" for row in test_together.ROWS))

    def program(name: str, script: str, *arguments: str | Path) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        return json.loads(run([environment(name) / "bin" / "python", SCRIPTS / script, *arguments], folder))

    def evaluate(kind: type[faces.NemoV1 | faces.NemoV2 | faces.Nugen]) -> tuple[str, list[str]]:
        with httpx.Client(base_url=served.url, timeout=WAIT_S) as http:
            client = kind(http, models.url)
            job_id = client.create(SETS[kind])
            until(f"{job_id} to end", lambda: client.has_ended(job_id))
            assert client.figures(job_id) == SETS[kind].figures
            return job_id, client.listed()

    with ThreadPoolExecutor() as pool:
        together = pool.submit(
            program, "together-3", "together_2.py", served.url, dataset, models.url, tmp_path / "together-3"
        )
        maniac = pool.submit(program, "maniac", "maniac_05.py", served.url, "meanwhile")
        others = list(pool.map(evaluate, SETS))

    by_together = [each["job"] for each in together.result()["evaluations"].values()]
    for job in by_together:
        assert job["results"].items() >= test_together.RESULTS[job["type"]].items()
    of_maniac = maniac.result()["run"]
    assert [launch["avg_accuracy"] for launch in of_maniac["results"]["per_model"]] == [1.0, 0.0]
    assert maniac.result()["runs"] == [of_maniac["id"]]
    assert together.result()["jobs"] == [job["workflow_id"] for job in by_together][::-1]

    created = {*together.result()["jobs"], of_maniac["id"], *(job_id for job_id, _ in others)}
    for job_id, listed in others:
        assert created & set(listed) == {job_id}
    with httpx.Client(base_url=served.url, timeout=WAIT_S) as http:
        assert created <= set(faces.Native(http, models.url).listed())
    assert len(created) == 3 + 1 + len(SETS)
