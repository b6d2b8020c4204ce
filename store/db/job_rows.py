"""Job records as rows, and back."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ValidationError

from core.errors import RecordDamaged, first_problem
from core.job import AskedJob, Input, Job, ListedJob, NewJob, Transition, utcnow
from core.result import ModelUsage
from core.spec import EvaluationSpec
from store.db.open_jobs import failure_of, history_of, usage_of
from store.files.inputs import Intake


def new_record(job: NewJob, intake: Intake) -> Job:
    """Return the record of a new job, whose rows are in files."""
    now = utcnow()
    request, inputs = intake.request(job.request)
    spec = job.spec and intake.spec(job.spec)
    own = {**fields_of(job), "spec": spec, "request": request, "inputs": inputs}
    return Job(**own, created_at=now, updated_at=now, history=(Transition("created", now),))


def fields_of(job: AskedJob) -> dict[str, Any]:
    """Return the fields of a job as they are."""
    return {field.name: getattr(job, field.name) for field in fields(job)}


def as_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as columns hold them."""
    return {name: _column(name, value) for name, value in values.items()}


def _column(name: str, value: Any) -> Any:
    if name == "history":
        return [(status, at.isoformat()) for status, at in value]
    if name == "usage" and value is not None:
        return [asdict(each) if isinstance(each, ModelUsage) else each for each in value]
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def job_of(row: sa.Row[Any]) -> Job:
    """Return the job of a row. Raises RecordDamaged for a specification that cannot be read."""
    spec = None if row.spec is None else _spec(row)
    inputs = tuple(Input(tuple(path), file_id) for path, file_id in row.inputs or ())
    return Job(**{**row._mapping, **_parsed(row), "spec": spec, "inputs": inputs})


def listed_job_of(row: sa.Row[Any]) -> ListedJob:
    """Return the job of a row that has no specification."""
    return ListedJob(**{**row._mapping, **_parsed(row)})


def _parsed(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "failure": failure_of(row.failure),
        "history": history_of(row.history),
        "usage": usage_of(row.usage),
    }


def _spec(row: sa.Row[Any]) -> EvaluationSpec:
    try:
        return EvaluationSpec.model_validate(row.spec)
    except ValidationError as error:
        raise RecordDamaged(f"The specification of job {row.id} cannot be read: {first_problem(error)}") from error
