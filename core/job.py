"""A request's life: its job record, status, intent and progress."""

import hashlib
import secrets
import string
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, get_args

from core.endpoint import Frozen
from core.errors import Blame
from core.result import ModelUsage
from core.spec import EvaluationSpec

JobStatus = Literal[
    "created",
    "pending",
    "running",
    "pausing",
    "paused",
    "resuming",
    "cancelling",
    "cancelled",
    "completed",
    "failed",
    "unknown",
]
TERMINAL: Final[frozenset[JobStatus]] = frozenset({"cancelled", "completed", "failed", "unknown"})

Intent = Literal["run", "pause", "cancel", "delete"]
"""What the user wants of a job; the engine reads it with every progress report."""

Face = Literal["nemo-v1", "nemo-v2", "together", "nugen", "maniac"]

Stage = Literal["generate", "judge"]

LONGEST_NAME: Final = 255
SHORT_ID: Final = 6
"""So many characters of a job's id, its last ones, tell it from others of its name."""

LETTERS_AND_DIGITS: Final = string.ascii_lowercase + string.digits
BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)


class Failure(Frozen):
    """Why a job failed, and who can mend it."""

    blame: Blame
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many samples of a task have passed a stage, of how many."""

    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """What the engine last reported of a job; `counts` is by task and stage, `bounds` say what holds up its calls.

    `usage` is what the job has paid, which the engine knows once all its calls are made.
    """

    job_id: str
    attempt: int
    worker: str
    heartbeat_at: datetime
    counts: dict[str, dict[Stage, Count]] = field(default_factory=dict)
    results_ready_at: datetime | None = None
    failure: Failure | None = None
    began_at: datetime | None = None
    bounds: tuple[str, ...] = ()
    usage: tuple[ModelUsage, ...] | None = None

    @property
    def worked_s(self) -> float:
        """For how long the engine has held the job; 0 for one of a release that did not say when it began."""
        return (self.heartbeat_at - self.began_at).total_seconds() if self.began_at else 0.0


@dataclass(frozen=True, slots=True)
class Deaths:
    """How often a job's engine has died since the job last came further, and how far that was.

    `counted` are those of engines that had a chance to bring it further. `extent` is what the job had on disk: the
    stages that shards have finished, and the calls that others made.
    """

    counted: int = 0
    total: int = 0
    extent: tuple[int, int] = (0, 0)


class Transition(NamedTuple):
    """A status that a job came to, and when."""

    status: JobStatus
    at: datetime


@dataclass(frozen=True, slots=True)
class AskedJob:
    """What a request says of its job; `request` is the verbatim body, its keys replaced by references.

    What cannot be carried out has a `failure` from the first. An `ephemeral` job is in no list. By `digest` (of the
    request) and `idempotency_key` a request is known that was sent before. It may take over what another job has paid
    for, of which it is a `retry_of`.
    """

    id: str
    face: Face
    request: dict[str, Any]
    name: str
    namespace: str = "default"
    project: str | None = None
    description: str | None = None
    target: str | None = None
    config: str | None = None
    model: str | None = None
    custom_fields: dict[str, Any] | None = None
    ownership: dict[str, Any] | None = None
    ephemeral: bool = False
    digest: str | None = None
    idempotency_key: str | None = None
    failure: Failure | None = None
    retry_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob(AskedJob):
    """A job as a face asks for it; without a specification if it is not to be carried out, or not yet."""

    spec: EvaluationSpec | None


def renamed(job: NewJob) -> NewJob:
    """Return a job whose name is taken under one that is not, which ends as its id does."""
    end = f"-{job.id[-SHORT_ID:]}"
    return replace(job, name=job.name[: LONGEST_NAME - len(end)] + end)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob(AskedJob):
    """What lists and statuses show of a job record: all but the specification, and no rows of its request.

    `note` says why it waits or what befell it; `history` is every status that it had. `usage` is what it has paid once
    it has ended; None before that, and where it is not known.
    """

    status: JobStatus = "created"
    intent: Intent = "run"
    note: str | None = None
    flow_run_id: str | None = None
    crashes: int = 0
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    history: tuple[Transition, ...] = ()
    usage: tuple[ModelUsage, ...] | None = None


class Input(NamedTuple):
    """Rows that came in a request: the keys that led to them there, and the file that has them by now."""

    path: tuple[str | int, ...]
    file_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(ListedJob):
    """A job record, whole."""

    spec: EvaluationSpec | None
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenJob:
    """What the control loop needs of a job that has not ended, without its specification.

    `damage` says which column of the record cannot be read, and why; what stands in its place means nothing.
    """

    id: str
    face: Face
    namespace: str
    name: str
    project: str | None
    target: str | None
    config: str | None
    model: str | None
    status: JobStatus
    intent: Intent
    note: str | None
    failure: Failure | None
    flow_run_id: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    damage: str | None = None


def utcnow() -> datetime:
    """Return the time now as naive UTC, as it is kept in the tables."""
    return datetime.now(UTC).replace(tzinfo=None)


def random_id(prefix: str, length: int = 22) -> str:
    """Return `prefix` and `length` random lowercase letters and digits."""
    return prefix + "".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(length))


def job_id_of(flow_run_id: uuid.UUID) -> str:
    """Return the id of the job that a flow run registers, the same each time."""
    number = int.from_bytes(hashlib.sha256(flow_run_id.bytes).digest())
    digits = ""
    for _ in range(22):
        number, digit = divmod(number, len(LETTERS_AND_DIGITS))
        digits += LETTERS_AND_DIGITS[digit]
    return "job-" + digits


def base58_id(prefix: str) -> str:
    """Return `prefix` and a random UUID in base 58, which has no letters or digits that look alike."""
    number = uuid.uuid4().int
    digits = ""
    while number:
        number, digit = divmod(number, len(BASE58))
        digits = BASE58[digit] + digits
    return prefix + digits


def ulid(prefix: str) -> str:
    """Return `prefix` and a ULID: 26 digits in base 32, of which the first ten are the time in milliseconds."""
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return prefix + "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
