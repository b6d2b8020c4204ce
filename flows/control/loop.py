"""The control loop of the API process: in a thread of its own, so that it never delays an answer."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import PrefectException

from core.job import Job
from flows.control.adopt import adopt, unregistered
from flows.control.dispatch import dispatch
from flows.control.endings import Endings
from flows.control.prune import Pruner, delete_runs
from flows.control.reconcile import Reconciler, give_up
from flows.control.troubles import Troubles
from flows.deploy import Deployed, close_form, our_deployments, set_up, wait_for_server
from flows.worker.wake import listeners
from store.workspace import Workspace

INTERVAL_S = 0.2
ADOPTION_INTERVAL_S = 3.0
BACKOFF_S = 0.3

Step = Callable[[], Awaitable[object]]

logger = logging.getLogger("assay.control")


class Control:
    """Starts flow runs for new jobs and keeps the job records in step, until it is stopped."""

    def __init__(
        self, workspace: Workspace, *, complete: Callable[[Job], None], publish: Callable[[Job], None]
    ) -> None:
        """Prepare; nothing runs before `start`.

        `complete` gives a job that came from Prefect the specification that it names; `publish` writes what the
        face of a job shows, once all its results are there.
        """
        self._workspace = workspace
        self._complete = complete
        self._troubles = Troubles()
        self._reconciler = Reconciler(workspace, Endings(workspace, publish, self.wake), self._troubles)
        self._pruner = Pruner(workspace)
        self._adopted_at = float("-inf")
        self._deployed: Deployed | None = None
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._stopping = False

    @property
    def ready(self) -> bool:
        """Whether a job can run: Prefect is set up, and our worker listens if it is ours to run."""
        if self._deployed is None or not self._thread.is_alive():
            return False
        return listeners(self._workspace.settings.home) > 0 or not self._deployed.own_worker

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until the loop has ended."""
        self._stopping = True
        with suppress(RuntimeError):  # the loop has seen it by itself, and is closed
            self.wake()
        self._thread.join()

    def wake(self) -> None:
        """Tell the loop that there is news."""
        self._loop.call_soon_threadsafe(self._news.set)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._keep_going())

    async def _keep_going(self) -> None:
        while not self._stopping:
            try:
                await self._carry_on()
            except (httpx.HTTPError, PrefectException, TimeoutError) as error:
                logger.warning("Prefect could not be reached, trying again: %s: %s", type(error).__name__, error)
                self._reconciler.note_loss()
            except (Exception, asyncio.CancelledError):  # whatever it is, jobs are not to stand still for it
                logger.exception("The control loop starts again")
            await asyncio.sleep(BACKOFF_S)

    async def _carry_on(self) -> None:
        await asyncio.to_thread(partial(wait_for_server, stopped=lambda: self._stopping))
        async with get_client() as client:
            self._deployed = await set_up(client, self._workspace.settings)
            while not self._stopping:
                self._news.clear()
                await go_round(self._steps(client, self._deployed.id), self._troubles)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), INTERVAL_S)

    def _steps(self, client: PrefectClient, deployment: UUID) -> dict[str, Step]:
        """Return what is done again and again: the statuses first, so that no new work keeps them waiting."""
        return {
            "a look at the jobs": partial(self._reconciler.look, client),
            "completing jobs": self._complete_all,
            "starting flow runs": partial(
                dispatch, client, self._workspace, deployment, self._reconciler, self._troubles
            ),
            "adopting flow runs": partial(self._adopt, client),
            "pruning": self._pruner.prune_some,
            "deleting flow runs": partial(delete_runs, client, self._workspace, self._troubles),
        }

    async def _adopt(self, client: PrefectClient) -> None:
        """Now and then, record the runs that did not register themselves, and close the forms of new deployments."""
        if time.monotonic() - self._adopted_at < ADOPTION_INTERVAL_S:
            return
        self._adopted_at = time.monotonic()
        deployments = await our_deployments(client, self._workspace.settings.work_pool)
        for deployment in deployments:
            await close_form(client, deployment)
        if deployments:
            for run in await unregistered(client, [deployment.id for deployment in deployments]):
                await self._troubles.attempt(partial(adopt, client, self._workspace, run), "adopting", str(run.id))

    async def _complete_all(self) -> None:
        """Give their specifications to the jobs that came from Prefect with names alone."""
        for job in await asyncio.to_thread(self._workspace.jobs.incomplete):
            await self._troubles.attempt(
                partial(asyncio.to_thread, self._complete_one, job.id),
                "completing",
                job.id,
                give_up=partial(give_up, self._workspace, job.id),
            )

    def _complete_one(self, job_id: str) -> None:
        self._complete(self._workspace.jobs.get(job_id))


async def go_round(steps: Mapping[str, Step], troubles: Troubles) -> None:
    """Take each step once that is due; one that fails keeps none of the others from being taken.

    Raises TransportError if Prefect cannot be reached.
    """
    for name, step in steps.items():
        await troubles.attempt(step, name)
