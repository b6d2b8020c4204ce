"""Blocks of a job in the hands of several engines: the results of one, within its bounds."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from core.job import STAGES, Job
from core.plan import Share
from tasks.aggregate import aggregate
from tasks.engine.engine import Engine
from tasks.fsck.results import fsck
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tests.conftest import until
from tests.scripted import by_default, silence
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, rows, spec

BLOCKS = 3


def engine_of(lab: Lab, job: Job, index: int) -> Engine:
    share = Share(index, BLOCKS)
    return Engine(lab.workspace, job, attempt=1, worker=f"lab-{index}", tell=lab.said.append, share=share)


def carry_out(lab: Lab, job: Job, index: int) -> bool:
    engine = engine_of(lab, job, index)
    with engine.joined(index) as is_ours:
        if is_ours:
            for shard in engine.manifest.cut[index]:
                generate_shard(engine, shard, final=True)
                judge_shard(engine, shard, final=True)
        return is_ours


@pytest.mark.thorough
def test_blocks_by_several_engines_give_the_results_of_one_within_its_bound(lab: Lab) -> None:
    lab.model.latency_s = 0.01
    asked = spec(model(lab.model.url), rows(110), CORRECT, judge(lab.model.url), parallelism=4)
    whole, divided = lab.add(asked), lab.add(asked)
    summaries = lab.carry_out(whole)
    lab.model.calls.clear()
    with lab.engaged(divided) as engine, ThreadPoolExecutor() as threads:
        assert engine.settle_blocks(BLOCKS) == BLOCKS
        assert all(threads.map(lambda index: carry_out(lab, divided, index), range(BLOCKS)))
        engine.counts.note_finished()
        assert aggregate(engine) == summaries
    assert lab.scores(divided) == lab.scores(whole)
    assert len(lab.model.calls) == 220
    assert max(call["in_flight"] for call in lab.model.calls) <= 4
    assert {(count.done, count.total) for stage in STAGES for count in [lab.progress(divided).counts["qa"][stage]]} == {
        (110, 110)
    }
    assert fsck(lab.workspace.folder(divided.id)).difference is None


def test_a_block_is_one_engine_s_and_stays_so_when_the_job_s_own_engine_has_died(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(110), CORRECT))
    folder = lab.workspace.folder(job.id)
    with lab.engaged(job) as engine:
        engine.settle_blocks(BLOCKS)
        with engine_of(lab, job, 1).joined(1) as first:
            assert first
            assert not carry_out(lab, job, 1)
            assert carry_out(lab, job, 2)
            assert (folder.lock.is_joined(), folder.lock.is_joined(1), folder.lock.is_joined(2)) == (True, True, False)
    with engine_of(lab, job, 1).joined(1):
        assert folder.lock.is_occupied()
        assert not folder.lock.is_held()
        with folder.lock.vacant() as is_vacant:
            assert not is_vacant
        with lab.engaged(job, attempt=2) as again:
            assert again.settle_blocks(7) == BLOCKS
    with folder.lock.vacant() as is_vacant:
        assert is_vacant


def test_what_is_wanted_of_a_job_reaches_the_engines_of_its_blocks(lab: Lab) -> None:
    lab.model.script = lambda _: silence()
    job = lab.add(spec(model(lab.model.url), rows(110), CORRECT, parallelism=3, request_timeout_s=60))
    with lab.engaged(job) as engine, ThreadPoolExecutor() as threads:
        engine.settle_blocks(BLOCKS)
        block = engine_of(lab, job, 0)
        with block.joined(0):
            shard = threads.submit(generate_shard, block, engine.manifest.cut[0][0], final=True)
            until("a call", lambda: lab.model.calls)
            lab.workspace.jobs.want(job.id, "cancel")
            until("the shard to have stopped", shard.done)
            assert block.stop == "cancel"
    lab.model.script = by_default
