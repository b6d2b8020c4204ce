"""The job tables. What makes them in a database is `store.migrations`; a test holds the two together.

Times are naive UTC. JSON is kept as text, alike in both databases.
"""

import json
from typing import Any

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

schema_version = sa.Table(
    "schema_version",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("applied_at", sa.DateTime, nullable=False),
)

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
    sa.Column("spec", JsonText, nullable=False),
    sa.Column("request", JsonText, nullable=False),
    sa.UniqueConstraint("face", "namespace", "name", name="jobs_name"),
    # `intent` ends the two that lists are sorted by, so that hidden jobs are told without their rows.
    sa.Index("jobs_created", "face", "created_at", "id", "intent"),
    sa.Index("jobs_updated", "face", "updated_at", "id", "intent"),
    sa.Index("jobs_namespace", "face", "namespace", "created_at"),
    sa.Index("jobs_status", "face", "status", "created_at"),
    sa.Index("jobs_open", "status", "created_at"),
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
    sa.Index("files_sha256", "sha256"),
)
