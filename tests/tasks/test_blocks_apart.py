"""Blocks of a job in the hands of engines on disks of their own, which know of each other by leases alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.job import Job
from store.db.leases import Lease
from tasks.aggregate import aggregate
from tasks.engine.calls import Stopped
from tasks.fsck.results import fsck
from tasks.generate import generate_shard
from tests.conftest import until
from tests.tasks.conftest import Lab
from tests.tasks.engine.test_fence import lapse, take_over
from tests.tasks.specs import CORRECT, judge, model, rows, spec
from tests.tasks.test_apart import apart
from tests.tasks.test_blocks import BLOCKS, carry_out, engine_of
from tests.tasks.test_fulfil import job_of, pay


def divided_job(lab: Lab) -> Job:
    return lab.add(spec(model(lab.model.url), rows(110), CORRECT, judge(lab.model.url), parallelism=4))


@pytest.mark.thorough
def test_a_job_in_blocks_on_three_disks_has_each_call_once_within_its_bound(lab: Lab, tmp_path: Path) -> None:
    lab.model.latency_s = 0.01
    first, second, third = (apart(lab, tmp_path, name) for name in ("first", "second", "third"))
    job = divided_job(lab)
    with first.engaged(job) as engine, ThreadPoolExecutor() as threads:
        engine.settle_blocks(BLOCKS)
        assert all(threads.map(carry_out, (first, second, third), (job, job, job), range(BLOCKS)))
        engine.counts.note_finished()
        aggregate(engine)
    assert len(lab.model.calls) == 220
    assert max(call["in_flight"] for call in lab.model.calls) <= 4
    first.workspace.folder(job.id).write_job(job)
    assert fsck(third.workspace.folder(job.id)).difference is None
    assert lab.workspace.leases.blocks(job.id) == {}


@pytest.mark.thorough  # two seconds tell an engine that renews its lease from one that has died
def test_a_block_is_one_engine_s_though_its_lock_cannot_be_seen(lab: Lab, tmp_path: Path) -> None:
    first, second = (apart(lab, tmp_path, name) for name in ("first", "second"))
    job = divided_job(lab)
    with first.engaged(job) as engine:
        engine.settle_blocks(BLOCKS)
    with engine_of(first, job, 1).joined(1) as is_ours:
        assert is_ours
        assert second.workspace.blocks(job.id) == first.workspace.blocks(job.id) == {1}
        assert second.workspace.is_occupied(job.id)
        with second.workspace.vacant(job.id) as is_vacant:
            assert not is_vacant
        assert not carry_out(second, job, 1)
    assert not second.workspace.is_occupied(job.id)
    with second.workspace.vacant(job.id) as is_vacant:
        assert is_vacant


def test_a_block_whose_engine_has_died_elsewhere_goes_on_from_what_was_written_down(lab: Lab, tmp_path: Path) -> None:
    first, second = (apart(lab, tmp_path, name) for name in ("first", "second"))
    job = job_of(lab)
    pay(first, job)
    dead = lab.workspace.leases.take(job.id, "first", block="0", lock=first.workspace.folder(job.id).lock.name_of(0))
    assert isinstance(dead, Lease)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(carry_out, second, job, 0)
        lab.workspace.leases.give_back(dead)  # as its time will do
        assert waiting.result()
    assert len(lab.model.calls) == len(second.scores(job)) == 6


def test_an_engine_whose_block_was_taken_over_stops_and_publishes_nothing(lab: Lab, tmp_path: Path) -> None:
    late = apart(lab, tmp_path, "late")
    job = job_of(lab)
    pay(late, job)
    engine = engine_of(late, job, 0)
    with engine.joined(0):
        take_over(lab, job, block="0")
        lapse(engine)  # it has just come to itself
        with pytest.raises(Stopped):
            generate_shard(engine, engine.manifest.shards[0], final=True)
        until("the engine to hear of it", lambda: engine.stop == "superseded")
        assert not engine.folder.is_finished("generate", engine.manifest.shards[0])
    assert lab.workspace.leases.blocks(job.id) == {0: None}  # the successor's
    assert len(lab.model.calls) == 6
