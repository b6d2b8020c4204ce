from core.job import Count
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, model, rows, spec


def test_its_progress_says_what_is_done_and_when_the_results_are_ready(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT))
    with lab.engaged(job, attempt=3) as engine:
        first, _ = engine.manifest.shards
        generate_shard(engine, first, final=True)
    halfway = lab.progress(job)
    assert (halfway.attempt, halfway.worker, halfway.results_ready_at) == (3, "lab", None)
    assert halfway.counts == {"qa": {"generate": Count(25, 30), "judge": Count(0, 30)}}
    lab.carry_out(job)
    after = lab.progress(job)
    assert after.counts == {"qa": {"generate": Count(30, 30), "judge": Count(30, 30)}}
    assert after.results_ready_at is not None
    assert after.heartbeat_at > after.results_ready_at > halfway.heartbeat_at


def test_a_finished_shard_counts_as_done_from_the_start_of_the_next_attempt(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT))
    with lab.engaged(job) as engine:
        first, second = engine.manifest.shards
        generate_shard(engine, first, final=True)
        judge_shard(engine, first, final=True)
    with lab.engaged(job, attempt=2):
        pass
    assert lab.progress(job).counts["qa"] == {"generate": Count(25, 30), "judge": Count(25, 30)}
    assert len(lab.model.calls) == len(first)
    assert not lab.workspace.folder(job.id).is_finished("generate", second)
