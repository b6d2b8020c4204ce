"""Two homes with one database and one bucket: what one removes, the other has no copies of after its next look."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.job import NewJob, random_id
from core.settings import Settings
from store.copies import drop_copies
from store.files.contents import Files
from store.objects.disk import DISK
from store.results.folder import JobFolder
from store.workspace import Workspace
from tests.buckets import bucket
from tests.store.objects.test_bucket import OUTPUTS, SHARD, finish

Homes = tuple[Workspace, Workspace]
LINES = (b'{"n": 1}\n', b'{"n": 2}\n')


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Homes]:
    first = Workspace.open(Settings(home=tmp_path / "tables"), migrating=True)
    with closing(first):
        yield apart(first, tmp_path, "here"), apart(first, tmp_path, "there")


def apart(tables: Workspace, folder: Path, name: str) -> Workspace:
    home, objects = folder / name, bucket(folder / "kept", folder / name)
    settings = tables.settings.model_copy(update={"home": home, "store": "s3://kept", "secret_key": SecretStr("key")})
    files = Files(tables.jobs._engine, home / "files", objects)
    return replace(tables, settings=settings, objects=objects, results=home / "results", files=files)


def add(workspace: Workspace) -> JobFolder:
    job_id = random_id("job-")
    workspace.jobs.add(NewJob(id=job_id, face="nemo-v2", name=job_id, spec=None, request={}))
    finish(workspace.folder(job_id))
    return workspace.folder(job_id)


def copied(folder: JobFolder) -> bool:
    return bool(list(folder.path.rglob("*.parquet")))


def test_copies_of_a_job_that_another_machine_has_removed_go_and_those_of_no_other(homes: Homes) -> None:
    here, there = homes
    kept, gone = (there.folder(add(here).job_id) for _ in range(2))
    assert kept.read_outputs(SHARD) == gone.read_outputs(SHARD) == OUTPUTS
    assert here.remove(gone.job_id)
    with gone.lock.held():  # an engine that has yet to hear of it
        drop_copies(there)
    assert copied(gone)
    drop_copies(there)
    assert (gone.path.exists(), copied(kept)) == (False, True)
    assert kept.read_outputs(SHARD) == OUTPUTS


def test_copies_of_uploads_go_that_nobody_names(homes: Homes) -> None:
    here, there = homes
    kept, gone = (here.files.save([line], filename="rows.jsonl", purpose="eval", file_type="jsonl") for line in LINES)
    copies = [there.files.path(record) for record in (kept, gone)]
    here.files.delete(gone.id)
    drop_copies(there)
    assert [copy.exists() for copy in copies] == [True, False]


def test_what_a_home_kept_before_it_had_a_store_is_no_copy(homes: Homes) -> None:
    _, there = homes
    before, upload = JobFolder(there.results, "job-before", DISK), there.settings.home / "files" / "ab" / "ab12"
    finish(before)
    upload.parent.mkdir(parents=True)
    upload.write_bytes(LINES[0])
    drop_copies(there)
    assert before.read_outputs(SHARD) == OUTPUTS
    assert upload.exists()
