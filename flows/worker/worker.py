"""Our Prefect worker: one long-lived process that runs many flow runs, each in a thread.

It is woken for new work through a named pipe besides polling, so that a job begins within a
second. Registered as the worker type `assay` by entry point; `python -m flows` runs it, and `prefect worker start` too.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from contextlib import closing, suppress
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast
from uuid import UUID

import anyio
from prefect._flow_run_suspension import mark_flow_run_suspension_requested
from prefect._internal.observers import FlowRunSuspendingObserver
from prefect.client.base import PrefectHttpxAsyncClient
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort, ParameterBindError, Pause, SignatureMismatchError
from prefect.flow_engine import run_flow
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
    PREFECT_WORKER_QUERY_SECONDS,
    temporary_settings,
)
from prefect.states import Failed
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from core.settings import Settings, read_settings
from flows.worker.certificate import one_certificate
from flows.worker.tuning import allocate_sparingly, collect_seldom
from flows.worker.wake import forget_stop, listeners, listening, note_stop, wake
from store.objects.segments import keep_all

if TYPE_CHECKING:
    from prefect.client.schemas import FlowRun, State
    from prefect.client.schemas.responses import WorkerFlowRunResponse

BETWEEN_LOOKS_S: Final = 0.2
"""All wake-ups of so long are answered by one look: the server takes as much time for that as for a run's state."""

QUERY_S: Final = 2.0
"""Between two looks of a worker that nobody wakes, unless Prefect's setting says otherwise."""

GIVE_WAY_S: Final = 0.1
"""So long a worker lets others go first for each of its runs, of `MOST_WAYS` at most: enough to take one up."""

MOST_WAYS: Final = 4

TIDIED_AFTER_S: Final = 3600.0


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
        """Prepare to run, and listen for wake-ups, for suspensions and for the end."""
        self._heed_signals()
        allocate_sparingly()
        unless_set: dict[Any, Any] = {PREFECT_WORKER_QUERY_SECONDS: QUERY_S}
        if PREFECT_API_URL.value().startswith("http://"):
            unless_set[PREFECT_API_SSL_CERT_FILE] = str(one_certificate(self._settings.home))
        self._exit_stack.enter_context(temporary_settings(set_defaults=unless_set))
        await super().setup()
        asked = cast(PrefectHttpxAsyncClient, self.client._client)
        if not asked.enable_csrf_support:  # this one has asked; each other would ask again
            self._exit_stack.enter_context(temporary_settings({PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False}))
        collect_seldom()
        assert self._runs_task_group is not None
        await self._exit_stack.enter_async_context(self._suspensions)
        self._runs_task_group.start_soon(self._heed_wakes)
        if self._settings.store:
            self._runs_task_group.start_soon(self._drop_copies)

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

    def _heed_signals(self) -> None:
        """Have this process end at once when it is told to stop, which is noted; its jobs go on from the journals."""
        home = self._settings.home
        forget_stop(home)

        def stop(_number: int, _frame: FrameType | None) -> NoReturn:
            note_stop(home)
            keep_all()
            os._exit(0)

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop)

    async def get_and_submit_flow_runs(self) -> "list[FlowRun]":
        """Take up what is due; whatever comes of it, the jobs that run here go on, and Prefect is asked again.

        Of several workers that are woken at once, those that have less to do are first.
        """
        if self._limiter and self._limiter.available_tokens < 1:
            self._last_polled_time = datetime.now(UTC)  # by which Prefect tells that the worker is alive
            return []
        if self._limiter and self._limiter.borrowed_tokens and listeners(self._settings.home) > 1:
            await anyio.sleep(GIVE_WAY_S * min(self._limiter.borrowed_tokens, MOST_WAYS))
        try:
            return await super().get_and_submit_flow_runs()
        except Exception as error:  # the edge of the loops that ask: an error out of here ends the whole worker
            self._logger.warning("Flow runs could not be asked for: %s: %s", type(error).__name__, error)
            return []

    async def _submit_scheduled_flow_runs(self, flow_run_response: "list[WorkerFlowRunResponse]") -> "list[FlowRun]":
        """Take up this worker's share of what is due, the oldest first; for the rest all look again."""
        new = [each for each in flow_run_response if each.flow_run.id not in self._submitting_flow_run_ids]
        share = -(-len(new) // max(1, listeners(self._settings.home)))
        if share < len(new):
            wake(self._settings.home)
        return await super()._submit_scheduled_flow_runs(new[:share])

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

    async def _drop_copies(self) -> None:
        """Now and then, delete the copies in this home of what another machine has removed from the store."""
        while True:
            try:
                await anyio.to_thread.run_sync(_drop_copies_of, self._settings)
            except Exception as error:  # the edge of a task whose error would end the worker; there is a next time
                kind = type(error).__name__
                self._logger.warning("Copies of jobs that are gone were not deleted: %s: %s", kind, error)
            await anyio.sleep(TIDIED_AFTER_S)

    async def _heed_wakes(self) -> None:
        with listening(self._settings.home) as pipe:
            while True:
                await anyio.wait_readable(pipe)
                os.read(pipe, 4096)
                await self.get_and_submit_flow_runs()
                await anyio.sleep(BETWEEN_LOOKS_S)


def _drop_copies_of(settings: Settings) -> None:
    from store.copies import drop_copies
    from store.workspace import Workspace

    with closing(Workspace.open(settings)) as workspace:
        drop_copies(workspace)


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
