"""What runs the shards of a job: threads of its process, or the processes of a Dask cluster."""

from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from core.errors import SpecInvalid
from core.settings import Settings


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """Return the task runner that the settings name.

    A Dask cluster is that of `dask_address`, or one on this machine for each job. Its processes work in the same
    ASSAY_HOME; the bounds on requests hold in each of them. Raises SpecInvalid if the extra is not installed.
    """
    if settings.task_runner == "threads":
        return ThreadPoolTaskRunner()
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise SpecInvalid("ASSAY_TASK_RUNNER=dask needs the extra: pip install 'assay-evals[dask]'") from None
    own = {"n_workers": 2, "threads_per_worker": 8, "dashboard_address": None}
    cluster = {"address": settings.dask_address} if settings.dask_address else {"cluster_kwargs": own}
    runner: TaskRunner[Any] = DaskTaskRunner(**cluster)
    return runner
