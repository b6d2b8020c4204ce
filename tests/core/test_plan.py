from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.plan import MAX_TASK_RUNS, Shard, Share, cut_blocks, cut_shards, has_room, shard_size

tasks = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(1, 100_000), min_size=1, max_size=3)


@given(tasks, st.sampled_from([1, 2]))
def test_shards_hold_every_sample_once_and_in_order(samples: dict[str, int], stages: int) -> None:
    shards = cut_shards(samples, stages)
    assert [shard.index for shard in shards] == list(range(len(shards)))
    for task, n in samples.items():
        spans = [(shard.start, shard.stop) for shard in shards if shard.task == task]
        assert spans[0][0] == 0
        assert spans[-1][1] == n
        assert all(before[1] == after[0] for before, after in pairwise(spans))


@given(st.integers(1, 10_000_000))
def test_a_job_has_no_more_task_runs_than_the_server_likes(n: int) -> None:
    assert len(cut_shards({"task": n}, 2)) * 2 <= MAX_TASK_RUNS + 2


def test_sizes_of_small_middling_and_large_jobs() -> None:
    assert shard_size(1, 2) == 25
    assert shard_size(400, 2) == 50
    assert shard_size(2_000, 2) == 250
    assert shard_size(20_000, 2) == 500
    assert shard_size(1_000_000, 2) == 11_112


@given(st.integers(1, 100_000), st.integers(1, 512))
def test_the_window_holds_samples_for_twice_the_parallelism(n: int, parallelism: int) -> None:
    shards = cut_shards({"task": n}, 2)
    begun: list[int] = []
    while len(begun) < len(shards) and has_room(begun, parallelism):
        begun.append(len(shards[len(begun)]))
    assert len(begun) == len(shards) or sum(begun) - max(begun) >= 2 * parallelism > sum(begun[:-1]) - max(begun[:-1])


def test_one_small_shard_does_not_have_many_large_ones_begin() -> None:
    assert has_room([], 8)
    assert has_room([1], 8)
    assert has_room([1, 15], 8)
    assert not has_room([1, 250, 15], 8)


def test_the_length_of_a_shard_is_its_number_of_samples() -> None:
    assert len(Shard(index=0, task="t", start=25, stop=40)) == 15


def test_shards_of_large_rows_have_fewer_of_them() -> None:
    shards = cut_shards({"a": 4, "b": 60}, 2, {"a": [20_000_000, 15_000_000, 90_000_000, 1], "b": [1] * 60})
    assert [(shard.task, shard.start, shard.stop) for shard in shards] == [
        ("a", 0, 1),
        ("a", 1, 2),
        ("a", 2, 3),
        ("a", 3, 4),
        ("b", 0, 25),
        ("b", 25, 50),
        ("b", 50, 60),
    ]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=90), st.integers(1, 20))
def test_blocks_hold_every_shard_once_and_in_order(sizes: list[int], count: int) -> None:
    shards = [Shard(index=n, task="task", start=0, stop=size) for n, size in enumerate(sizes)]
    blocks = cut_blocks(shards, count)
    assert [shard for block in blocks for shard in block] == shards
    assert all(blocks)
    assert len(blocks) <= count


def test_blocks_have_about_as_many_samples() -> None:
    blocks = cut_blocks(cut_shards({"a": 20_000, "b": 4_000}, 2), 4)
    assert [sum(map(len, block)) for block in blocks] == [6_000, 6_000, 6_000, 6_000]


@given(st.integers(1, 4096), st.integers(1, 256))
def test_the_shares_of_a_bound_are_all_of_it(bound: int, count: int) -> None:
    shares = [Share(index, count).of(bound) for index in range(count)]
    assert sum(shares) == bound
    assert max(shares) - min(shares) <= 1
