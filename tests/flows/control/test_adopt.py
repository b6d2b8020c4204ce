"""Runs of our deployments that never got to their first line, recorded over a real store."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun, StateType

from core.job import job_id_of
from flows.control.adopt import A_FEW, LOST, adopt, unregistered
from tests.flows.control.service import Service

FORM = {"target": "ns/t", "config": "ns/c"}


@dataclass
class Runs:
    """Prefect's client, as far as runs are found and named by it."""

    found: Sequence[FlowRun] = ()
    asked: list[dict[str, Any]] = field(default_factory=list)
    changed: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    error: BaseException | None = None

    async def read_flow_runs(self, **asked: Any) -> list[FlowRun]:
        self.asked.append(asked)
        return list(self.found)

    async def update_flow_run(self, run_id: UUID, **changes: Any) -> None:
        if self.error:
            raise self.error
        self.changed[run_id] = changes


def run_of(parameters: dict[str, Any], **fields: Any) -> FlowRun:
    return FlowRun(id=uuid4(), flow_id=uuid4(), parameters=parameters, **fields)


def adopted(service: Service, client: Any, run: FlowRun) -> Any:
    return asyncio.run(adopt(client, service.workspace, run))


def test_runs_that_bear_the_labels_of_their_jobs_are_left_out() -> None:
    lost, known, older = run_of(FORM), run_of(FORM), run_of(FORM)
    known.tags.append(f"job:{job_id_of(known.id)}")
    older.name = job_id_of(older.id)  # as an earlier release named it
    client: Any = Runs([known, lost, older])
    deployment = uuid4()
    assert asyncio.run(unregistered(client, [deployment])) == [lost]
    (asked,) = client.asked
    assert asked["limit"] == A_FEW
    wanted = asked["flow_run_filter"]
    assert wanted.deployment_id.any_ == [deployment]
    assert wanted.state.type.any_ == LOST
    assert {StateType.RUNNING, StateType.COMPLETED}.isdisjoint(LOST)


def test_a_run_gets_one_job_by_which_it_is_found_and_keeps_its_tags(service: Service) -> None:
    run, client = run_of(FORM, tags=["mine"]), Runs()
    first, again = (adopted(service, client, run) for _ in range(2))
    assert first == again
    assert (first.id, first.flow_run_id, first.failure) == (job_id_of(run.id), str(run.id), None)
    assert [job.id for job in service.workspace.jobs.incomplete()] == [first.id]
    assert client.changed[run.id]["name"] == f"ns/c-{first.id[-6:]}"
    assert {"mine", "nemo-v2", f"job:{first.id}"} <= client.changed[run.id]["tags"]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({**FORM, "parallelism": "many"}, "parameter parallelism"),
        ({"target": 7}, "parameter target"),
        ({"spec": {"targets": []}}, "takes no spec"),
    ],
)
def test_a_run_whose_parameters_ask_for_nothing_is_a_job_that_says_so(
    service: Service, parameters: dict[str, Any], named: str
) -> None:
    job = adopted(service, Runs(), run_of(parameters))
    assert job.failure is not None
    assert (job.failure.blame, job.failure.code) == ("user", "invalid_spec")
    assert named in job.failure.message
    assert service.workspace.jobs.incomplete() == []


@pytest.mark.parametrize(
    "error",
    [httpx.ReadError("broke"), RuntimeError("no"), asyncio.CancelledError()],
    ids=lambda each: type(each).__name__,
)
def test_a_run_that_could_not_be_named_is_adopted_again_as_the_same_job(service: Service, error: BaseException) -> None:
    run, client = run_of(FORM), Runs(error=error)
    with pytest.raises(type(error)):
        adopted(service, client, run)
    client.error = None
    assert adopted(service, client, run).id == job_id_of(run.id)
    assert list(service.ids()) == [job_id_of(run.id)]
    assert client.changed.keys() == {run.id}
