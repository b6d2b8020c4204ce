"""The records of jobs that come from Prefect: each run that was started for no job gets one of its own."""

import asyncio
import hashlib
import os
import stat
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

import yaml
from pydantic import ValidationError

from core.errors import AssayError, Conflict, ServiceError, SpecInvalid
from core.job import Failure, Job, NewJob, OpenJob, Progress, utcnow
from core.settings import Settings
from core.spec import EvaluationSpec, ModelTarget
from flows.form import Asked
from store.secrets import seal
from store.workspace import Workspace

COMPLETION_S: Final = 60.0
"""How long a run waits for the service to put in what its job names."""

MOST_BYTES: Final = 10_000_000
MOST_PARTS: Final = 2_000_000
"""Of a specification in a file."""

LOOK_S: Final = 0.1
ALPHABET: Final = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class FileBounds:
    """Which files may be read for a specification, and which variables they may name; None for all.

    Who starts a deployment says which file a worker reads, and may not be the one who runs the worker.
    """

    folders: tuple[Path, ...] | None = None
    variables: tuple[str, ...] | None = None

    @classmethod
    def of_deployments(cls, settings: Settings) -> Self:
        """Return what a run of a deployment may read."""
        variables = tuple(name for name in settings.key_variables if settings.may_name(name))
        return cls(settings.spec_folders or (settings.home / "specs",), variables)

    def read(self, path: Path) -> str:
        """Return a file's text. Raises SpecInvalid for one outside the folders, too long, or no file."""
        found = path.resolve()
        if self.folders is not None and not any(found.is_relative_to(folder.resolve()) for folder in self.folders):
            folders = ", ".join(map(str, self.folders))
            raise SpecInvalid(f"spec_file {path} is not below the folders of ASSAY_SPEC_FOLDERS: {folders}")
        with open(os.open(found, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SpecInvalid(f"spec_file {path} is no file")
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SpecInvalid(f"spec_file {path} has more than {MOST_BYTES:,} bytes")
        return content.decode()


UNBOUNDED: Final = FileBounds()


def job_id_of(flow_run_id: UUID) -> str:
    """Return the id of the job that a flow run registers, the same each time."""
    number = int.from_bytes(hashlib.sha256(flow_run_id.bytes).digest())
    digits = ""
    for _ in range(22):
        number, digit = divmod(number, len(ALPHABET))
        digits += ALPHABET[digit]
    return "job-" + digits


def register(
    workspace: Workspace,
    flow_run_id: UUID,
    asked: Asked,
    *,
    spec: EvaluationSpec | None = None,
    failure: Failure | None = None,
) -> Job:
    """Record the job of a flow run, or return the one that it has already.

    A name that is taken, as by an earlier run of a schedule, gets the end of the job's id.
    """
    job_id = job_id_of(flow_run_id)
    named = spec is None and asked.spec_file is None
    label = asked.name or Path(asked.spec_file or "").stem or None
    job = {
        "id": job_id,
        "face": "nemo-v2",
        "project": asked.project,
        "target": asked.target if named else None,
        "config": asked.config if named else label,
        "failure": failure,
        **_specified(spec, asked),
    }
    try:
        return workspace.jobs.register(NewJob(name=asked.name or job_id, **job), str(flow_run_id))
    except Conflict:
        return workspace.jobs.register(NewJob(name=f"{asked.name or job_id}-{job_id[-6:]}", **job), str(flow_run_id))


async def completed(workspace: Workspace, job: Job, *, attempt: int, worker: str, bounds: FileBounds) -> Job:
    """Return a job once it has a specification: that of its file, or what the service puts in for names.

    A job that is cancelled first is returned without. Raises SpecInvalid if there is none to be had, and
    ServiceError if no service does its part; both are recorded as the job's failure.
    """
    if job.spec is not None:
        return job
    with workspace.folder(job.id).held():  # so that the run is not taken for dead
        try:
            return await _completed(workspace, job, bounds)
        except AssayError as error:
            failure = Failure(blame=error.blame, code=error.code, message=error.message)
            workspace.jobs.report(Progress(job.id, attempt, worker, utcnow(), failure=failure))
            raise


async def _completed(workspace: Workspace, job: Job, bounds: FileBounds) -> Job:
    if (file := job.request["spec"].get("spec_file")) is not None:
        spec = await asyncio.to_thread(read_spec, Path(file), _overrides(job.request), bounds)
        workspace.jobs.complete(job.id, spec=spec, model=_model(spec), request=_request(spec))
        return workspace.jobs.get(job.id)
    deadline = time.monotonic() + COMPLETION_S
    while time.monotonic() < deadline:
        job = await asyncio.to_thread(workspace.jobs.get, job.id)
        if job.failure is not None:
            raise SpecInvalid(job.failure.message)
        if job.spec is not None or job.intent in ("cancel", "delete"):
            return job
        await asyncio.sleep(LOOK_S)
    raise ServiceError(
        f"no service on {workspace.settings.home} has looked up {job.target} and {job.config}: "
        "run `assay serve` on this ASSAY_HOME, or evaluate a spec_file"
    )


def read_spec(path: Path, overrides: Mapping[str, int], bounds: FileBounds = UNBOUNDED) -> EvaluationSpec:
    """Return the specification in a YAML or JSON file, some of its parameters replaced.

    Raises SpecInvalid, which repeats no value, also for a key that is not named by `env:NAME`.
    """
    try:
        body = yaml.safe_load(bounds.read(path))
        _refuse_bomb(path, body)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecInvalid(f"spec_file {path} cannot be read where the job runs: {error}") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        raise SpecInvalid(f"spec_file {path} is neither YAML nor JSON: {place or 'it ends too soon'}") from None
    except RecursionError:
        raise SpecInvalid(f"spec_file {path} is nested too deep") from None
    if not isinstance(body, dict):
        raise SpecInvalid(f"spec_file {path} holds no object with 'targets' and 'tasks'")
    _refuse_keys(path, body, bounds)
    try:
        spec = EvaluationSpec.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SpecInvalid(f"spec_file {path}: {place or 'the whole'}: {first['msg']}", field=place or None) from None
    return spec.with_params(overrides)


def _refuse_bomb(path: Path, body: Any) -> None:
    """Raise SpecInvalid if a few aliases stand for more than a file may hold."""
    left, parts = MOST_PARTS, [body]
    while parts:
        part = parts.pop()
        inside = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        left -= len(inside)
        if left < 0:
            raise SpecInvalid(f"spec_file {path} means more than {MOST_PARTS:,} values")
        parts.extend(inside)


def _refuse_keys(path: Path, body: dict[str, Any], bounds: FileBounds) -> None:
    sealed, keys = seal(body)
    if any(not key.startswith("env:") for key in keys.values()) or _texts(sealed, keys) != _texts(body, {}):
        raise SpecInvalid(f"spec_file {path} holds a key; name the worker's variable that has it: env:NAME")
    named = {key.removeprefix("env:") for key in keys.values()}
    if bounds.variables is not None and not named <= set(bounds.variables):
        raise SpecInvalid(f"spec_file {path} names a variable that ASSAY_KEY_VARIABLES does not list")


def _texts(value: Any, keys: Mapping[str, str]) -> Any:
    """Return a sealed value with the keys back in the place of references."""
    match value:
        case dict():
            return {name: _texts(part, keys) for name, part in value.items()}
        case list():
            return [_texts(part, keys) for part in value]
        case str():
            return keys.get(value.removeprefix("store:"), value)
    return value


def _specified(spec: EvaluationSpec | None, asked: Asked) -> dict[str, Any]:
    if spec is None:
        return {"spec": None, "request": asked.request}
    spec = spec.with_params(asked.overrides)
    return {"spec": spec, "request": _request(spec), "model": _model(spec)}


def _request(spec: EvaluationSpec) -> dict[str, Any]:
    return {"spec": spec.model_dump(mode="json")}


def _overrides(request: Mapping[str, Any]) -> dict[str, int]:
    return {name: value for name, value in request.items() if name != "spec"}


def _model(spec: EvaluationSpec) -> str | None:
    return next((target.endpoint.model for target in spec.targets if isinstance(target, ModelTarget)), None)


def tags(job: Job | OpenJob) -> list[str]:
    """Return what the flow run of a job is found by in Prefect."""
    named = {"namespace": job.namespace, "config": job.config, "model": job.model}
    return [job.face, *(f"{name}:{value}" for name, value in named.items() if value)]
