import json
from pathlib import Path

import pytest

from cli.main import answer
from core.settings import Settings
from store.results.folder import JobFolder
from store.workspace import Workspace
from tests.scripted import ScriptedEndpoint
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, recorded, spec


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: ScriptedEndpoint) -> list[JobFolder]:
    """Two jobs that were carried out, by their ids."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    lab = Lab(Workspace.open(Settings(home=tmp_path), migrating=True), endpoint)
    jobs = [lab.add(spec(recorded("out"), [{"out": "a", "answer": "a"}], CORRECT)) for _ in range(2)]
    for job in jobs:
        lab.carry_out(job)
    return [lab.workspace.folder(job_id) for job_id in sorted(job.id for job in jobs)]


def test_jobs_that_are_whole_are_said_to_be_so(folders: list[JobFolder], capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["fsck", folders[0].job_id]) == 0
    whole = "(has not ended): 1 samples, 1 scores, 0 calls: nothing differs"
    assert capsys.readouterr().out == f"{folders[0].job_id} {whole}\n"
    assert answer(["fsck", folders[0].job_id[:-1]]) == 0
    assert capsys.readouterr().out == f"{folders[0].job_id} {whole}\n"
    assert answer(["fsck", "--all"]) == 0
    assert capsys.readouterr().out == "".join(f"{folder.job_id} {whole}\n" for folder in folders)


def test_the_first_difference_is_told_with_code_4(folders: list[JobFolder], capsys: pytest.CaptureFixture[str]) -> None:
    path = folders[1].file("scores", 0)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert answer(["fsck", "--all"]) == 4
    assert "DIFFERS: scores/00000.parquet, shard 0: the file is not as it was written" in capsys.readouterr().out
    assert answer(["fsck", "--all", "--json"]) == 4
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["difference"] is None
    assert second["difference"]["file"] == "scores/00000.parquet"


def test_what_is_no_job_is_bad_input(folders: list[JobFolder], capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        ([], "name one job"),
        (["job-none"], "no job has the id or the name 'job-none'"),
        (["../x"], "no job has the id"),
    ):
        assert answer(["fsck", *arguments]) == 2
        assert told in capsys.readouterr().err
    assert answer(["fsck", folders[0].job_id, "--all"]) == 2
