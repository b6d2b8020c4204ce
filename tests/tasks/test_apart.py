"""Engines on disks of their own, which have a bucket in common."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import ResultsMissing, StorageFailed
from store.objects.objects import Objects
from tasks.engine.calls import Stopped
from tasks.fsck.results import fsck
from tasks.generate import generate_shard
from tests.buckets import bucket
from tests.conftest import until
from tests.scripted import text
from tests.tasks.conftest import Lab
from tests.tasks.engine.test_fence import expire, lapse, take_over
from tests.tasks.specs import CORRECT, model, rows, spec
from tests.tasks.test_fulfil import job_of, pay


@pytest.fixture(autouse=True)
def grades(lab: Lab) -> None:
    lab.model.script = lambda _: text("a1")


def apart(lab: Lab, folder: Path, name: str) -> Lab:
    """Return a lab on a disk of its own, empty at first, over the bucket in a folder."""
    home = folder / name
    objects: Objects = bucket(folder / "kept", home)
    return replace(lab, workspace=replace(lab.workspace, objects=objects, results=home / "results"))


def test_a_job_that_one_machine_began_another_finishes_from_what_it_had_written_down(lab: Lab, tmp_path: Path) -> None:
    first, second, third = (apart(lab, tmp_path, name) for name in ("first", "second", "third"))
    job = job_of(lab)
    pay(first, job)
    shutil.rmtree(tmp_path / "first")
    [summary] = second.carry_out(job)
    assert summary.count == 6
    assert len(lab.model.calls) == 6
    second.workspace.folder(job.id).write_job(job)
    report = fsck(third.workspace.folder(job.id))
    assert (report.difference, report.calls, report.scores) == (None, 6, 6)


def test_a_shard_whose_calls_are_published_is_finished_from_those(lab: Lab, tmp_path: Path) -> None:
    first, second = (apart(lab, tmp_path, name) for name in ("first", "second"))
    job = job_of(lab)
    calls = pay(first, job)
    folder, [shard] = first.workspace.folder(job.id), first.shards(job)
    folder._publish_calls("generate", shard, list(calls.values())[:6])
    folder.journals.delete("generate", shard)
    second.carry_out(job)
    assert len(lab.model.calls) == 6
    assert fsck(second.workspace.folder(job.id)).difference is None


def test_calls_that_the_store_did_not_take_are_kept_for_the_next_attempt(lab: Lab, tmp_path: Path) -> None:
    away = apart(lab, tmp_path, "first")
    job = job_of(lab)
    with away.engaged(job) as engine:
        [shard] = engine.manifest.shards
        (tmp_path / "kept" / "results" / f"job_id={job.id}" / "journal").write_text("in the way")
        with pytest.raises(StorageFailed):
            generate_shard(engine, shard, final=True)
        (tmp_path / "kept" / "results" / f"job_id={job.id}" / "journal").unlink()
        generate_shard(engine, shard, final=True)
        assert engine.folder.is_finished("generate", shard)
    assert len(lab.model.calls) == 6


def test_calls_that_a_late_engine_writes_down_are_in_no_journal(lab: Lab, tmp_path: Path) -> None:
    late, second = (apart(lab, tmp_path, name) for name in ("late", "second"))
    job = job_of(lab)
    calls = list(pay(late, job).values())
    second.workspace.folder(job.id).journals.delete("generate", late.shards(job)[0])
    with late.engaged(job) as engine, engine.journals.opened("generate", engine.manifest.shards[0]) as journal:
        take_over(lab, job)
        lapse(engine)  # it has just come to itself, and not reported; these were answered while it stood still
        journal.append(*calls)
    assert second.workspace.folder(job.id).journals.paths() == []
    assert lab.said[-1].startswith("successor (epoch 3) has taken the job over while lab (epoch 2) was not heard of")


def test_nothing_is_left_of_a_job_that_was_deleted_while_its_engine_stood_still(lab: Lab, tmp_path: Path) -> None:
    late, second = (apart(lab, tmp_path, name) for name in ("late", "second"))
    job = job_of(lab)

    def removed() -> bool:
        expire(lab.workspace, job)
        return second.workspace.remove(job.id)

    with late.engaged(job) as engine:
        until("it to be removed", removed)
        until("the engine to hear of it", lambda: engine.stop)  # or that it was taken over to be removed
        engine.log.say("this is late")
    assert list(second.workspace.objects.below(second.workspace.results)) == []


def test_an_engine_elsewhere_visits_by_the_lease_of_the_job_until_that_is_given_back(lab: Lab, tmp_path: Path) -> None:
    first, second = (apart(lab, tmp_path, name) for name in ("first", "second"))
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT))
    with first.engaged(job) as engine:
        guest = second.visit(engine)
        generate_shard(guest, engine.manifest.shards[0], final=True)
        assert engine.folder.finished("generate") == {0}
    until("the visitor to let go", lambda: not guest.folder.lock.is_joined())
    with pytest.raises(ResultsMissing, match="another ASSAY_HOME"):
        second.visit(engine)
    with first.engaged(job) as again:
        guest = second.visit(again)
        generate_shard(guest, again.manifest.shards[1], final=True)
        assert again.folder.finished("generate") == {0, 1}
    assert len(lab.model.calls) == 30


def test_a_visitor_of_an_engine_whose_job_was_taken_over_makes_no_call(lab: Lab, tmp_path: Path) -> None:
    first, second = (apart(lab, tmp_path, name) for name in ("first", "second"))
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    with first.engaged(job) as engine:
        guest = second.visit(engine)
        take_over(lab, job)
        lapse(guest)
        with pytest.raises(Stopped):
            generate_shard(guest, engine.manifest.shards[0], final=True)
        until("the visitor to let go", lambda: not guest.folder.lock.is_joined())
    assert lab.model.calls == []
    assert guest.stop == "superseded"


def test_who_sees_another_store_cannot_visit(lab: Lab, tmp_path: Path) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    other = apart(lab, tmp_path / "other", "second")
    with (
        apart(lab, tmp_path, "first").engaged(job) as engine,
        pytest.raises(ResultsMissing, match="has no manifest for its shards, where this process looks for results"),
    ):
        other.visit(engine)
