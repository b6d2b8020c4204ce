"""Everything the service keeps, opened: job tables, secrets, uploads and results."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.settings import Settings, make_folder
from store.bounds.database import DatabaseLedger
from store.bounds.opened import open_ledger
from store.db.benchmarks import Benchmarks
from store.db.completions import Completions
from store.db.connect import connect, reaching
from store.db.datasets import Datasets
from store.db.entities import Entities, Results
from store.db.jobs import Jobs
from store.db.leases import Leases
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

    def remove(self, job_id: str) -> bool:
        """Remove a deleted job unless an engine holds it; its files first, so that a record tells what is left to do.

        May be repeated after a crash, and be done by several processes at once.
        """
        folder = self.folder(job_id)
        with folder.vacant() as is_vacant:
            if is_vacant:
                folder.remove()
                self.jobs.remove(job_id)
            return is_vacant
