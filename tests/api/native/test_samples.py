import csv
import json
from io import BytesIO, StringIO
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.endpoint import Endpoint, Prompt
from core.job import NewJob, random_id
from core.plan import DatasetDigest, Manifest, Shard
from core.result import Output, Score
from core.spec import EvaluationSpec, ModelTarget, Params, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from store.results.samples import ROWS

SIZE = 6
DATASET = DatasetDigest(task="qa", sha256="", rows=10)


@pytest.fixture
def samples(service) -> str:
    """The URL of the samples of a job; each has its number as grade, and every third output begins with `=`."""
    job_id = random_id("job-")
    spec = EvaluationSpec(
        targets=(RecordedTarget(name="t"),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[])),)
    )
    service.state.jobs.add(NewJob(id=job_id, face="nemo-v1", spec=spec, request={}, name=job_id))
    folder = JobFolder(service.state.results, job_id)
    shard = Shard(index=0, task="qa", start=0, stop=SIZE)
    folder.write_samples(shard, [json.dumps({"n": n, "topic": "ab"[n % 2]}) for n in range(SIZE)])
    folder.finish_generate(
        shard,
        [Output("qa", n, "t", text=f"{'=' if n % 3 == 0 else ''}SUM({n})", tool_calls="[]") for n in range(SIZE)],
        [],
    )
    folder.finish_judge(shard, [Score("qa", n, "t", 0, "graded", "grade", "scored", float(n)) for n in range(SIZE)], [])
    unfinished = Shard(index=1, task="qa", start=SIZE, stop=10)
    manifest = Manifest(job_id=job_id, code_version="", spec=spec, shards=(shard, unfinished), datasets=(DATASET,))
    folder.write_manifest(manifest)
    return f"/api/assay/v1/jobs/{job_id}/samples"


def numbers(service, url: str, **query: Any) -> list[int]:
    answer = service.http.get(url, params=query)
    assert answer.status_code == 200, answer.text
    return [row["sample"] for row in answer.json()["data"]]


@pytest.fixture
def repeated(service) -> str:
    """The URL of the samples of a job: three, each with two trials, of which the second has the better grade."""
    job_id = random_id("job-")
    target = ModelTarget(name="t", endpoint=Endpoint(url="http://x/v1", model="m"))
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[]), prompts={"t": Prompt(body={"prompt": "?"})})
    spec = EvaluationSpec(targets=(target,), tasks=(task,), params=Params(trials=2))
    service.state.jobs.add(NewJob(id=job_id, face="nemo-v2", spec=spec, request={}, name=job_id))
    folder = JobFolder(service.state.results, job_id)
    shard = Shard(index=0, task="qa", start=0, stop=3)
    keys = [(sample, trial) for sample in range(3) for trial in range(2)]
    folder.write_samples(shard, ["{}"] * 3)
    folder.finish_generate(shard, [Output("qa", n, "t", trial, text=f"{n}.{trial}") for n, trial in keys], [])
    scores = [Score("qa", n, "t", trial, "graded", "grade", "scored", n + trial / 2) for n, trial in keys]
    folder.finish_judge(shard, scores, [])
    folder.write_manifest(Manifest(job_id=job_id, code_version="", spec=spec, shards=(shard,), datasets=(DATASET,)))
    return f"/api/assay/v1/jobs/{job_id}/samples"


def test_each_trial_is_a_row_with_its_own_scores_and_may_be_asked_for(service, repeated):
    def said(**asked: Any) -> list[tuple[int, int, str, float]]:
        rows = service.http.get(repeated, params=asked).json()["data"]
        return [(row["sample"], row["trial"], row["output"], row["scores"][0]["value"]) for row in rows]

    whole = [(n, trial, f"{n}.{trial}", n + trial / 2) for n in range(3) for trial in range(2)]
    assert said() == whole
    assert said(**{"filter[trial]": 1}) == whole[1::2]
    assert said(**{"filter[trial][lt]": 1, "sort": "-score.grade"}) == whole[4::-2]
    first = service.http.get(repeated, params={"limit": 3}).json()
    assert said(cursor=first["next_cursor"]) == whole[3:]
    lines = service.http.get(repeated, params={"format": "csv", "filter[trial]": "1"}).text.splitlines()
    assert [line.split(",")[3] for line in lines] == ["trial", "1", "1", "1"]
    assert first["coverage"] == {"samples": 3, "generated": 3, "judged": 3}


def test_a_page_says_how_much_of_the_job_it_is_of(service, samples):
    page = service.http.get(samples).json()
    assert page["coverage"] == {"samples": 10, "generated": 6, "judged": 6}
    assert page["next_cursor"] is None
    first = page["data"][0]
    assert (first["item"], first["output"], first["tool_calls"]) == ({"n": 0, "topic": "a"}, "=SUM(0)", [])
    assert [(score["metric"], score["name"], score["value"]) for score in first["scores"]] == [("graded", "grade", 0.0)]


def test_filters_searches_and_sorts_as_they_are_written(service, samples):
    assert numbers(service, samples, **{"filter[score.grade][gte]": 4}) == [4, 5]
    assert numbers(service, samples, **{"filter[item.topic]": "b", "sort": "-score.grade"}) == [5, 3, 1]
    assert numbers(service, samples, **{"search[output]": "=sum"}) == [0, 3]
    assert numbers(service, samples, **{"filter[sample]": [1, 2]}) == [1, 2]
    assert numbers(service, samples, **{"filter[outcome]": "judge_error"}) == []


def test_scores_are_summed_up_by_a_column_and_values_counted(service, samples):
    job = samples.removesuffix("/samples")
    slices = service.http.get(f"{job}/summaries", params={"slice": "item.topic"}).json()["slices"]
    assert [(each["value"], each["count"], each["mean"]) for each in slices] == [("a", 3, 2.0), ("b", 3, 3.0)]
    assert service.http.get(f"{job}/summaries", params={"slice": "topic"}).status_code == 422
    found = service.http.get(f"{job}/statistics").json()
    assert [(each["low"], each["number"]) for each in found["histograms"][0]["bins"]] == [
        (float(n), 1) for n in range(6)
    ]
    assert found["outputs"] == [{"task": "qa", "target": "t", "outputs": 6, "truncated": 0, "empty": 0}]
    assert found["calls"] == found["rate"] == []


@pytest.mark.parametrize("sort", ["sample", "-sample", "-score.grade"])
def test_cursors_lead_through_the_list(service, samples, sort):
    whole, paged, cursor = numbers(service, samples, sort=sort), [], ""
    while cursor is not None:
        page = service.http.get(samples, params={"sort": sort, "limit": 4, "cursor": cursor}).json()
        paged += [row["sample"] for row in page["data"]]
        cursor = page["next_cursor"]
    assert paged == whole
    assert sorted(whole) == list(range(SIZE))


@pytest.mark.parametrize(
    ("query", "place", "remedy"),
    [
        ({"filter[nothing]": "1"}, "filter[nothing]", "filter by one of: task, target"),
        ({"filter[score.nothing]": "1"}, "filter", "name one of: graded/grade"),
        ({"filter[sample]": "x"}, "filter[sample]", "'x' is no number"),
        ({"filter[sample][near]": "1"}, "filter[sample][near]", "use one of: eq, neq"),
        ({"filter[passed]": "perhaps"}, "filter[passed]", "neither true nor false"),
        ({"filter[passed][gt]": "true"}, "filter[passed][gt]", "true or false"),
        ({"filter[sample][gt]": ["1", "2"]}, "filter[sample][gt]", "takes one value"),
        ({'filter[item."]': "1"}, 'filter[item."]', "quotes"),
        ({"filter": "1"}, "filter", "write filter[FIELD]"),
        ({"search[topic]": "1"}, "search[topic]", "search by one of: output"),
        ({"search[output]": ""}, "search[output]", "empty"),
        ({"sort": "output"}, "sort", "sort by sample or by score.NAME"),
        ({"cursor": "xyz"}, "cursor", "next_cursor"),
        ({"limit": "1001"}, "limit", "format=jsonl"),
    ],
)
def test_what_cannot_be_asked_is_told_with_what_to_write_instead(service, samples, query, place, remedy):
    refused = service.http.get(samples, params=query)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["query", place]
    assert remedy in refused.json()["detail"][0]["msg"]


def test_a_cursor_of_another_order_is_refused(service, samples):
    cursor = service.http.get(samples, params={"limit": 2}).json()["next_cursor"]
    refused = service.http.get(samples, params={"sort": "-sample", "cursor": cursor})
    assert refused.status_code == 422


def test_the_same_rows_come_in_every_format(service, samples):
    query = {"filter[item.topic]": "b", "sort": "-sample"}
    pages = service.http.get(samples, params=query).json()["data"]
    lines = service.http.get(samples, params=query | {"format": "jsonl"})
    table = pq.read_table(BytesIO(service.http.get(samples, params=query | {"format": "parquet"}).content))
    cells = list(csv.DictReader(StringIO(service.http.get(samples, params=query | {"format": "csv"}).text)))
    assert [json.loads(line) for line in lines.text.splitlines()] == pages
    assert lines.headers["content-disposition"].endswith('.jsonl"')
    assert table.schema.equals(ROWS)
    assert table["sample"].to_pylist() == [int(row["sample"]) for row in cells] == [5, 3, 1]
    assert [row["graded/grade"] for row in cells] == ["5.0", "3.0", "1.0"]


def test_no_cell_of_a_csv_file_is_a_formula(service, samples):
    rows = list(csv.DictReader(StringIO(service.http.get(samples, params={"format": "csv"}).text)))
    assert [row["output"] for row in rows][:2] == ["'=SUM(0)", "SUM(1)"]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_file_that_cannot_be_made_is_refused_before_it_begins(service, samples):
    refused = service.http.get(samples, params={"format": "csv", "filter[score.nothing]": "1"})
    assert refused.status_code == 422
    assert service.http.get(samples, params={"format": "parquet", "filter[sample]": "99"}).status_code == 200


def test_one_sample_is_shown_whole(service, samples):
    found = service.http.get(f"{samples}/qa/3").json()
    (output,) = found["outputs"]
    assert (found["task"], found["sample"], found["item"]) == ("qa", 3, {"n": 3, "topic": "b"})
    assert (output["target"], output["output"], output["exchange"]) == ("t", "=SUM(3)", None)
    assert [service.http.get(f"{samples}/qa/{number}").status_code for number in (6, 99)] == [409, 404]
