from datetime import datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nemo_microservices.types.jobs import PlatformJobStatusResponse

from api.nemo.present.jobs import MESSAGES, STATUS, echo, percent, task_status, to_job, to_result, to_results, to_status
from api.nemo.schema.responses import Status, TaskStatus
from core.job import TERMINAL, Count, Job, JobStatus, Progress, Stage
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec

STATUSES = st.sampled_from(get_args(JobStatus))
COUNTS = st.lists(st.integers(0, 50).flatmap(lambda total: st.builds(Count, st.integers(0, total), st.just(total))))
CONFIG = {"type": "custom", "groups": None, "tasks": {"qa": {"type": "data"}}}
TIME = datetime.fromisoformat("2025-09-08T19:20:32")
SPEC = EvaluationSpec(targets=(RecordedTarget(),), tasks=(TaskSpec(name="qa", dataset=RowsDataset(rows=[{"a": 1}])),))


def job(status: JobStatus = "running", note: str | None = None) -> Job:
    return Job(
        id="job-1",
        face="nemo-v2",
        spec=SPEC,
        request={"spec": {"target": {"type": "rows"}, "config": CONFIG}},
        name="job-1",
        status=status,
        note=note,
        created_at=TIME,
        updated_at=TIME,
    )


def test_every_status_has_its_word_and_its_message():
    assert set(STATUS) == set(MESSAGES) == set(get_args(JobStatus))
    assert set(STATUS.values()) == set(get_args(Status))
    assert {STATUS[status] for status in TERMINAL} == {"cancelled", "completed", "error"}


@given(STATUSES, COUNTS)
def test_progress_is_100_only_when_the_job_is_completed(status, counts):
    shown = percent(status, counts)
    assert 0 <= shown <= 100
    assert (shown == 100) == (status == "completed")


@given(STATUSES, COUNTS)
def test_a_task_is_never_shown_against_its_job(status, counts):
    shown = task_status(status, counts)
    assert shown in get_args(TaskStatus)
    assert status != "completed" or shown == "completed"
    assert status not in TERMINAL or shown in {"completed", "failed"}


def test_a_task_is_completed_once_all_its_stages_are():
    assert task_status("running", []) == "pending"
    assert task_status("running", [Count(0, 2), Count(0, 2)]) == "pending"
    assert task_status("running", [Count(2, 2), Count(1, 2)]) == "running"
    assert task_status("running", [Count(2, 2), Count(2, 2)]) == "completed"
    assert task_status("cancelled", [Count(2, 2), Count(1, 2)]) == "failed"
    assert task_status("cancelled", [Count(2, 2), Count(2, 2)]) == "completed"


@pytest.mark.parametrize("status", get_args(JobStatus))
def test_the_status_of_any_job_is_what_a_strict_client_expects(status):
    shown = to_status(job(status), None).model_dump()
    strict = PlatformJobStatusResponse.model_validate(shown)
    assert strict.status == STATUS[status]
    assert None not in shown["status_details"].values()
    assert bool(shown["error_details"]) == (shown["status"] == "error")


def test_a_note_is_the_message_and_samples_count_once_judged():
    counts: dict[str, dict[Stage, Count]] = {"qa": {"generate": Count(4, 4), "judge": Count(3, 4)}}
    shown = to_job(job(note="Rescheduled after a crash"), Progress("job-1", 1, "w", TIME, counts))
    assert shown.status_details == {
        "progress": 87.5,
        "samples_processed": 3,
        "task_status": {"qa": "running"},
        "message": "Rescheduled after a crash",
    }
    assert shown.created_at == "2025-09-08T19:20:32.000000"


def test_a_job_without_metrics_has_empty_results():
    assert to_results(job("completed"), []).model_dump() == {"tasks": {"qa": {"metrics": {}}}, "groups": {}}
    result = to_result(job("completed"), "artifacts", "http://assay/download")
    assert (result.result_name, result.artifact_url) == ("artifacts", "http://assay/download")
    assert result.created_at == "2025-09-08T19:20:32.000000"


def test_an_echo_leaves_out_nulls_and_names_but_keeps_rows_whole():
    shown = echo(
        {
            "target": {
                "name": "t",
                "namespace": "n",
                "type": "rows",
                "rows": [{"token": "x", "b": None}],
                "model": None,
            },
            "config": {"name": "c", "type": "custom", "params": None, "tasks": {"name": {"type": "data"}}},
        }
    )
    assert shown["target"] == {"type": "rows", "rows": [{"token": "x", "b": None}]}
    assert shown["config"] == {"type": "custom", "tasks": {"name": {"type": "data"}}}


@pytest.mark.parametrize(("given_format", "shown"), [(None, "nim"), ("openai", "openai")])
def test_an_echo_fills_in_the_format_of_the_endpoint(given_format, shown):
    endpoint = {"url": "https://m", "model_id": "m", "api_key": "store:1", "format": given_format}
    target = {"type": "model", "model": {"api_endpoint": endpoint}}
    echoed = echo({"target": target, "config": {"type": "custom"}})
    assert echoed["target"]["model"]["api_endpoint"] == {
        "url": "https://m",
        "model_id": "m",
        "api_key": "******",
        "format": shown,
    }
    assert endpoint["api_key"] == "store:1"
