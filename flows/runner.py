"""What runs the shards of a job: threads of its process, or the processes of a Dask cluster."""

from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from core.settings import Settings, read_settings


class _RunnerOfSettings(ThreadPoolTaskRunner[Any]):
    def duplicate(self) -> TaskRunner[Any]:  # type: ignore[override]  # Prefect enters what this returns, whatever it is
        """Return the task runner of a run."""
        return task_runner(read_settings())


RUNNER_OF_SETTINGS: TaskRunner[Any] = _RunnerOfSettings()
"""Stands in the flow for the task runner that the settings name when a run begins."""


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """Return the task runner that the settings name.

    A Dask cluster is that of `dask_address`, or one on this machine for each job. Its processes work in the same
    ASSAY_HOME; the bounds on requests hold in each of them.
    """
    if settings.task_runner == "threads":
        return ThreadPoolTaskRunner()
    from prefect_dask.task_runners import DaskTaskRunner  # an extra

    own = {"n_workers": 2, "threads_per_worker": 8, "dashboard_address": None}
    cluster = {"address": settings.dask_address} if settings.dask_address else {"cluster_kwargs": own}
    runner: TaskRunner[Any] = DaskTaskRunner(**cluster)
    return runner
