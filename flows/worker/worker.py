"""Our Prefect worker: one long-lived process that runs many flow runs, each in a thread.

It is woken for new work through a named pipe besides polling, so that a job begins within a
second. Registered as the worker type `assay` by entry point; `python -m flows` runs it.
"""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

import anyio
from prefect._flow_run_suspension import mark_flow_run_suspension_requested
from prefect._internal.observers import FlowRunSuspendingObserver
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort, ParameterBindError, Pause, SignatureMismatchError
from prefect.flow_engine import run_flow
from prefect.states import Failed
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from core.settings import read_settings
from flows.worker.wake import make_pipe, wake

if TYPE_CHECKING:
    from prefect.client.schemas import FlowRun, State

BETWEEN_LOOKS_S: Final = 0.2
"""All wake-ups of so long are answered by one look: the server takes as much time for that as for a run's state."""


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
        self._suspensions = FlowRunSuspendingObserver(on_suspended=_suspend)

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        """Return a template that refuses job variables: there is no infrastructure that they could be of."""
        nothing = {"type": "object", "properties": {}, "additionalProperties": False}
        return {"job_configuration": {"command": None}, "variables": nothing}

    async def setup(self) -> None:
        """Prepare to run, and listen for wake-ups and for suspensions."""
        await super().setup()
        assert self._runs_task_group is not None
        await self._exit_stack.enter_async_context(self._suspensions)
        self._runs_task_group.start_soon(self._heed_wakes)

    async def run(
        self,
        flow_run: "FlowRun",
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> AssayWorkerResult:
        """Run the flow in a thread with a loop of its own, so that no job stalls another."""
        if task_status:
            task_status.started(os.getpid())
        self._suspensions.add_in_flight_flow_run_id(flow_run.id)
        try:
            await anyio.to_thread.run_sync(_run_flow, flow_run, limiter=self._threads)
        finally:
            self._suspensions.remove_in_flight_flow_run_id(flow_run.id)
            wake(self._settings.home)  # there is room for a run that waits
        return AssayWorkerResult(identifier=str(os.getpid()), status_code=0)

    async def get_and_submit_flow_runs(self) -> "list[FlowRun]":
        """Take up what is due; whatever comes of it, the jobs that run here go on, and Prefect is asked again."""
        if self._limiter and self._limiter.available_tokens < 1:
            self._last_polled_time = datetime.now(UTC)  # by which Prefect tells that the worker is alive
            return []
        try:
            return await super().get_and_submit_flow_runs()
        except Exception as error:  # the edge of the loops that ask: an error out of here ends the whole worker
            self._logger.warning("Flow runs could not be asked for: %s: %s", type(error).__name__, error)
            return []

    async def _submit_run(self, flow_run: "FlowRun") -> None:
        """Carry out a run that no other worker has taken up; no error of it ends the other runs here.

        Until its thread has ended the run is one that is being submitted, and is not taken up again. What Prefect does
        besides is for infrastructure that others look after: six requests to its server, and two events.
        """
        try:
            if await self._propose_pending_state(flow_run):
                await self.run(flow_run, self.job_configuration())
        except Exception as error:  # the edge of a task whose error would end all others; the run is found dead
            self._logger.warning("Flow run %s was not carried out: %s: %s", flow_run.id, type(error).__name__, error)
        finally:
            self._submitting_flow_run_ids.discard(flow_run.id)
            self._release_limit_slot(flow_run.id)

    async def _heed_wakes(self) -> None:
        pipe = os.open(make_pipe(self._settings.home), os.O_RDWR | os.O_NONBLOCK)
        try:
            while True:
                await anyio.wait_readable(pipe)
                with suppress(BlockingIOError):  # another worker of this home was faster
                    os.read(pipe, 4096)
                await self.get_and_submit_flow_runs()
                await anyio.sleep(BETWEEN_LOOKS_S)
        finally:
            os.close(pipe)


def _suspend(flow_run_id: UUID, state: "State[Any]") -> None:
    """Let a run that was suspended in Prefect go no further, if it is one of this process."""
    mark_flow_run_suspension_requested(flow_run_id, state)


def _run_flow(flow_run: "FlowRun") -> None:
    """Run `evaluate` for a flow run to its end; the outcome is in the run's state."""
    from flows.evaluate import evaluate

    try:
        # Without a deployment the engine does not watch for its suspension, in a thread and on a socket of its own.
        unwatched = flow_run.model_copy(update={"deployment_id": None})
        run = run_flow(evaluate, flow_run=unwatched, return_type="state")
        with suppress(Abort, Pause):  # the run was refused or is suspended, which its state says
            asyncio.run(cast(Coroutine[Any, Any, Any], run))
    except (ParameterBindError, SignatureMismatchError) as error:
        asyncio.run(_fail(flow_run, f"The flow cannot be called so: {error}"))


async def _fail(flow_run: "FlowRun", message: str) -> None:
    """Fail a run that Prefect's engine refuses before it gives it a state."""
    async with get_client() as client:
        await client.set_flow_run_state(flow_run.id, Failed(message=message), force=True)
