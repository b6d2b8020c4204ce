"""What takes long as a job ends: its face publishes, its calls are added up; in threads beside the control loop."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from core.errors import AssayError
from core.job import Failure, Job, JobStatus
from flows.control.finish import Ending, paid
from store.workspace import Workspace

AT_A_TIME: Final = 4

logger = logging.getLogger("assay.control")


class Endings:
    """Prepares the ends of jobs, each once at a time; it may be done again after a crash."""

    def __init__(self, workspace: Workspace, publish: Callable[[Job], None], wake: Callable[[], None]) -> None:
        """Begin with none. `publish` writes what a job's face shows, `wake` is called whenever one is prepared."""
        self._workspace = workspace
        self._publish = publish
        self._wake = wake
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="ending")
        self._begun: dict[str, dict[JobStatus, Future[Ending]]] = {}

    def of(self, job_id: str, status: JobStatus) -> Ending | None:
        """Return what there is to record of a job that ends so; None before it is prepared, which asking begins.

        Raises what went wrong with that, and begins anew.
        """
        begun = self._begun.setdefault(job_id, {})
        found = begun.get(status)
        if found is None or (found.done() and found.exception()):
            begun[status] = self._threads.submit(self._prepare, job_id, status)
            begun[status].add_done_callback(lambda _: self._wake())
        return found.result() if found and found.done() else None

    def is_at_work(self, job_id: str) -> bool:
        """Whether the end of a job is being prepared now."""
        return not all(each.done() for each in self._begun.get(job_id, {}).values())

    def forget(self, job_id: str) -> None:
        """Forget a job: its end is recorded, or an engine has come to it meanwhile."""
        self._begun.pop(job_id, None)

    def _prepare(self, job_id: str, status: JobStatus) -> Ending:
        unpublished = self._published(job_id) if status == "completed" else None
        return Ending(paid(self._workspace, job_id), unpublished)

    def _published(self, job_id: str) -> Failure | None:
        """Publish a job that is done, and return why that failed, if it did."""
        try:
            self._publish(self._workspace.jobs.get(job_id))
        except AssayError as error:
            return Failure(blame=error.blame, code=error.code, message=error.message)
        except Exception as error:  # whatever it is, it is this job's alone
            logger.exception("The results of job %s could not be published", job_id)
            message = f"The results could not be published: {type(error).__name__}: {error}"
            return Failure(blame="service", code=AssayError.code, message=message)
        return None
