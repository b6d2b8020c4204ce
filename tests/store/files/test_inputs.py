from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from core.errors import Conflict, DatasetUnreadable
from core.job import Input, NewJob, random_id
from core.spec import UPLOAD_SCHEME, EvaluationSpec, FilesDataset, RecordedTarget, RowsDataset, TaskSpec
from store.db.jobs import Jobs
from store.files.contents import Files
from store.files.inputs import Intake, array_of, with_rows
from tests.inputs import rows_of

ROWS: list[dict[str, Any]] = [{"said": "Paris\nis it", "n": 1}, {"said": "\u2028", "n": 1.5, "deep": [None]}]
OTHERS: list[dict[str, Any]] = [{"said": "Rome"}]


@pytest.fixture
def files(engine: sa.Engine, tmp_path: Path) -> Files:
    return Files(engine, tmp_path / "files")


@pytest.fixture
def jobs(engine: sa.Engine, files: Files) -> Jobs:
    return Jobs(engine, files)


def spec_of(*tasks: list[dict[str, Any]]) -> EvaluationSpec:
    return EvaluationSpec(
        targets=(RecordedTarget(),),
        tasks=tuple(TaskSpec(name=f"t{n}", dataset=RowsDataset(rows=rows)) for n, rows in enumerate(tasks)),
    )


def new_job(request: dict[str, Any], *tasks: list[dict[str, Any]], name: str | None = None) -> NewJob:
    job_id = random_id("job-")
    return NewJob(id=job_id, face="nemo-v2", spec=spec_of(*tasks), request=request, name=name or job_id)


def contents(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


def test_the_rows_of_a_job_are_in_a_file_that_its_specification_names(jobs: Jobs, files: Files) -> None:
    request = {"spec": {"target": {"type": "rows", "rows": ROWS}}}
    added = jobs.add(new_job(request, ROWS))
    assert jobs.get(added.id) == added
    assert rows_of(files, added.spec) == ROWS
    assert added.request == {"spec": {"target": {"type": "rows"}}}
    assert request["spec"]["target"]["rows"] == ROWS


def test_a_job_has_what_it_names_of_another_job_as_its_own(jobs: Jobs, files: Files, tmp_path: Path) -> None:
    first = jobs.add(new_job({}, ROWS))
    job_id = random_id("job-")
    again = jobs.add(NewJob(id=job_id, face="nemo-v2", spec=first.spec, request={}, name=job_id))
    jobs.remove(first.id)
    assert rows_of(files, again.spec) == ROWS
    jobs.remove(again.id)
    assert contents(tmp_path) == []


def test_an_upload_stays_what_a_job_names(jobs: Jobs, files: Files) -> None:
    upload = files.save([b"{}\n"], filename="rows.jsonl", purpose="upload", file_type="jsonl")
    dataset = FilesDataset(url=f"{UPLOAD_SCHEME}{upload.id}")
    spec = EvaluationSpec(targets=(RecordedTarget(),), tasks=(TaskSpec(name="t", dataset=dataset),))
    job_id = random_id("job-")
    assert jobs.add(NewJob(id=job_id, face="nemo-v2", spec=spec, request={}, name=job_id)).spec == spec


def test_a_request_can_be_shown_as_it_came(jobs: Jobs, files: Files) -> None:
    request = {"spec": {"tasks": [{"dataset": {"rows": OTHERS}}, {"dataset": {"rows": ROWS}}], "n": 1}}
    added = jobs.add(new_job(request, OTHERS, ROWS))

    def rows(file_id: str) -> Any:
        return orjson.loads(array_of(files.path(files.get(file_id)).read_bytes()))

    assert with_rows(added.request, added.inputs, rows) == request
    assert added.request == {"spec": {"tasks": [{"dataset": {}}, {"dataset": {}}], "n": 1}}


def test_the_same_rows_are_kept_once(jobs: Jobs, files: Files, tmp_path: Path) -> None:
    added = jobs.add(new_job({"target": {"rows": ROWS}}, ROWS, OTHERS, ROWS))
    assert [rows_of(files, added.spec, task) for task in range(3)] == [ROWS, OTHERS, ROWS]
    assert len(contents(tmp_path)) == len(files.newest()) == 2
    jobs.add(new_job({}, ROWS))
    assert len(contents(tmp_path)) == 2


def test_the_files_of_a_job_go_with_it_and_no_others(jobs: Jobs, files: Files, tmp_path: Path) -> None:
    upload = files.save([b"{}\n"], filename="a.jsonl", purpose="eval", file_type="jsonl")
    first, second = jobs.add(new_job({}, ROWS, OTHERS)), jobs.add(new_job({}, ROWS))
    jobs.remove(first.id)
    assert rows_of(files, second.spec) == ROWS
    assert len(contents(tmp_path)) == 2
    jobs.remove(second.id)
    assert files.newest() == [upload]
    assert contents(tmp_path) == [files.path(upload)]


def test_a_job_that_is_not_recorded_leaves_no_file(jobs: Jobs, files: Files, tmp_path: Path) -> None:
    jobs.add(new_job({}, OTHERS, name="nightly"))
    with pytest.raises(Conflict):
        jobs.add(new_job({}, ROWS, name="nightly"))
    assert len(contents(tmp_path)) == len(files.newest()) == 1


@pytest.mark.parametrize("value", ["\ud800"])
def test_a_row_that_is_not_json_is_named(files: Files, tmp_path: Path, value: Any) -> None:
    with Intake(files, "job-1") as intake, pytest.raises(DatasetUnreadable, match="row 2 of the request"):
        intake.spec(spec_of([{"a": 1}, {"a": value}]))
    assert contents(tmp_path) == []


@pytest.mark.parametrize("body", [{"rows": []}, {"rows": "file:x"}, {"rows": [1, 2]}, {"a": [{"rows": None}]}, {}])
def test_what_are_no_rows_stays_where_it_is(files: Files, body: dict[str, Any]) -> None:
    with Intake(files, "job-1") as intake:
        assert intake.request(body) == (body, ())


def test_a_specification_without_a_row_stays_as_it_is(files: Files) -> None:
    with Intake(files, "job-1") as intake:
        assert intake.spec(spec_of([])) == spec_of([])


def test_an_input_says_where_its_rows_were(files: Files) -> None:
    with Intake(files, "job-1") as intake:
        _, inputs = intake.request({"spec": {"tasks": [{}, {"dataset": {"rows": ROWS}}]}})
    assert inputs == (Input(("spec", "tasks", 1, "dataset", "rows"), inputs[0].file_id),)
