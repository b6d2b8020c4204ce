"""What runs the shards of a job: threads of its process, or the processes of a Dask or Ray cluster."""

import os
import socket
import threading
from tempfile import TemporaryDirectory
from typing import Any, Final, NoReturn

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from core.errors import Misconfigured
from core.settings import Settings, read_settings

OWN_DASK: Final[dict[str, Any]] = {"n_workers": 2, "threads_per_worker": 8, "dashboard_address": None}
OWN_RAY: Final[dict[str, Any]] = {"num_cpus": 2, "include_dashboard": False, "log_to_driver": False}

REACHED_WITHIN_S: Final = 10.0

_connecting = threading.Lock()


class _RunnerOfSettings(ThreadPoolTaskRunner[Any]):
    def duplicate(self) -> TaskRunner[Any]:  # type: ignore[override]  # Prefect enters what this returns, whatever it is
        """Return the task runner of a run."""
        return task_runner(read_settings())


class _Unreachable(ThreadPoolTaskRunner[Any]):
    """In the place of a cluster that is not there: the job fails with why. Without a runner it would be begun again."""

    def __init__(self, why: Exception) -> None:
        super().__init__()
        self._why = why

    def submit(self, *_: Any, **__: Any) -> NoReturn:
        raise self._why


RUNNER_OF_SETTINGS: TaskRunner[Any] = _RunnerOfSettings()
"""Stands in the flow for the task runner that the settings name when a run begins."""


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """Return the task runner that the settings name.

    A cluster is that of an address, or one on this machine: of Dask for each job, of Ray for all jobs of this process.
    Its processes work in the same ASSAY_HOME.
    """
    match settings.task_runner:
        case "threads":
            return ThreadPoolTaskRunner()
        case "dask":
            return _dask(settings.dask_address)
        case "ray":
            return _ray(settings)


def _dask(address: str | None) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner  # an extra

    runner: TaskRunner[Any] = DaskTaskRunner(**({"address": address} if address else {"cluster_kwargs": OWN_DASK}))
    return runner


def _ray(settings: Settings) -> TaskRunner[Any]:
    import ray  # an extra
    from prefect_ray.task_runners import RayTaskRunner

    address = settings.ray_address
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine unasked
    with _connecting, TemporaryDirectory() as nothing:
        # A process has one connection: what Prefect's runner opens it closes at the end of its job, under all others.
        if not ray.is_initialized():
            # Without a folder of its own Ray has packages looked for in that of this process first.
            environment = {"working_dir": nothing, "env_vars": {} if address else {"ASSAY_HOME": str(settings.home)}}
            try:
                _reach(address)
                ray.init(address or "local", namespace="assay", runtime_env=environment, **({} if address else OWN_RAY))
            except (OSError, RuntimeError) as error:  # one of another version is the latter
                where = f"at {address}, which ASSAY_RAY_ADDRESS names" if address else "on this machine"
                return _Unreachable(Misconfigured(f"No Ray cluster takes us in {where}: {error}"))
    runner: TaskRunner[Any] = RayTaskRunner()
    return runner


def _reach(address: str | None) -> None:
    """Raise OSError where nobody listens at an address with a port, which Ray itself would try again for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), timeout=REACHED_WITHIN_S).close()
