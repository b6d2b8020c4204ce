"""Several workers on one home: they share the jobs, and each may die without the others."""

from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from bench.trial import PARALLELISM, Trial
from bench.victims import child, kill_child
from core.settings import Settings
from store.workspace import Workspace
from tests.conftest import serving, until
from tests.scripted import ScriptedEndpoint

pytestmark = pytest.mark.slow

JOBS = 16
SAMPLES = 200
WORKERS = 2


def are_all_at_work(home: Path, job_ids: list[str]) -> bool:
    """Whether each worker has reported of several jobs."""
    with closing(Workspace.open(Settings(home=home))) as workspace:
        jobs = Counter(report.worker for report in workspace.jobs.progress(job_ids).values())
    return len(jobs) == WORKERS and min(jobs.values()) > 1


def test_sixteen_jobs_over_two_workers_lose_nothing_though_each_is_killed(tmp_path: Path) -> None:
    with (
        serving(tmp_path, ASSAY_WORKERS=str(WORKERS)) as served,
        ScriptedEndpoint(latency_s=0.1) as endpoint,
    ):
        supervisor = served.process.pid
        until("both workers", lambda: all(child(supervisor, "worker", number) for number in range(WORKERS)))
        trial = Trial(
            served.url,
            tmp_path / "results",
            endpoint.url,
            lambda victim: kill_child(supervisor, victim),  # the one that was started first: each once
            samples=SAMPLES,
            jobs=JOBS,
        )
        trial.top_up()
        until("both workers to be at several jobs", lambda: are_all_at_work(tmp_path, trial.job_ids))
        trial.strike("worker", "any", 0)
        until("the first to be there again", partial(child, supervisor, "worker", WORKERS - 1))
        trial.strike("worker", "any", 2)
        found = trial.finish()

    assert found.failures == []
    assert [report.status for report in found.reports] == ["completed"] * JOBS
    assert found.recorded == found.calls * JOBS
    assert sum(each.calls for each in found.repaid) <= JOBS * PARALLELISM
