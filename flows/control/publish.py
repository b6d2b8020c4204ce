"""What a face writes of a job that is done, before it shows as completed: in threads beside the control loop."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from core.errors import AssayError
from core.job import Failure, Job
from store.workspace import Workspace

AT_A_TIME: Final = 4

logger = logging.getLogger("assay.control")


class Publisher:
    """Has jobs published, each once at a time; it may be done again after a crash."""

    def __init__(self, workspace: Workspace, publish: Callable[[Job], None], wake: Callable[[], None]) -> None:
        """Prepare. `publish` writes what a job's face shows, `wake` is called whenever that has ended."""
        self._workspace = workspace
        self._publish = publish
        self._wake = wake
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="publish")
        self._begun: dict[str, Future[Failure | None]] = {}

    def is_done(self, job_id: str) -> bool:
        """Whether a job's publication has ended; asking begins it."""
        if job_id not in self._begun:
            self._begun[job_id] = self._threads.submit(self._carry_out, job_id)
            self._begun[job_id].add_done_callback(lambda _: self._wake())
        return self._begun[job_id].done()

    def is_at_work(self, job_id: str) -> bool:
        """Whether a job is being published now."""
        return job_id in self._begun and not self._begun[job_id].done()

    def failure(self, job_id: str) -> Failure | None:
        """Return why a publication that has ended failed, if it did."""
        return self._begun[job_id].result()

    def forget(self, job_id: str) -> None:
        """Forget a publication."""
        self._begun.pop(job_id, None)

    def _carry_out(self, job_id: str) -> Failure | None:
        try:
            self._publish(self._workspace.jobs.get(job_id))
        except AssayError as error:
            return Failure(blame=error.blame, code=error.code, message=error.message)
        except Exception as error:  # whatever it is, it is this job's alone
            logger.exception("The results of job %s could not be published", job_id)
            message = f"The results could not be published: {type(error).__name__}: {error}"
            return Failure(blame="service", code=AssayError.code, message=message)
        return None
