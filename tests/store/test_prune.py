from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import NotFound
from core.job import NewJob, random_id, utcnow
from core.retention import Rule
from core.settings import Settings
from core.spec import UPLOAD_SCHEME
from core.verdict import Verdict
from store.db.connect import connect, writing
from store.db.entities import NewEntity
from store.db.tables import files, jobs
from store.prune import find_surplus, prune, sizes
from store.workspace import Workspace

NOW = datetime.fromisoformat("2026-11-01")
OLD = NOW - timedelta(days=60)
RULE = Rule(timedelta(days=30))


class Home:
    """A workspace whose jobs and uploads are as old as is told."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.tables = connect(workspace.settings.jobs_url)

    def add(self, *, ended: datetime | None = OLD, text: str = "", **fields: Any) -> str:
        job_id = random_id("job-")
        asked: dict[str, Any] = {"name": job_id, "spec": None, "request": {"dataset": text}, **fields}
        self.workspace.jobs.register(NewJob(id=job_id, face="nemo-v2", **asked), f"run-{job_id}")
        folder = self.workspace.folder(job_id)
        folder.path.mkdir(parents=True)
        folder.log_path.write_text("12345")
        if ended:
            self.workspace.jobs.settle(job_id, status="completed", finished_at=ended)
        return job_id

    def upload(self, content: bytes, made: datetime = OLD) -> str:
        kept = self.workspace.files.save([content], filename="rows.jsonl", purpose="eval", file_type="jsonl")
        with writing(self.tables) as connection:
            connection.execute(sa.update(files).where(files.c.id == kept.id).values(created_at=made))
        return kept.id

    def prune(self, rule: Rule = RULE) -> None:
        prune(self.workspace, find_surplus(self.workspace, rule, NOW))

    def is_there(self, job_id: str) -> bool:
        """Whether a job is shown; it has its results, or nothing of it is left."""
        folder = self.workspace.folder(job_id)
        with suppress(NotFound):
            self.workspace.jobs.status(job_id)
            assert folder.path.exists()
            return True
        assert not folder.path.exists()
        return False

    def uploads(self) -> set[str]:
        return {record.id for record in self.workspace.files.newest()}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with closing(Workspace.open(Settings(home=tmp_path), migrating=True)) as workspace:
        home = Home(workspace)
        yield home
        home.tables.dispose()


def test_old_jobs_go_with_their_results_and_leave_their_flow_runs_to_be_deleted(home: Home) -> None:
    old, young, running = home.add(), home.add(ended=NOW - timedelta(days=1)), home.add(ended=None)
    home.prune()
    assert [home.is_there(each) for each in (old, young, running)] == [False, True, True]
    assert home.workspace.retention.gone_runs(10) == {f"run-{old}": old}
    home.workspace.retention.forget_run(f"run-{old}")
    assert home.workspace.retention.gone_runs(10) == {}


def test_what_would_go_is_told_with_its_bytes_and_stays(home: Home) -> None:
    old, upload = home.add(), home.upload(b"0123456789")
    surplus = find_surplus(home.workspace, RULE, NOW)
    assert (surplus.ids, [each.id for each in surplus.uploads]) == ([old], [upload])
    assert sizes(home.workspace, surplus) == ({old: 5}, 10)
    assert home.is_there(old)
    assert home.uploads() == {upload}


def test_an_upload_goes_once_no_job_that_stays_and_nothing_stored_names_it(home: Home) -> None:
    by_old, by_young, by_target, _by_none = (home.upload(bytes([n])) for n in range(4))
    unnamed_today = home.upload(b"new", made=NOW - timedelta(hours=1))
    home.add(text=UPLOAD_SCHEME + by_old)
    home.add(text=UPLOAD_SCHEME + by_young, ended=NOW)
    body = {"dataset": {"files_url": UPLOAD_SCHEME + by_target}}
    home.workspace.targets.add(NewEntity("t", "default", "t", "dataset", body), {})
    home.prune()
    assert home.uploads() == {by_young, by_target, unnamed_today}


def test_an_upload_that_comes_again_is_as_young_as_a_new_one(home: Home) -> None:
    before, since, gone = (home.upload(bytes([n])) for n in range(3))
    home.workspace.files.renew(before)
    surplus = find_surplus(home.workspace, RULE, NOW)
    assert {upload.id for upload in surplus.uploads} == {since, gone}
    home.workspace.files.renew(since)
    prune(home.workspace, surplus)
    assert home.uploads() == {before, since}
    with pytest.raises(NotFound):
        home.workspace.files.renew(gone)


def test_a_content_that_another_upload_has_too_stays(home: Home) -> None:
    home.upload(b"same")
    kept = home.upload(b"same", made=NOW)
    home.prune()
    assert home.uploads() == {kept}
    assert home.workspace.files.path(home.workspace.files.get(kept)).read_bytes() == b"same"


def test_a_job_with_verdicts_of_people_stays_and_is_counted(home: Home) -> None:
    judged = home.add()
    verdict = Verdict(job_id=judged, task="qa", sample=0, target="t", trial=0, metric="m", updated_at=utcnow())
    home.workspace.verdicts.put(verdict)
    assert find_surplus(home.workspace, RULE, NOW).needed == 1
    home.prune()
    assert home.is_there(judged)


def test_a_job_stays_until_its_retry_has_ended(home: Home) -> None:
    first = home.add()
    retry = home.add(ended=None, retry_of=first)
    home.prune()
    assert home.is_there(first)
    home.workspace.jobs.settle(retry, status="completed", finished_at=NOW)
    home.prune()
    assert (home.is_there(first), home.is_there(retry)) == (False, True)


def test_what_has_become_needed_since_it_was_told_stays(home: Home) -> None:
    first = home.add()
    surplus = find_surplus(home.workspace, RULE, NOW)
    home.add(ended=None, retry_of=first)
    prune(home.workspace, surplus)
    assert home.is_there(first)


@pytest.mark.parametrize(
    "step", ["store.workspace.Workspace.remove", "store.results.folder.shutil.rmtree", "store.db.jobs.Jobs.remove"]
)
def test_a_process_that_is_killed_leaves_nothing_half_there_and_the_next_goes_on(
    home: Home, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = home.add()

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(step, die)
        with pytest.raises(KeyboardInterrupt):
            home.prune()
    with pytest.raises(NotFound):
        home.workspace.jobs.status(old)
    left = find_surplus(home.workspace, RULE, NOW)
    assert (left.jobs, left.marked) == ((), 1)
    prune(home.workspace, left)
    assert not home.is_there(old)
    assert not list(home.workspace.results.glob(".deleted-*"))
    with home.tables.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(jobs)) == 0
