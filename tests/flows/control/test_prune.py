import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from core.errors import NotFound
from core.job import NewJob, random_id, utcnow
from core.settings import Settings
from flows.control.prune import A_FEW, Pruner
from store.workspace import Workspace
from tests.flows.control.service import Service


def test_the_run_of_a_deleted_job_goes_with_what_it_left_on_the_artifacts_page(service: Service) -> None:
    job_id = service.add()
    service.until_ended(job_id, looks=6)
    (run_id,) = service.prefect.runs
    service.prefect.artifacts[run_id] = {"page", "table"}
    service.workspace.jobs.want(job_id, "delete")
    service.look()
    assert (service.prefect.runs, service.prefect.artifacts) == ({}, {run_id: set()})
    assert service.workspace.retention.gone_runs(10) == {}


def test_a_run_that_prefect_no_longer_knows_or_that_cannot_be_one_is_forgotten(service: Service) -> None:
    for flow_run_id in (str(UUID(int=1)), "no id"):
        service.execute("INSERT INTO gone_runs VALUES (:run, 'job-1')", run=flow_run_id)
    service.look()
    assert service.workspace.retention.gone_runs(10) == {}


def test_a_run_that_cannot_be_deleted_keeps_no_other_from_it(service: Service) -> None:
    stuck, *others = [UUID(int=n) for n in range(1, 2 * A_FEW)]
    service.prefect.runs = dict.fromkeys((stuck, *others))  # type: ignore[assignment]  # their states do not matter
    service.prefect.broken[stuck] = httpx.DecodingError("no answer to that")
    for run_id in (stuck, *others):
        service.execute("INSERT INTO gone_runs VALUES (:run, 'job-1')", run=str(run_id))
    for _ in range(4):
        service.look()
    assert service.workspace.retention.gone_runs(100) == {str(stuck): "job-1"}
    for _ in range(12):
        service.look()
    assert service.workspace.retention.gone_runs(100) == {}


def test_jobs_that_the_settings_do_not_keep_are_marked_a_few_at_a_time(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, prune_older_than=timedelta(days=30))
    with closing(Workspace.open(settings, migrating=True)) as workspace:
        ids = []
        for _ in range(A_FEW + 2):
            ids.append(random_id("job-"))
            workspace.jobs.add(NewJob(id=ids[-1], face="nemo-v2", name=ids[-1], spec=None, request={}))
            workspace.jobs.settle(ids[-1], status="completed", finished_at=utcnow() - timedelta(days=31))
        pruner = Pruner(workspace)
        asyncio.run(pruner.prune_some())
        assert len(workspace.retention.condemned()) == A_FEW
        asyncio.run(pruner.prune_some())
        assert set(workspace.retention.condemned()) == set(ids)
        with pytest.raises(NotFound):
            workspace.jobs.status(ids[0])
