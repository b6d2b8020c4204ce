"""The control loop of the API process: in a thread of its own, so that it never delays an answer."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.exceptions import PrefectException, PrefectHTTPStatusError

from core.job import Job
from flows.control.adopt import adopt, unregistered
from flows.control.dispatch import dispatch
from flows.control.publish import Publisher
from flows.control.reconcile import Reconciler
from flows.deploy import Deployed, close_form, our_deployments, set_up, wait_for_server
from flows.worker.wake import has_listener
from store.workspace import Workspace

INTERVAL_S = 0.2
ADOPTION_INTERVAL_S = 3.0
BACKOFF_S = 0.3

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
        self._publisher = Publisher(workspace, publish, self.wake)
        self._adopted_at = float("-inf")
        self._deployed: Deployed | None = None
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._stopping = False

    @property
    def ready(self) -> bool:
        """Whether a job can run: Prefect is set up, and our worker listens if it is ours to run."""
        if self._deployed is None:
            return False
        return has_listener(self._workspace.settings.home) or not self._deployed.own_worker

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until the loop has ended."""
        self._stopping = True
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
                await asyncio.sleep(BACKOFF_S)
            except Exception:  # whatever it is, jobs are not to stand still for it
                logger.exception("The control loop starts again")
                await asyncio.sleep(BACKOFF_S)

    async def _carry_on(self) -> None:
        await asyncio.to_thread(wait_for_server)
        async with get_client() as client:
            reconciler = Reconciler(client, self._workspace, self._publisher)
            self._deployed = await set_up(client, self._workspace.settings)
            while not self._stopping:
                self._news.clear()
                await _unless_busy(dispatch(client, self._workspace, self._deployed.id))
                await _unless_busy(self._adopt(client))
                await asyncio.to_thread(self._complete_all)
                await _unless_busy(reconciler.look())
                try:
                    await asyncio.wait_for(self._news.wait(), INTERVAL_S)
                except TimeoutError:
                    continue

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
                await adopt(client, self._workspace, run)

    def _complete_all(self) -> None:
        for job in self._workspace.jobs.incomplete():
            self._complete(self._workspace.jobs.get(job.id))


async def _unless_busy(step: Coroutine[Any, Any, None]) -> None:
    """Take a step that is taken again soon, and that Prefect may be too busy for: SQLite has it write in turn."""
    try:
        await step
    except PrefectHTTPStatusError as error:
        if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            raise
        logger.info("Prefect is busy, trying again: %s", error)
