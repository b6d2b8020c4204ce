"""The steps that make and change the job tables, numbered from 1, one transaction each.

A step that was released is never edited: a change to `store.db.tables` comes with a new one.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from core.errors import SchemaMismatch
from core.job import utcnow
from store.db.connect import reading, writing
from store.db.tables import schema_version

Migration = tuple[str, ...]
"""Statements that both databases read."""

LOCK = 0x415353_4159
"""The number of Postgres' advisory lock under which one process migrates at a time."""

# SQLite takes any name for a column's type, so BYTEA and TIMESTAMP serve both databases.
JOBS: Migration = (
    """
    CREATE TABLE jobs (
        id TEXT NOT NULL PRIMARY KEY,
        face TEXT NOT NULL,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        project TEXT,
        description TEXT,
        target TEXT,
        config TEXT,
        model TEXT,
        status TEXT NOT NULL,
        intent TEXT NOT NULL,
        note TEXT,
        flow_run_id TEXT,
        crashes INTEGER NOT NULL,
        created_at TIMESTAMP NOT NULL,
        updated_at TIMESTAMP NOT NULL,
        started_at TIMESTAMP,
        finished_at TIMESTAMP,
        failure TEXT,
        custom_fields TEXT,
        ownership TEXT,
        spec TEXT NOT NULL,
        request TEXT NOT NULL,
        CONSTRAINT jobs_name UNIQUE (face, namespace, name)
    )
    """,
    "CREATE INDEX jobs_created ON jobs (face, created_at, id, intent)",
    "CREATE INDEX jobs_updated ON jobs (face, updated_at, id, intent)",
    "CREATE INDEX jobs_namespace ON jobs (face, namespace, created_at)",
    "CREATE INDEX jobs_status ON jobs (face, status, created_at)",
    "CREATE INDEX jobs_open ON jobs (status, created_at)",
    """
    CREATE TABLE job_progress (
        job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
        attempt INTEGER NOT NULL,
        worker TEXT NOT NULL,
        heartbeat_at TIMESTAMP NOT NULL,
        results_ready_at TIMESTAMP,
        counts TEXT NOT NULL,
        failure TEXT
    )
    """,
    """
    CREATE TABLE secrets (
        id TEXT NOT NULL PRIMARY KEY,
        owner_kind TEXT NOT NULL,
        owner_id TEXT NOT NULL,
        ciphertext BYTEA NOT NULL,
        created_at TIMESTAMP NOT NULL
    )
    """,
    "CREATE INDEX secrets_owner ON secrets (owner_kind, owner_id)",
    """
    CREATE TABLE files (
        id TEXT NOT NULL PRIMARY KEY,
        filename TEXT NOT NULL,
        purpose TEXT NOT NULL,
        file_type TEXT NOT NULL,
        bytes BIGINT NOT NULL,
        line_count BIGINT NOT NULL,
        sha256 TEXT NOT NULL,
        created_at TIMESTAMP NOT NULL
    )
    """,
    "CREATE INDEX files_sha256 ON files (sha256)",
)

ENTITY = """
        id TEXT NOT NULL PRIMARY KEY,
        namespace TEXT NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        project TEXT,
        description TEXT,
        created_at TIMESTAMP NOT NULL,
        updated_at TIMESTAMP NOT NULL,
        custom_fields TEXT,
        ownership TEXT,
        body TEXT NOT NULL,
"""

LISTS: Migration = (
    "ALTER TABLE jobs ADD COLUMN ephemeral BOOLEAN NOT NULL DEFAULT FALSE",
    "DROP INDEX jobs_created",
    "DROP INDEX jobs_updated",
    "DROP INDEX jobs_namespace",
    "DROP INDEX jobs_status",
    "CREATE INDEX jobs_created ON jobs (face, created_at, id, intent, ephemeral, status, namespace, project)",
    "CREATE INDEX jobs_updated ON jobs (face, updated_at, id, intent, ephemeral, status, namespace, project)",
    "CREATE INDEX jobs_namespace ON jobs (face, namespace, created_at, id, intent, ephemeral, status, project)",
    "CREATE INDEX jobs_named ON jobs (face, name, created_at, id, intent, ephemeral, status, namespace, project)",
    "CREATE INDEX jobs_project ON jobs (face, project, created_at, id, intent, ephemeral, status, namespace)",
    "CREATE INDEX jobs_target ON jobs (face, target, created_at, id, intent, ephemeral, status, namespace, project)",
    "CREATE INDEX jobs_config ON jobs (face, config, created_at, id, intent, ephemeral, status, namespace, project)",
    "CREATE INDEX jobs_status ON jobs (face, status, created_at, id, intent, ephemeral, namespace, project)",
    f"CREATE TABLE targets ({ENTITY} model TEXT, CONSTRAINT targets_name UNIQUE (namespace, name))",
    "CREATE INDEX targets_created ON targets (created_at, id)",
    "CREATE INDEX targets_updated ON targets (updated_at, id)",
    f"CREATE TABLE configs ({ENTITY} CONSTRAINT configs_name UNIQUE (namespace, name))",
    "CREATE INDEX configs_created ON configs (created_at, id)",
    "CREATE INDEX configs_updated ON configs (updated_at, id)",
    """
    CREATE TABLE results (
        id TEXT NOT NULL PRIMARY KEY,
        job TEXT NOT NULL,
        namespace TEXT NOT NULL,
        project TEXT,
        description TEXT,
        files_url TEXT,
        created_at TIMESTAMP NOT NULL,
        updated_at TIMESTAMP NOT NULL,
        custom_fields TEXT,
        ownership TEXT,
        tasks TEXT,
        groups TEXT
    )
    """,
    "CREATE INDEX results_job ON results (job)",
    "CREATE INDEX results_created ON results (created_at, id)",
    "CREATE INDEX results_updated ON results (updated_at, id)",
)

REPEATS: Migration = (
    "ALTER TABLE jobs ADD COLUMN digest TEXT",
    "ALTER TABLE jobs ADD COLUMN idempotency_key TEXT",
    "CREATE INDEX jobs_digest ON jobs (face, digest, created_at)",
    "CREATE INDEX jobs_idempotency ON jobs (face, idempotency_key)",
)

# A job that cannot be carried out has no specification. SQLite cannot make a column nullable, but replace it.
SPECLESS: Migration = (
    "ALTER TABLE jobs RENAME COLUMN spec TO spec_before",
    "ALTER TABLE jobs ADD COLUMN spec TEXT",
    "UPDATE jobs SET spec = spec_before",
    "ALTER TABLE jobs DROP COLUMN spec_before",
)

HISTORY: Migration = ("ALTER TABLE jobs ADD COLUMN history TEXT",)

UPLOADS: Migration = (
    "CREATE INDEX files_created ON files (created_at, id)",
    """
    CREATE TABLE uploads (
        file_id TEXT NOT NULL PRIMARY KEY,
        token_digest TEXT NOT NULL,
        filename TEXT NOT NULL,
        purpose TEXT NOT NULL,
        file_type TEXT NOT NULL,
        sha256 TEXT,
        bytes BIGINT,
        parts INTEGER,
        created_at TIMESTAMP NOT NULL,
        expires_at TIMESTAMP NOT NULL
    )
    """,
    "CREATE INDEX uploads_token ON uploads (token_digest)",
    "CREATE INDEX uploads_expires ON uploads (expires_at)",
)

BENCHMARKS: Migration = (
    """
    CREATE TABLE benchmarks (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        description TEXT,
        documents TEXT NOT NULL,
        filename TEXT,
        sha256 TEXT NOT NULL,
        num_questions INTEGER NOT NULL,
        created_at TIMESTAMP NOT NULL,
        questions TEXT NOT NULL
    )
    """,
    "CREATE INDEX benchmarks_created ON benchmarks (created_at, id)",
)

CONTAINERS: Migration = (
    f"CREATE TABLE evaluators ({ENTITY} CONSTRAINT evaluators_name UNIQUE (namespace, name))",
    "CREATE INDEX evaluators_created ON evaluators (created_at, id)",
    "CREATE INDEX evaluators_updated ON evaluators (updated_at, id)",
    f"CREATE TABLE containers ({ENTITY} CONSTRAINT containers_name UNIQUE (namespace, name))",
    "CREATE INDEX containers_created ON containers (created_at, id)",
    "CREATE INDEX containers_updated ON containers (updated_at, id)",
    """
    CREATE TABLE completions (
        id TEXT NOT NULL PRIMARY KEY,
        container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
        model TEXT,
        created_at TIMESTAMP NOT NULL,
        tags TEXT,
        metadata TEXT,
        input TEXT NOT NULL,
        output TEXT NOT NULL
    )
    """,
    "CREATE INDEX completions_container ON completions (container, created_at, id)",
    "CREATE INDEX completions_created ON completions (created_at, id)",
    """
    CREATE TABLE datasets (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        description TEXT,
        container TEXT NOT NULL,
        requested_size INTEGER NOT NULL,
        size INTEGER NOT NULL,
        filters TEXT,
        tags TEXT,
        metadata TEXT,
        file TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        created_at TIMESTAMP NOT NULL
    )
    """,
    "CREATE INDEX datasets_created ON datasets (created_at, id)",
    "CREATE INDEX datasets_container ON datasets (container, created_at, id)",
)

# Until now only runs of Maniac's face had a file of samples, known by its id.
INPUTS: Migration = (
    "ALTER TABLE jobs ADD COLUMN inputs TEXT",
    "ALTER TABLE files ADD COLUMN job TEXT",
    "UPDATE files SET job = substr(id, 6) WHERE purpose = 'evaluation-run'",
    "CREATE INDEX files_job ON files (job)",
    "CREATE INDEX jobs_everywhere ON jobs (created_at, id, intent, ephemeral, status, namespace, project, face)",
)

DEATHS: Migration = (
    "ALTER TABLE job_progress ADD COLUMN began_at TIMESTAMP",
    """
    CREATE TABLE job_deaths (
        job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
        total INTEGER NOT NULL,
        stages INTEGER NOT NULL,
        calls INTEGER NOT NULL
    )
    """,
    "DROP INDEX jobs_open",
    "CREATE INDEX jobs_open ON jobs (status, flow_run_id, intent, created_at, id)",
    "CREATE INDEX jobs_deleted ON jobs (id) WHERE intent = 'delete'",
)

RETRIES: Migration = ("ALTER TABLE jobs ADD COLUMN retry_of TEXT",)

VERDICTS: Migration = (
    """
    CREATE TABLE verdicts (
        job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        task TEXT NOT NULL,
        sample INTEGER NOT NULL,
        target TEXT NOT NULL,
        trial INTEGER NOT NULL,
        metric TEXT NOT NULL,
        passed BOOLEAN,
        label TEXT,
        value DOUBLE PRECISION,
        note TEXT,
        updated_at TIMESTAMP NOT NULL,
        PRIMARY KEY (job_id, task, sample, target, trial, metric)
    )
    """,
)

SESSIONS: Migration = ("CREATE TABLE ended_sessions (id TEXT NOT NULL PRIMARY KEY, expires_at TIMESTAMP NOT NULL)",)

CALL_COUNTS: Migration = (
    """
    CREATE TABLE call_counts (
        name TEXT NOT NULL,
        model TEXT NOT NULL,
        label TEXT NOT NULL,
        value DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (name, model, label)
    )
    """,
)

HOME: Migration = ("CREATE TABLE home (place INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL, path TEXT NOT NULL)",)

LEASES: Migration = (
    """
    CREATE TABLE job_leases (
        job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        block TEXT NOT NULL,
        epoch BIGINT NOT NULL,
        holder TEXT NOT NULL,
        lock TEXT,
        until DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (job_id, block)
    )
    """,
)

GONE_RUNS: Migration = ("CREATE TABLE gone_runs (flow_run_id TEXT NOT NULL PRIMARY KEY, job_id TEXT NOT NULL)",)

BOUNDS: Migration = (
    "CREATE TABLE model_bounds (key TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL)",
    "ALTER TABLE job_progress ADD COLUMN bounds TEXT",
)

# Together's result files were nobody's until now, and known by their names alone.
RESULT_FILES: Migration = (
    """
    UPDATE files SET job = replace(filename, '.jsonl', '')
    WHERE purpose = 'eval-output' AND job IS NULL AND replace(filename, '.jsonl', '') IN (SELECT id FROM jobs)
    """,
)

# What jobs that have ended came to, for lists and first visits; null or not there for those that ended before.
COUNTED: Migration = (
    "ALTER TABLE jobs ADD COLUMN usage TEXT",
    """
    CREATE TABLE job_counted (
        job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
        counted TEXT NOT NULL
    )
    """,
)

REPORTED_USAGE: Migration = ("ALTER TABLE job_progress ADD COLUMN usage TEXT",)

MIGRATIONS: tuple[Migration, ...] = (
    JOBS,
    LISTS,
    REPEATS,
    SPECLESS,
    HISTORY,
    UPLOADS,
    BENCHMARKS,
    CONTAINERS,
    INPUTS,
    DEATHS,
    RETRIES,
    VERDICTS,
    SESSIONS,
    CALL_COUNTS,
    HOME,
    LEASES,
    GONE_RUNS,
    BOUNDS,
    RESULT_FILES,
    COUNTED,
    REPORTED_USAGE,
)


def migrate(engine: sa.Engine, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Take the database through the steps it lacks, and return its version.

    Processes that call this at once take turns. A step that fails leaves the database at the version
    before it. Raises SchemaMismatch if the database is of a newer release.
    """
    while (version := _step(engine, migrations)) < len(migrations):
        pass
    return version


def check_version(engine: sa.Engine) -> None:
    """Raise SchemaMismatch unless the database is of this release's version."""
    with reading(engine) as connection:
        made = sa.inspect(connection).has_table(schema_version.name)
        found = _version(connection) if made else 0
    if found != len(MIGRATIONS):
        raise _mismatch(found, len(MIGRATIONS))


def _step(engine: sa.Engine, migrations: Sequence[Migration]) -> int:
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        schema_version.create(connection, checkfirst=True)
        version = _version(connection)
        if version > len(migrations):
            raise _mismatch(version, len(migrations))
        if version < len(migrations):
            for statement in migrations[version]:
                connection.exec_driver_sql(statement)
            version += 1
            connection.execute(sa.insert(schema_version).values(version=version, applied_at=utcnow()))
    return version


def _version(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.max(schema_version.c.version))) or 0


def _mismatch(found: int, needed: int) -> SchemaMismatch:
    remedy = "run `assay migrate`" if found < needed else "use a newer release of Assay"
    return SchemaMismatch(f"The database has schema version {found}, this release needs {needed}: {remedy}")
