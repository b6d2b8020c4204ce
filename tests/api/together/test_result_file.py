"""What completed jobs leave, and what becomes of judges that fail."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.together.result_file import COUNTERS, file_id, publish, results_of
from core.errors import ResultsMissing
from core.job import NewJob, utcnow
from core.plan import DatasetDigest, Manifest, Shard
from core.spec import EvaluationSpec, FilesDataset, RecordedTarget, TaskSpec
from store.workspace import Workspace
from tasks.summaries.aggregator import Aggregator
from tests.api.together import bodies
from tests.api.together.carried import carry_out
from tests.api.together.rows import LABELS, call, judging, output, said, scored
from tests.scripted import Answer, Received, ScriptedEndpoint, failure, last_content, text


@pytest.fixture(scope="module")
def workspace(service) -> Workspace:
    return service.state


def recorded(workspace: Workspace, sizes: list[int]) -> Any:
    """Return a job with results of shards of these sizes, whose judge labels each row by its number."""
    job_id = f"eval-0000-{len(list(workspace.results.glob('*')))}"
    judge, count = judging(LABELS), sum(sizes)
    task = TaskSpec(name="classify", dataset=FilesDataset(url="file:x"), metrics=(judge,))
    spec = EvaluationSpec(targets=(RecordedTarget(column="r"),), tasks=(task,))
    job = workspace.jobs.add(NewJob(job_id, "together", {"type": "classify", "parameters": {}}, job_id, spec=spec))
    folder, aggregator = workspace.folder(job_id), Aggregator()
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    shards = [Shard(index=n, task="t", start=end - sizes[n], stop=end) for n, end in enumerate(ends)]
    for shard in shards:
        samples = range(shard.start, shard.stop)
        items = [{"n": sample} for sample in samples]
        outputs = [output(sample, None if sample % 5 == 4 else f"o{sample}") for sample in samples]
        calls = [call(n, "target", 0, said(label=LABELS.labels[n % 3])) for n in samples if n % 5 != 4]
        scores = scored(judge, items, outputs, calls)
        folder.write_samples(shard, [json.dumps(item) for item in items])
        folder.finish_generate(shard, outputs, [])
        folder.finish_judge(shard, scores, calls)
        aggregator.add(scores)
    folder.write_summaries(aggregator.summaries())
    digest = DatasetDigest(task="t", sha256="0", rows=count)
    folder.write_manifest(
        Manifest(job_id=job_id, code_version="0", spec=spec, shards=tuple(shards), datasets=(digest,))
    )
    return job


def lines(workspace: Workspace, job: Any) -> list[dict[str, Any]]:
    record = workspace.files.get(file_id(job.id))
    return [json.loads(line) for line in workspace.files.path(record).read_bytes().splitlines()]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_the_rows_are_in_the_order_of_the_input_whatever_the_shards(workspace, sizes):
    job = recorded(workspace, sizes)
    publish(workspace, job)
    rows = lines(workspace, job)
    assert [row["n"] for row in rows] == list(range(sum(sizes)))
    assert [row["label"] for row in rows] == [None if n % 5 == 4 else LABELS.labels[n % 3] for n in range(sum(sizes))]
    results = results_of(workspace, job).model_dump()
    assert sum(results["label_counts"].values()) + results["generation_fail_count"] == len(rows)


def test_a_job_is_published_once_however_often_that_is_begun(workspace):
    job = recorded(workspace, [3])
    results = results_of(workspace, job)
    counters = workspace.folder(job.id).path / COUNTERS
    record = workspace.files.get(file_id(job.id))
    assert (record.purpose, record.file_type, record.line_count) == ("eval-output", "jsonl", 3)
    assert record.job == job.id
    assert record not in workspace.retention.unnamed(utcnow() + timedelta(days=1))
    counters.unlink()  # as after a crash between the two
    publish(workspace, job)
    assert results_of(workspace, job) == results
    assert workspace.files.get(file_id(job.id)) == record


def test_a_line_ends_only_at_its_end_however_its_lines_are_told(service, workspace):
    breaks = "a\x85b\u2028c\u2029d\ne"
    with ScriptedEndpoint(lambda _: text(said(label="good"))) as endpoint:
        body = bodies.classify(bodies.judge(endpoint.url), rows_file(workspace, [{"response": breaks}] * 2))
        job_id = service.http.post("/v1/evaluation", json=body).json()["workflow_id"]
        carry_out(workspace, job_id)
    content = service.http.get(f"/v1/files/{file_id(job_id)}/content").text.splitlines()
    assert [json.loads(line)["MODEL_TO_EVALUATE_OUTPUT"] for line in content] == [breaks] * 2


def test_a_job_without_results_is_not_published(workspace):
    job = workspace.jobs.add(NewJob("eval-ffff-0", "together", {}, "eval-ffff-0", spec=None))
    with pytest.raises(ResultsMissing, match="eval-ffff-0"):
        publish(workspace, job)
    other = workspace.jobs.add(NewJob("job-1", "nemo-v2", {}, "job-1", spec=None))
    publish(workspace, other)
    assert not (workspace.folder("job-1").path / COUNTERS).exists()


JUDGED = {
    "good": said(label="good"),
    "bad": said(label="bad"),
    "fenced": "Here it is:\n```json\n" + said(label="Good") + "\n```",
    "inside": "It is right. " + said(label=" good ") + " That is all.",
    "other": said(label="excellent"),
    "junk": "It is good, or is it bad?",
    "empty": "",
}
FAILING = {
    "html": Answer(b"<html>busy</html>", headers={"content-type": "text/html"}),
    "429": failure(429),
    "nothing": Answer(cut=0, end="close"),
}
"""What a judge answers by the output that it is shown."""


def scripted(request: Received) -> Answer:
    shown = last_content(request["body"]).rpartition("\n")[2]
    if request["body"]["model"] == "model":
        return failure(400, "no") if "refuse" in shown else text(shown)
    return FAILING.get(shown) or text(JUDGED.get(shown, said(label="good")))


def rows_file(workspace: Workspace, rows: list[dict[str, Any]]) -> str:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return workspace.files.save([content], filename="rows.jsonl", purpose="eval", file_type="jsonl").id


def test_a_judge_that_fails_never_lowers_a_model(service, workspace):
    outputs = [*JUDGED, *FAILING, *["plain"] * 6]
    given_file = rows_file(workspace, [{"response": output} for output in outputs])
    with ScriptedEndpoint(scripted) as endpoint:
        body = bodies.classify(bodies.judge(endpoint.url), given_file)
        job_id = service.http.post("/v1/evaluation", json=body).json()["workflow_id"]
        carry_out(workspace, job_id)
    shown = service.http.get(f"/v1/evaluation/{job_id}").json()
    assert (shown["status"], shown["results"].get("error")) == ("completed", None)
    assert shown["results"] == {
        "label_counts": {"good": 9, "bad": 1},
        "pass_percentage": 90.0,
        "generation_fail_count": 0,
        "judge_fail_count": 4,
        "invalid_label_count": 2,
        "result_file_id": file_id(job_id),
    }
    rows = lines(workspace, workspace.jobs.get(job_id))
    assert [row["response"] for row in rows] == outputs == [row["MODEL_TO_EVALUATE_OUTPUT"] for row in rows]
    unsuccessful = {row["response"] for row in rows if not row["evaluation_successful"]}
    assert unsuccessful == {"other", "junk", "empty", *FAILING}


def test_models_that_are_asked_are_compared_in_both_orders(service, workspace):
    def script(request: Received) -> Answer:
        shown = last_content(request["body"])
        if request["body"]["model"] != "judge":
            return failure(400, "no") if "refuse" in shown else text(f"{request['body']['model']} of {shown}")
        return text(said(choice="A" if "Response A:\nlong" in shown or "position" in shown else "B"))

    rows = [{"prompt": word} for word in ("x", "y", "position", "z", "refuse", "w")]
    with ScriptedEndpoint(script) as endpoint:
        long, short = (bodies.model(endpoint.url, model=name) for name in ("long", "short"))
        body = bodies.compare(bodies.judge(endpoint.url), rows_file(workspace, rows), short, long)
        job_id = service.http.post("/v1/evaluation", json=body).json()["workflow_id"]
        carry_out(workspace, job_id)
    assert service.http.get(f"/v1/evaluation/{job_id}/status").json() == {
        "status": "completed",
        "results": {
            "A_wins": 0,
            "B_wins": 4,
            "Ties": 1,
            "num_samples": 6,
            "generation_fail_count": 2,
            "judge_fail_count": 0,
            "result_file_id": file_id(job_id),
        },
    }
    found = lines(workspace, workspace.jobs.get(job_id))
    assert [row["final_decision"] for row in found] == ["B", "B", "Tie", "B", None, "B"]
    assert found[0]["MODEL_TO_EVALUATE_OUTPUT_A"] == "short of x"
    assert {call["headers"]["authorization"] for call in endpoint.calls} == {"Bearer sk-MARKER"}


@pytest.mark.parametrize(
    ("rows", "evaluated", "template", "words"),
    [
        ([{"prompt": "x"}], "Qwen/Qwen3.5-9B", "s", ["Qwen/Qwen3.5-9B", "prompt", "column"]),
        ([{"response": "x"}], "response", "Hold it to {{ gold.answer }}", ["gold", "response", "judge"]),
        ([{"response": "x"}, {"other": "x"}], "response", "s", ["row 2", "response"]),
        ([], "response", "s", ["no rows"]),
        ([{"response": "x", "image_data_urls": "https://i.example/a.png"}], "response", "s", ["image_data_urls"]),
    ],
)
def test_what_only_the_rows_show_wrong_is_the_users_error(service, workspace, rows, evaluated, template, words):
    body = bodies.classify(bodies.judge("http://127.0.0.1:1", template), rows_file(workspace, rows), evaluated)
    job_id = service.http.post("/v1/evaluation", json=body).json()["workflow_id"]
    carry_out(workspace, job_id)
    shown = service.http.get(f"/v1/evaluation/{job_id}").json()
    assert shown["status"] == shown["status_updates"][-1]["status"] == "user_error"
    assert [word for word in words if word not in shown["results"]["error"]] == []
    listed = service.http.get("/v1/evaluation", params={"status": "user_error"}).json()
    assert listed[0] == shown


def test_columns_that_nothing_reads_are_refused_where_that_is_set(service, workspace):
    row = {"id": 1, "category": "c", "response": "r", "gold": {"answer": "a"}, "image_data_urls": None}
    body = bodies.classify(bodies.judge("http://127.0.0.1:1", "{{ gold.answer }}"), rows_file(workspace, [row]))
    job_id = service.http.post("/v1/evaluation", json=body).json()["workflow_id"]
    carry_out(workspace, job_id, strict_columns=True)
    assert service.http.get(f"/v1/evaluation/{job_id}/status").json() == {
        "status": "user_error",
        "results": {
            "error": "Unsupported dataset column(s): ['category', 'id']. Each column must be referenced by a model or "
            "judge template, or be a recognized field ('image_data_urls'). Remove unused columns or reference them in "
            "a template."
        },
    }
    assert service.state.jobs.get(job_id).failure.blame == "user"


def test_a_job_of_which_too_much_fails_has_failed(service, workspace):
    rows = [{"response": each} for each in [*["plain"] * 5, *["html"] * 5]]
    with ScriptedEndpoint(scripted) as endpoint:
        body = bodies.classify(bodies.judge(endpoint.url), rows_file(workspace, rows))
        job_id = service.http.post("/v1/evaluation", json=body).json()["workflow_id"]
        carry_out(workspace, job_id)
    shown = service.http.get(f"/v1/evaluation/{job_id}/status").json()
    assert shown["status"] == "error"
    assert "5 of 10" in shown["results"]["error"]
