"""The tree of job errors: what stops a whole job, or refuses a request.

What goes wrong with one sample is no exception but an `Outcome` (`core.result`).

    AssayError
    ├── InvalidInput            the user can mend it               blame: user
    │   ├── SpecInvalid         a request or specification is wrong
    │   ├── Unsupported         a request is right, but asks for what this service cannot do
    │   ├── DatasetUnreadable   a dataset is absent, broken or empty
    │   ├── TemplateInvalid     a template is broken, or names what no row has
    │   └── EndpointRefused     a model endpoint refused every request of a task
    ├── NotFound                no such thing here                 blame: user
    ├── Conflict                not in this state              blame: user
    │   └── NameTaken           there is one of this name
    ├── EndpointFailed          a model endpoint gave no answer    blame: upstream
    └── ServiceError            we failed                          blame: service
        ├── Misconfigured       a setting is wrong or missing, which the operator can mend
        ├── StorageFailed       what should be kept cannot be written or read now
        │   └── StorageFull     no space is left on the disk
        ├── SchemaMismatch      the database is of another version
        ├── ResultsMissing      results that should exist do not
        ├── Superseded          another engine has taken the job over
        └── RecordDamaged       a job record cannot be read
"""

from traceback import clear_frames
from typing import ClassVar, Literal

from pydantic import ValidationError

Blame = Literal["user", "service", "upstream"]


class AssayError(Exception):
    """An error that ends a job or refuses a request; the message says what, where and what to do."""

    blame: ClassVar[Blame] = "service"
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str) -> None:
        """Keep the message, which is shown to the user as it is."""
        super().__init__(message)
        self.message = message


class InvalidInput(AssayError):
    """Something the user gave is wrong."""

    blame = "user"
    code = "invalid_input"


class SpecInvalid(InvalidInput):
    """A request or specification is wrong; `field` is its dotted path."""

    code = "invalid_spec"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        """Keep the path of the offending field beside the message."""
        super().__init__(message)
        self.field = field


class Unsupported(InvalidInput):
    """A request asks for a kind of evaluation that this service does not carry out."""

    code = "unsupported"


class DatasetUnreadable(InvalidInput):
    """A dataset is absent, broken or empty."""

    code = "dataset_unreadable"


class TemplateInvalid(InvalidInput):
    """A template does not compile, or names something that a row does not have."""

    code = "template_invalid"


class EndpointRefused(InvalidInput):
    """A model endpoint refused every request of a task: a wrong key, model or request."""

    code = "endpoint_refused"


class NotFound(AssayError):
    """There is no such thing."""

    blame = "user"
    code = "not_found"


class Conflict(AssayError):
    """The thing is in a state that does not allow this, or its name is taken."""

    blame = "user"
    code = "conflict"


class NameTaken(Conflict):
    """There is a thing of this name already."""


class EndpointFailed(AssayError):
    """A model endpoint answered no request of a task."""

    blame = "upstream"
    code = "endpoint_failed"


class ServiceError(AssayError):
    """The service itself failed."""


class Misconfigured(ServiceError):
    """A setting of this service is wrong or missing; the message names it and where it was read."""

    code = "misconfigured"


class StorageFailed(ServiceError):
    """Where things are kept does not take them, or give them back; it may later."""

    code = "storage_failed"


class StorageFull(StorageFailed):
    """There is no space left where results are written."""

    code = "storage_full"


class SchemaMismatch(ServiceError):
    """The database was written by an older or newer version."""

    code = "schema_mismatch"


class ResultsMissing(ServiceError):
    """A job ended without the results it should have."""

    code = "results_missing"


class Superseded(ServiceError):
    """An engine that stood still has lost its job to another, and may write and ask nothing more of it."""

    code = "superseded"


class RecordDamaged(ServiceError):
    """A job's record in the database cannot be read."""

    code = "record_damaged"


def first_problem(error: ValidationError) -> str:
    """Return what is wrong first with a value that was validated, and where in it."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Value error, "))))


def forget_values(error: BaseException) -> None:
    """Have an error hold no row and no answer, however long it is held itself.

    They are in the frames where it was raised, and in what it was raised from, of which an AssayError tells by itself.
    """
    seen: list[BaseException] = []
    causes: list[BaseException | None] = [error]
    while causes:
        cause = causes.pop()
        if cause is not None and cause not in seen:  # one that is raised again may be a cause of its own
            seen.append(cause)
            clear_frames(cause.__traceback__)
            causes += [cause.__cause__, cause.__context__]
    if isinstance(error, AssayError):
        error.__cause__ = error.__context__ = None
