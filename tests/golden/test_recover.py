"""The records of jobs are lost, and made again from their folders of results."""

from contextlib import closing
from pathlib import Path

import pytest

from api.recover import republish
from core.errors import ServiceError
from core.settings import Settings
from store.recover import losses, recover
from store.workspace import Workspace
from tests import faces
from tests.golden.make import FACES, KEY, make, questions_of
from tests.golden.test_golden import RELEASES, opened, unpacked
from tests.scripted import ScriptedEndpoint

ENDED = ("nemo-v1", "nemo-v2", "together", "maniac", "failed", "computed", "nugen")


def lose_records(home: Path) -> None:
    for file in home.glob("assay.db*"):
        file.unlink()


def recover_all(workspace: Workspace) -> dict[str, str]:
    found = list(recover(workspace))
    for each in found:
        if each.job:
            republish(workspace, each.job)
    return {each.job_id: each.job.face if each.job else each.problem for each in found}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.mark.thorough
def test_every_face_shows_its_finished_jobs_as_before(home: Path, endpoint: ScriptedEndpoint) -> None:
    made = make(home)
    lose_records(home)
    with opened(home, endpoint) as (workspace, http):
        assert [loss[:22] for loss in losses(workspace)] == ["7 finished jobs have r"]
        assert set(recover_all(workspace)) == {made[name] for name in ENDED}
        assert recover_all(workspace) == {}
        assert list(losses(workspace)) == []
        for kind in FACES:
            client, job_id = kind(http, endpoint.url), made[kind.face]
            assert client.listed().count(job_id) == 1
            assert client.has_ended(job_id)
            assert client.figures(job_id) == questions_of(kind).figures
        failed = faces.Native(http, endpoint.url).job(made["failed"])
        assert (failed["status"], failed["failure"]["code"]) == ("failed", "endpoint_refused")
    assert KEY.encode() not in b"".join(path.read_bytes() for path in home.rglob("job.parquet"))


def test_records_that_are_there_are_left_alone(home: Path, endpoint: ScriptedEndpoint) -> None:
    made = unpacked(RELEASES[0], home.parent)
    with opened(home, endpoint) as (workspace, _):
        before = {name: workspace.jobs.get(job_id) for name, job_id in made.items()}
        workspace.jobs.remove(made["failed"])
        assert set(recover_all(workspace)) == {made["failed"]}
        after = {name: workspace.jobs.get(job_id) for name, job_id in made.items() if name != "failed"}
        assert after == {name: job for name, job in before.items() if name != "failed"}


def test_jobs_of_the_first_release_are_shown_as_far_as_their_folders_tell(
    home: Path, endpoint: ScriptedEndpoint
) -> None:
    made = unpacked(RELEASES[0], home.parent)
    lose_records(home)
    with opened(home, endpoint) as (workspace, http):
        assert set(recover_all(workspace).values()) == {"nemo-v2"}
        native, nemo = faces.Native(http, endpoint.url), faces.NemoV2(http, endpoint.url)
        for kind in FACES:
            assert native.samples_of(made[kind.face], kind.score) == questions_of(kind).samples
        assert set(nemo.listed()) == {made[name] for name in ENDED}
        assert nemo.has_ended(made["together"])


def test_a_folder_that_cannot_be_read_is_named_and_stops_no_other(home: Path, endpoint: ScriptedEndpoint) -> None:
    made = unpacked(RELEASES[0], home.parent)
    lose_records(home)
    (home / "results" / f"job_id={made['computed']}" / "job.parquet").write_bytes(b"PAR1")
    with opened(home, endpoint) as (workspace, _):
        found = recover_all(workspace)
    assert len(found) == len(ENDED)
    assert found[made["computed"]].startswith(f"results/job_id={made['computed']}/job.parquet is damaged")


def test_a_lost_key_is_told_and_no_other_made_in_its_place(home: Path) -> None:
    unpacked(RELEASES[0], home.parent)
    (home / "secret.key").unlink()
    with pytest.raises(ServiceError, match=r"secret\.key is missing, .* set ASSAY_SECRET_KEY"):
        Workspace.open(Settings(home=home), migrating=True)
    assert not (home / "secret.key").exists()
    with closing(Workspace.open(Settings(home=home, secret_key="another"), migrating=True)) as workspace:
        (loss,) = losses(workspace)
        assert "cannot be decrypted: ASSAY_SECRET_KEY" in loss
