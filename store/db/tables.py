"""The job tables. What makes them in a database is `store.db.migrations`; a test holds the two together.

Times are naive UTC. JSON is kept as text, alike in both databases.
"""

import json
from typing import Any, Final

import sqlalchemy as sa


class JsonText(sa.types.TypeDecorator[Any]):
    """A JSON value as text; None is NULL.

    Not the databases' own JSON types: Postgres' refuses NaN and NUL characters that a request may hold.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Render a value on its way in."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        """Parse a text on its way out."""
        return None if value is None else json.loads(value)


metadata = sa.MetaData()

NARROWING: Final = ("intent", "ephemeral", "status", "namespace", "project")
"""The columns by which jobs are hidden from lists, and those that filters are often put together of."""

schema_version = sa.Table(
    "schema_version",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("applied_at", sa.DateTime, nullable=False),
)

home = sa.Table(
    "home",
    metadata,
    # Always 1: there is one row.
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
)

DELETED: Final = sa.text("intent = 'delete'")
"""What the index says of the jobs in it, which SQLite uses only for a query with the same words."""


def _listed(name: str, *columns: str) -> sa.Index:
    """Return an index by which a page of jobs is found and counted without its long rows, whatever narrows it."""
    return sa.Index(name, "face", *dict.fromkeys((*columns, *NARROWING)))


jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("face", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("project", sa.Text),
    sa.Column("description", sa.Text),
    sa.Column("target", sa.Text),
    sa.Column("config", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("intent", sa.Text, nullable=False),
    sa.Column("note", sa.Text),
    sa.Column("flow_run_id", sa.Text),
    sa.Column("crashes", sa.Integer, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    sa.Column("started_at", sa.DateTime),
    sa.Column("finished_at", sa.DateTime),
    sa.Column("failure", JsonText),
    sa.Column("custom_fields", JsonText),
    sa.Column("ownership", JsonText),
    # The long ones last: SQLite reads a row from its front.
    sa.Column("spec", JsonText),
    sa.Column("request", JsonText, nullable=False),
    sa.Column("ephemeral", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("digest", sa.Text),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("history", JsonText),
    sa.Column("inputs", JsonText),
    sa.Column("retry_of", sa.Text),
    sa.Column("usage", JsonText),
    sa.UniqueConstraint("face", "namespace", "name", name="jobs_name"),
    # Lists of all faces' jobs; `face` stands last, since they may be narrowed by it.
    sa.Index("jobs_everywhere", "created_at", "id", *NARROWING, "face"),
    _listed("jobs_created", "created_at", "id"),
    _listed("jobs_updated", "updated_at", "id"),
    _listed("jobs_namespace", "namespace", "created_at", "id"),
    _listed("jobs_named", "name", "created_at", "id"),
    _listed("jobs_project", "project", "created_at", "id"),
    _listed("jobs_target", "target", "created_at", "id"),
    _listed("jobs_config", "config", "created_at", "id"),
    _listed("jobs_status", "status", "created_at", "id"),
    # What the control loop looks for: of the open jobs those that have a flow run, the oldest that have none, and
    # the few that are to be removed.
    sa.Index("jobs_open", "status", "flow_run_id", "intent", "created_at", "id"),
    sa.Index("jobs_deleted", "id", sqlite_where=DELETED, postgresql_where=DELETED),
    sa.Index("jobs_digest", "face", "digest", "created_at"),
    sa.Index("jobs_idempotency", "face", "idempotency_key"),
)

job_progress = sa.Table(
    "job_progress",
    metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("heartbeat_at", sa.DateTime, nullable=False),
    sa.Column("results_ready_at", sa.DateTime),
    sa.Column("counts", JsonText, nullable=False),
    sa.Column("failure", JsonText),
    sa.Column("began_at", sa.DateTime),
    sa.Column("bounds", JsonText),
    sa.Column("usage", JsonText),
)

job_deaths = sa.Table(
    "job_deaths",
    metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("stages", sa.Integer, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
)

job_counted = sa.Table(
    "job_counted",
    metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("counted", sa.Text, nullable=False),
)

job_leases = sa.Table(
    "job_leases",
    metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("block", sa.Text, primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("lock", sa.Text),
    # Seconds since 1970, by the clock of the database.
    sa.Column("until", sa.Double, nullable=False),
)

gone_runs = sa.Table(
    "gone_runs",
    metadata,
    sa.Column("flow_run_id", sa.Text, primary_key=True),
    sa.Column("job_id", sa.Text, nullable=False),
)


def _entities(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """Return a table of what users store by name, with some columns of its own."""
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("project", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
        sa.Column("custom_fields", JsonText),
        sa.Column("ownership", JsonText),
        sa.Column("body", JsonText, nullable=False),
        *columns,
        sa.UniqueConstraint("namespace", "name", name=f"{name}_name"),
        sa.Index(f"{name}_created", "created_at", "id"),
        sa.Index(f"{name}_updated", "updated_at", "id"),
    )


targets = _entities("targets", sa.Column("model", sa.Text))
configs = _entities("configs")
evaluators = _entities("evaluators")
containers = _entities("containers")

results = sa.Table(
    "results",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("job", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("project", sa.Text),
    sa.Column("description", sa.Text),
    sa.Column("files_url", sa.Text),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("updated_at", sa.DateTime, nullable=False),
    sa.Column("custom_fields", JsonText),
    sa.Column("ownership", JsonText),
    sa.Column("tasks", JsonText),
    sa.Column("groups", JsonText),
    sa.Index("results_job", "job"),
    sa.Index("results_created", "created_at", "id"),
    sa.Index("results_updated", "updated_at", "id"),
)

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner_kind", sa.Text, nullable=False),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("ciphertext", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Index("secrets_owner", "owner_kind", "owner_id"),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("file_type", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("line_count", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("job", sa.Text),
    sa.Index("files_sha256", "sha256"),
    sa.Index("files_job", "job"),
    sa.Index("files_created", "created_at", "id"),
)

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("token_digest", sa.Text, nullable=False),
    sa.Column("filename", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("file_type", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("parts", sa.Integer),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("expires_at", sa.DateTime, nullable=False),
    sa.Index("uploads_token", "token_digest"),
    sa.Index("uploads_expires", "expires_at"),
)

benchmarks = sa.Table(
    "benchmarks",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("documents", JsonText, nullable=False),
    sa.Column("filename", sa.Text),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("num_questions", sa.Integer, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("questions", JsonText, nullable=False),
    sa.Index("benchmarks_created", "created_at", "id"),
)

completions = sa.Table(
    "completions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("container", sa.Text, sa.ForeignKey("containers.id", ondelete="CASCADE"), nullable=False),
    sa.Column("model", sa.Text),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("tags", JsonText),
    sa.Column("metadata", JsonText),
    sa.Column("input", JsonText, nullable=False),
    sa.Column("output", JsonText, nullable=False),
    sa.Index("completions_container", "container", "created_at", "id"),
    sa.Index("completions_created", "created_at", "id"),
)

datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("container", sa.Text, nullable=False),
    sa.Column("requested_size", sa.Integer, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("filters", JsonText),
    sa.Column("tags", JsonText),
    sa.Column("metadata", JsonText),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Index("datasets_created", "created_at", "id"),
    sa.Index("datasets_container", "container", "created_at", "id"),
)

ended_sessions = sa.Table(
    "ended_sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("expires_at", sa.DateTime, nullable=False),
)

verdicts = sa.Table(
    "verdicts",
    metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("sample", sa.Integer, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("trial", sa.Integer, primary_key=True),
    sa.Column("metric", sa.Text, primary_key=True),
    sa.Column("passed", sa.Boolean),
    sa.Column("label", sa.Text),
    sa.Column("value", sa.Double),
    sa.Column("note", sa.Text),
    sa.Column("updated_at", sa.DateTime, nullable=False),
)

call_counts = sa.Table(
    "call_counts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, primary_key=True),
    sa.Column("value", sa.Double, nullable=False),
)

model_bounds = sa.Table(
    "model_bounds",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
)
