"""Everything the service keeps, opened: job tables, secrets, uploads and results."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import NotFound
from core.settings import Settings, make_folder
from store.bounds.database import DatabaseLedger
from store.bounds.opened import open_ledger
from store.db.benchmarks import Benchmarks
from store.db.completions import Completions
from store.db.connect import connect, reaching
from store.db.counted import CountedResults
from store.db.datasets import Datasets
from store.db.entities import Entities, Results
from store.db.jobs import Jobs
from store.db.leases import Lease, Leases, Taken
from store.db.measures import Measures
from store.db.migrations import check_version, migrate
from store.db.retention import Retention
from store.db.sessions import EndedSessions
from store.db.verdicts import Verdicts
from store.files.atomic import storing
from store.files.contents import Files
from store.files.uploads import Uploads
from store.home import belong_together
from store.objects.objects import Objects
from store.objects.place import open_objects
from store.private import close_to_others
from store.results.folder import JobFolder
from store.vault import Vault, any_kept, load_key

if TYPE_CHECKING:
    from store.bounds.redis import RedisLedger


@dataclass(frozen=True)
class Workspace:
    """The stores of one ASSAY_HOME; one process may open it as often as it likes."""

    settings: Settings
    close: Callable[[], None]
    jobs: Jobs
    leases: Leases
    vault: Vault
    files: Files
    uploads: Uploads
    targets: Entities
    configs: Entities
    results_table: Results
    evaluators: Entities
    containers: Entities
    completions: Completions
    datasets: Datasets
    benchmarks: Benchmarks
    verdicts: Verdicts
    counted: CountedResults
    ended_sessions: EndedSessions
    measures: Measures
    retention: Retention
    results: Path
    objects: Objects
    ledger: "DatabaseLedger | RedisLedger"

    @classmethod
    def open(cls, settings: Settings, *, migrating: bool = False) -> "Workspace":
        """Open the stores, bringing the tables up to date if `migrating`.

        Raises SchemaMismatch if the tables are of another version, Misconfigured if they or the home cannot be used,
        and Misconfigured if the key is not there that encrypted what they hold.
        """
        make_folder(settings.home, "ASSAY_HOME")
        engine = connect(settings.jobs_url)
        with reaching(engine):
            if migrating:
                migrate(engine)
            check_version(engine)
        with storing(settings.home):
            close_to_others(settings.home)
        secret = settings.secret_key.get_secret_value() if settings.secret_key else None
        objects = open_objects(settings)
        belong_together(engine, objects, settings.home / "results")
        files = Files(engine, settings.home / "files", objects)
        return cls(
            settings=settings,
            close=engine.dispose,
            jobs=Jobs(engine, files),
            leases=Leases(engine),
            vault=Vault(engine, load_key(secret, settings.home, needed=any_kept(engine))),
            files=files,
            uploads=Uploads(engine, files, settings.home / "files" / "parts", objects),
            targets=Entities(engine, "target"),
            configs=Entities(engine, "config"),
            results_table=Results(engine),
            benchmarks=Benchmarks(engine),
            verdicts=Verdicts(engine),
            counted=CountedResults(engine),
            ended_sessions=EndedSessions(engine),
            measures=Measures(engine),
            retention=Retention(engine, files),
            evaluators=Entities(engine, "evaluator"),
            containers=Entities(engine, "container"),
            completions=Completions(engine),
            datasets=Datasets(engine, files),
            results=settings.home / "results",
            objects=objects,
            ledger=open_ledger(settings, engine),
        )

    def folder(self, job_id: str) -> JobFolder:
        """Return the folder of a job's results."""
        return JobFolder(self.results, job_id, self.objects)

    def is_held(self, job_id: str) -> bool:
        """Whether an engine holds a job, as its lock tells where that can be seen, and elsewhere its lease."""
        folder = self.folder(job_id)
        return folder.lock.is_held() or self.leases.is_held(job_id, lock=folder.lock.name)

    def is_occupied(self, job_id: str) -> bool:
        """Whether any engine works on a job, or on a block of it."""
        return self.folder(job_id).lock.is_joined() or bool(self.blocks(job_id)) or self.is_held(job_id)

    def blocks(self, job_id: str) -> frozenset[int]:
        """Return the blocks of a job that engines work on: by locks where these can be seen, elsewhere by leases."""
        lock = self.folder(job_id).lock
        leased = self.leases.blocks(job_id).items()
        return lock.blocks() | {block for block, held in leased if held is None or held != lock.name_of(block)}

    @contextmanager
    def vacant(self, job_id: str) -> Iterator[bool]:
        """Keep engines from a job for a moment; gives whether that was had: none works on it now.

        What is recorded meanwhile is known to every engine that comes after.
        """
        folder = self.folder(job_id)
        with folder.lock.vacant() as is_vacant:
            lease = None
            if is_vacant:
                with suppress(NotFound):  # what is gone is nobody's
                    lease = self.leases.take(job_id, "control", lock=folder.lock.name)
            try:
                yield is_vacant and not isinstance(lease, Taken) and not self.blocks(job_id)
            finally:
                if isinstance(lease, Lease):
                    self.leases.give_back(lease)

    def remove(self, job_id: str) -> bool:
        """Remove a deleted job unless an engine holds it; its files first, so that a record tells what is left to do.

        May be repeated after a crash, and be done by several processes at once.
        """
        with self.vacant(job_id) as is_vacant:
            if is_vacant:
                self.folder(job_id).remove()
                self.jobs.remove(job_id)
            return is_vacant
