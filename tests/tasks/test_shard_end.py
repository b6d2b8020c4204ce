from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.shard_end import ShardEnd
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, model, rows, spec


def test_an_end_is_told_by_outcomes_and_what_there_was_none_of_is_left_out() -> None:
    assert str(ShardEnd(3, {"error": 1, "answered": 2})) == "3 samples · calls: 2 answered, 1 error"
    assert str(ShardEnd(1)) == "1 sample"


def test_a_shard_is_unanswered_if_it_asked_and_nothing_answered() -> None:
    assert ShardEnd(2, {"error": 1, "not_attempted": 1}).is_unanswered
    assert not ShardEnd(2, {"error": 1, "refused": 1}).is_unanswered
    assert not ShardEnd(2).is_unanswered


def test_the_stages_say_what_a_shard_came_to(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    with lab.engaged(job) as engine:
        (shard,) = engine.manifest.shards
        first, again = (generate_shard(engine, shard, final=True) for _ in range(2))
        judged = judge_shard(engine, shard, final=True)
    ends = list(map(str, (first, again, judged)))
    assert ends == ["2 samples · calls: 2 answered", "2 samples", "2 samples · scores: 2 scored"]
