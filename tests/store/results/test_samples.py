import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.errors import InvalidInput, ResultsMissing
from core.plan import Manifest, Shard
from core.queries.samples import Condition, Selection, condition, order, search
from core.result import Output, Score
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from store.results.sample_sql import Position
from store.results.samples import ROWS, Samples
from tasks.summaries.slices import summaries_so_far

TARGETS = ("zed", "abe")
SIZES = {"qa": 7, "again": 3}
TASKS = tuple(SIZES)


def shards() -> list[Shard]:
    return [
        Shard(index=0, task="qa", start=0, stop=3),
        Shard(index=1, task="qa", start=3, stop=6),
        Shard(index=2, task="qa", start=6, stop=7),
        Shard(index=3, task="again", start=0, stop=3),
    ]


def write(folder: JobFolder, *, generated: Sequence[int] = range(4), judged: Sequence[int] = range(4)) -> JobFolder:
    """Two tasks over two targets; the grade of an output is its sample mod 3, and missing for each fourth."""
    for shard in shards():
        numbers = range(shard.start, shard.stop)
        folder.write_samples(
            shard, [f'{{"n":{n},"topic":"t{n % 2}","deep":{{"x":"y{n}"}},"a.b":"c"}}' for n in numbers]
        )
        keys = [(shard.task, n, target) for n in numbers for target in TARGETS]
        if shard.index in generated:
            texts = [Output(*key, text=f"It's {key[1]} ÄÖ 100%", truncated=key[1] == 2) for key in keys]
            folder.finish_generate(shard, texts, [])
        if shard.index in judged:
            scores = [score for key in keys for score in scores_of(*key)]
            folder.finish_judge(shard, scores, [])
    tasks = tuple(TaskSpec(name=name, dataset=RowsDataset(rows=[])) for name in TASKS)
    spec = EvaluationSpec(targets=tuple(RecordedTarget(name=name) for name in TARGETS), tasks=tasks)
    manifest = Manifest(job_id=folder.job_id, code_version="", spec=spec, shards=tuple(shards()), datasets=())
    folder.write_manifest(manifest)
    return folder


def scores_of(task: str, n: int, target: str) -> list[Score]:
    exact = Score(task, n, target, 0, "exact", "same", "scored", float(n % 2), passed=n % 2 == 1)
    if n % 4 == 3:
        return [exact, Score(task, n, target, 0, "graded", "grade", "judge_unparsable", error="no number")]
    return [exact, Score(task, n, target, 0, "graded", "grade", "scored", float(n % 3), feedback=f"fine {n}")]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samples]:
    # DuckDB takes some of these characters for patterns, and the quote for the end of a text.
    odd = tmp_path_factory.mktemp("it's [a-z] *?")
    with Samples.open(write(JobFolder(odd, "job-1"))) as opened:
        yield opened


def found(samples: Samples, *conditions: Condition) -> set[tuple[str, int]]:
    positions = samples.find(Selection(conditions), limit=100)
    return {(position.task, position.sample) for position in positions}


def of_qa(*numbers: int) -> set[tuple[str, int]]:
    return {("qa", number) for number in numbers}


def test_rows_are_in_the_order_of_the_job(samples: Samples) -> None:
    positions = samples.find(Selection(), limit=100)
    expected = [(task, n, target) for task, size in SIZES.items() for n in range(size) for target in TARGETS]
    assert [position[1:4] for position in positions] == expected
    assert [position[1:4] for position in samples.find(Selection(descending=True), limit=100)] == expected[::-1]


def test_a_row_has_its_item_its_output_and_its_scores(samples: Samples) -> None:
    table = samples.load([Position(None, "qa", 3, "abe", 0), Position(None, "again", 1, "zed", 0)])
    third, first = table.to_pylist()
    assert table.schema.equals(ROWS)
    assert third["item"] == '{"n":3,"topic":"t1","deep":{"x":"y3"},"a.b":"c"}'
    assert third["output"] == "It's 3 ÄÖ 100%"
    assert [(score["metric"], score["outcome"], score["value"]) for score in third["scores"]] == [
        ("exact", "scored", 1.0),
        ("graded", "judge_unparsable", None),
    ]
    assert (first["task"], first["sample"], first["scores"][1]["feedback"]) == ("again", 1, "fine 1")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([condition("sample", "gte", ["5"])], of_qa(5, 6)),
        ([condition("truncated", "eq", ["true"]), condition("task", "eq", ["qa"])], of_qa(2)),
        ([condition("task", "neq", ["again"]), condition("sample", "lt", ["2"])], of_qa(0, 1)),
        ([condition("task", "eq", ["qa"]), condition("sample", "eq", ["1", "4"])], of_qa(1, 4)),
        ([condition("outcome", "eq", ["judge_unparsable"])], of_qa(3)),
        ([condition("metric", "eq", ["exact"]), condition("outcome", "eq", ["judge_unparsable"])], set()),
        ([condition("score", "eq", ["grade"]), condition("value", "gt", ["1"])], of_qa(2, 5) | {("again", 2)}),
        ([condition("score.grade", "gte", ["2"]), condition("score.same", "eq", ["1"])], of_qa(5)),
        (
            [condition("score.graded/grade", "gte", ["2"]), condition("passed", "eq", ["false"])],
            {("again", 2)} | of_qa(2),
        ),
        ([condition("item.topic", "eq", ["t1"]), condition("task", "eq", ["qa"])], of_qa(1, 3, 5)),
        ([condition("item.n", "gte", ["5"])], of_qa(5, 6)),
        ([condition("item.deep.x", "eq", ["y6"])], of_qa(6)),
        ([condition("item.a.b", "neq", ["c"])], set()),
        ([condition("item.deep.none", "eq", ["c"])], set()),
        ([search("output", ["is", "it's 6 äö 100%"]), condition("sample", "gt", ["5"])], of_qa(6)),
        ([search("output", ["1%0"])], set()),
        ([search("item", ["Y6"])], of_qa(6)),
        ([search("feedback", ["FINE 6"])], of_qa(6)),
        ([search("error", ["no number"])], of_qa(3)),
    ],
)
def test_conditions_find_the_rows_that_they_hold_for(
    samples: Samples, conditions: list[Condition], expected: set[tuple[str, int]]
) -> None:
    assert found(samples, *conditions) == expected
    assert samples.find(Selection(tuple(conditions), ("sample",), True), limit=100)[::-1] == samples.find(
        Selection(tuple(conditions)), limit=100
    )


@pytest.mark.parametrize("text", ["') OR true --", "'; DROP VIEW outputs; --", "$p0", "a'||'b", "%", "_"])
def test_what_is_asked_for_is_never_taken_for_sql(samples: Samples, text: str) -> None:
    assert found(samples, condition("label", "eq", [text])) == set()
    assert found(samples, condition(f"item.deep.{text}", "neq", ["x"])) == found(samples)
    assert found(samples, search("item", [text])) == set()
    with pytest.raises(InvalidInput, match="there is no score"):
        found(samples, condition(f"score.{text}", "eq", ["1"]))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (condition("task", "eq", ["qa", "none"]), "there is no task 'none'; there are: qa, again"),
        (condition("target", "neq", ["none"]), "there is no target 'none'; there are: zed, abe"),
        (condition("metric", "eq", ["none"]), "there is no metric 'none'; there are: exact, graded"),
        (condition("score", "eq", ["none"]), "there is no score 'none'; there are: same, grade"),
        (condition("item.none", "neq", ["c"]), "no row has a column 'none'; columns: a.b, deep, n, topic"),
    ],
)
def test_a_name_that_the_job_does_not_have_is_refused_with_those_it_has(
    samples: Samples, asked: Condition, told: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        found(samples, asked)
    assert refused.value.message == told


@pytest.mark.thorough
@pytest.mark.parametrize("sort", ["sample", "-sample", "score.grade", "-score.grade", "-score.exact/same"])
@pytest.mark.parametrize(
    "asked", [(), (condition("item.topic", "eq", ["t1"]), condition("truncated", "eq", ["false"]))]
)
def test_the_pages_together_are_the_list(samples: Samples, sort: str, asked: tuple[Condition, ...]) -> None:
    selection = Selection(asked, *order(sort))
    whole = samples.find(selection, limit=100)
    paged: list[Position] = []
    while page := samples.find(selection, limit=7, after=paged[-1] if paged else None):
        paged += page
    assert paged == whole
    assert len(set(paged)) == len(paged) > 0
    assert sum(block.num_rows for block in samples.blocks(selection, size=7)) == len(whole)


def test_a_list_sorted_by_a_score_has_what_was_not_scored_last(samples: Samples) -> None:
    values = [position.value for position in samples.find(Selection((), ("score", "grade"), True), limit=100)]
    assert values == [2.0] * 6 + [1.0] * 6 + [0.0] * 6 + [None] * 2
    ascending = samples.find(Selection((), ("score", "grade")), limit=100)
    assert [position.value for position in ascending] == [0.0] * 6 + [1.0] * 6 + [2.0] * 6 + [None] * 2
    assert [position.sample for position in ascending[:4]] == [0, 0, 6, 6]


@pytest.mark.thorough
@pytest.mark.parametrize("asked", [(), (condition("sample", "gte", ["1"]),)])
def test_the_list_of_a_complete_job_is_the_same_whatever_is_known_of_its_best_values(
    tmp_path: Path, asked: tuple[Condition, ...]
) -> None:
    folder = write(JobFolder(tmp_path, "job-1"))
    selections = [Selection(asked, *order(sort)) for sort in ("score.grade", "-score.grade", "score.same")]

    def lists() -> list[list[Position]]:
        with Samples.open(folder) as samples:
            return [samples.find(each, limit=limit) for each in selections for limit in range(1, 22)]

    before = lists()
    folder.write_summaries(summaries_so_far(folder))
    assert lists() == before


def test_for_a_page_of_the_best_value_no_shards_are_read_beyond_it(tmp_path: Path) -> None:
    folder = write(JobFolder(tmp_path, "job-1"))
    folder.write_summaries(summaries_so_far(folder))
    with Samples.open(folder) as samples:
        folder.file("scores", 3).unlink()
        best = samples.find(Selection((), ("score", "grade")), limit=2)
        assert [(position.value, position.sample) for position in best] == [(0.0, 0), (0.0, 0)]
        with pytest.raises(ResultsMissing):
            samples.find(Selection((), ("score", "grade")), limit=20)


def test_the_first_rows_of_a_file_wait_for_no_shards_that_come_later(tmp_path: Path) -> None:
    folder = write(JobFolder(tmp_path, "job-1"))
    folder.file("outputs", 2).write_bytes(b"damaged")
    with Samples.open(folder) as samples:
        blocks = samples.blocks(Selection(), size=4)
        assert next(blocks)["sample"].to_pylist() == [0, 0, 1, 1]
        with pytest.raises(ResultsMissing, match=r"outputs/00002\.parquet is damaged"):
            list(blocks)


def test_a_running_job_shows_what_its_shards_have_finished(tmp_path: Path) -> None:
    with Samples.open(write(JobFolder(tmp_path, "job-1"), generated=[1, 3], judged=[3])) as samples:
        assert samples.coverage == (10, 6, 3)
        assert found(samples) == of_qa(3, 4, 5) | {("again", n) for n in range(3)}
        assert found(samples, condition("score.same", "gte", ["0"])) == {("again", n) for n in range(3)}
        unjudged = samples.load(samples.find(Selection((condition("task", "eq", ["qa"]),)), limit=1)).to_pylist()
        assert unjudged[0]["scores"] == []


def test_a_job_that_has_nothing_yet_has_no_rows(tmp_path: Path) -> None:
    with Samples.open(JobFolder(tmp_path, "job-1")) as samples:
        assert samples.coverage == (0, 0, 0)
        assert samples.find(Selection((condition("score.any", "eq", ["1"]),)), limit=5) == []
        assert samples.find(Selection((), ("score", "any")), limit=5) == []
        assert samples.load([]).num_rows == 0


def test_a_score_that_several_metrics_have_is_named_with_its_metric(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path, "job-1")
    write(folder)
    shard = shards()[0]
    both = [Score("qa", 0, "zed", 0, metric, "same", "scored", 1.0) for metric in ("one", "two")]
    folder.finish_judge(shard, both, [])
    with Samples.open(folder) as samples:
        with pytest.raises(InvalidInput, match="several metrics have a score 'same'; name one of: exact/same"):
            found(samples, condition("score.same", "eq", ["1"]))
        assert found(samples, condition("score.two/same", "eq", ["1"])) == of_qa(0)


def test_a_damaged_file_is_named_as_such(tmp_path: Path) -> None:
    folder = write(JobFolder(tmp_path, "job-1"))
    file = folder.path / "outputs" / "00001.parquet"
    file.write_bytes(random.Random(1).randbytes(500))
    with (
        Samples.open(folder) as samples,
        pytest.raises(ResultsMissing, match=r"job_id=job-1/outputs/00001\.parquet is damaged"),
    ):
        samples.find(Selection(), limit=100)
