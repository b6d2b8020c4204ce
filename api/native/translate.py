"""From a request for a job, whose words are the core's, to the job."""

from typing import Any

from api.http.wire import SealedBody
from api.native.schema.jobs import JobRequest
from core.endpoint import SecretRef
from core.errors import SpecInvalid
from core.job import NewJob, random_id
from core.settings import Settings
from core.spec import EvaluationSpec
from store.secrets import STORED

REFERENCES = ("env:", "store:", "model:")


def to_new_job(asked: JobRequest, settings: Settings) -> tuple[NewJob, dict[str, str]]:
    """Return the job that is asked for, and the keys that came with it, by id; raises as `named_keys` does."""
    references, keys = named_keys(asked, settings)
    spec = with_references(asked.spec, references)
    job_id = random_id("job-")
    job = NewJob(
        id=job_id,
        face="nemo-v2",
        spec=spec,
        request={"spec": spec.model_dump(mode="json")},
        name=asked.name or job_id,
        namespace=asked.namespace or "default",
        project=asked.project,
        description=asked.description,
        model=spec.model,
    )
    return job, keys


def named_keys(asked: SealedBody, settings: Settings) -> tuple[dict[str, SecretRef], dict[str, str]]:
    """Return what stands for keys that a request only names, by the references in its place, and the others by id.

    `env:NAME` in the place of a key names a variable where the service runs, as far as its settings allow that.
    Raises SpecInvalid for other references.
    """
    named = {key_id: clear for key_id, clear in asked.keys.items() if clear.startswith(REFERENCES)}
    for clear in named.values():
        kind, _, name = clear.partition(":")
        if kind != "env" or not settings.may_name(name):
            hint = "; ASSAY_KEY_VARIABLES does not list it" if kind == "env" and not settings.api_keys else ""
            raise SpecInvalid(
                f"a key cannot be named by {kind}:… here{hint}; send the key itself "
                "(`assay run` does, if the variable is set in its shell)",
                field="spec",
            )
    keys = {key_id: clear for key_id, clear in asked.keys.items() if key_id not in named}
    return {f"{STORED}{key_id}": clear for key_id, clear in named.items()}, keys


def with_references(spec: EvaluationSpec, references: dict[str, SecretRef]) -> EvaluationSpec:
    """Return a specification with other references in the place of some."""
    return EvaluationSpec.model_validate(_replaced(spec.model_dump(), references)) if references else spec


def _replaced(value: Any, references: dict[str, SecretRef]) -> Any:
    match value:
        case dict():
            return {name: _replaced(part, references) for name, part in value.items()}
        case list() | tuple():
            return [_replaced(part, references) for part in value]
        case str():
            return references.get(value, value)
    return value
