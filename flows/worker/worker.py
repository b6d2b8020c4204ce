"""Our Prefect worker: one long-lived process that runs many flow runs, each in a thread.

It is woken for new work through a named pipe besides polling, so that a job begins within a
second. Registered as the worker type `assay` by entry point; `python -m flows` runs it.
"""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import anyio
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort, ParameterBindError, Pause, SignatureMismatchError
from prefect.flow_engine import run_flow
from prefect.states import Failed
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from core.settings import read_settings
from flows.worker.wake import make_pipe, wake

if TYPE_CHECKING:
    from prefect.client.schemas import FlowRun
    from prefect.client.schemas.responses import WorkerFlowRunResponse


class AssayWorkerResult(BaseWorkerResult):
    """The end of a flow run in this process; its state is Prefect's to know."""


class AssayWorker(BaseWorker[BaseJobConfiguration, BaseVariables, AssayWorkerResult]):
    """Runs the flow `evaluate` in this process, `ASSAY_MAX_JOBS` at a time."""

    type = "assay"
    job_configuration = BaseJobConfiguration
    _description = "Carries out Assay's evaluation jobs in one long-lived process."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take up to `ASSAY_MAX_JOBS` runs unless a limit is given."""
        self._settings = read_settings()
        kwargs["limit"] = kwargs.get("limit") or self._settings.max_jobs
        super().__init__(*args, **kwargs)
        self._threads = anyio.CapacityLimiter(kwargs["limit"])
        self._at_work: set[UUID] = set()

    async def setup(self) -> None:
        """Prepare to run, and listen for wake-ups."""
        await super().setup()
        assert self._runs_task_group is not None
        self._runs_task_group.start_soon(self._heed_wakes)

    async def run(
        self,
        flow_run: "FlowRun",
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> AssayWorkerResult:
        """Run the flow in a thread with a loop of its own, so that no job stalls another."""
        self._at_work.add(flow_run.id)
        if task_status:
            task_status.started(os.getpid())
        try:
            await anyio.to_thread.run_sync(_run_flow, flow_run, limiter=self._threads)
        finally:
            self._at_work.discard(flow_run.id)
            wake(self._settings.home)  # there is room for a run that waits
        return AssayWorkerResult(identifier=str(os.getpid()), status_code=0)

    async def get_and_submit_flow_runs(self) -> "list[FlowRun]":
        """Take up what is due; whatever comes of it, the jobs that run here go on, and Prefect is asked again."""
        try:
            return await super().get_and_submit_flow_runs()
        except Exception as error:  # the edge of the loops that ask: an error out of here ends the whole worker
            self._logger.warning("Flow runs could not be asked for: %s: %s", type(error).__name__, error)
            return []

    async def _submit_scheduled_flow_runs(self, flow_run_response: "list[WorkerFlowRunResponse]") -> "list[FlowRun]":
        """Submit the runs that are due, except where the former thread of one is still here, and may set its state."""
        here = self.limiter.statistics().borrowers
        due = [entry for entry in flow_run_response if entry.flow_run.id not in here]
        return await super()._submit_scheduled_flow_runs(due)

    async def _submit_run(self, flow_run: "FlowRun") -> None:
        """Submit a run; where that fails it is due again later, and no other run here ends for it."""
        try:
            await super()._submit_run(flow_run)
        except Exception as error:  # the edge of a task whose error would end all others
            self._logger.warning("Flow run %s could not be taken up: %s: %s", flow_run.id, type(error).__name__, error)
            self._submitting_flow_run_ids.discard(flow_run.id)
        finally:
            if flow_run.id not in self._at_work:  # Prefect keeps the room of one whose deployment is gone
                self._release_limit_slot(flow_run.id)

    async def _heed_wakes(self) -> None:
        pipe = os.open(make_pipe(self._settings.home), os.O_RDWR | os.O_NONBLOCK)
        try:
            while True:
                await anyio.wait_readable(pipe)
                with suppress(BlockingIOError):  # another worker of this home was faster
                    os.read(pipe, 4096)
                await self.get_and_submit_flow_runs()
        finally:
            os.close(pipe)


def _run_flow(flow_run: "FlowRun") -> None:
    """Run `evaluate` for a flow run to its end; the outcome is in the run's state."""
    from flows.evaluate import evaluate

    try:
        run = run_flow(evaluate, flow_run=flow_run, return_type="state")
        with suppress(Abort, Pause):  # the run was refused or is suspended, which its state says
            asyncio.run(cast(Coroutine[Any, Any, Any], run))
    except (ParameterBindError, SignatureMismatchError) as error:
        asyncio.run(_fail(flow_run, f"The flow cannot be called so: {error}"))


async def _fail(flow_run: "FlowRun", message: str) -> None:
    """Fail a run that Prefect's engine refuses before it gives it a state."""
    async with get_client() as client:
        await client.set_flow_run_state(flow_run.id, Failed(message=message), force=True)
