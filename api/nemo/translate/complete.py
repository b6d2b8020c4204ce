"""What a job from Prefect names, put in its place: it asks for a stored target and config by their names alone."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from api.http.state import State
from api.nemo.schema.jobs import JobInput
from api.nemo.translate import jobs as translate
from api.nemo.translate import references
from core.errors import AssayError
from core.job import Failure, Job


def complete(state: State, job: Job) -> None:
    """Give a job its specification, with keys of its own, or the reason why it has none."""
    try:
        named = references.inline(state, JobInput.model_validate(job.request["spec"]), job.request["spec"])
        request = {"spec": _overridden(named.parts, job.request)}
        spec, failure = translate.carried_out(JobInput.model_validate(request["spec"]), at="spec")
    except AssayError as error:
        failure = Failure(blame=error.blame, code=error.code, message=error.message)
        state.jobs.complete(job.id, failure=failure)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        state.jobs.complete(job.id, failure=Failure(blame="user", code="invalid_spec", message=message))
    else:
        model = spec.model if spec else None
        ciphertexts = state.vault.encrypt(named.keys)
        state.jobs.complete(job.id, spec=spec, model=model, request=request, failure=failure, secrets=ciphertexts)


def _overridden(spec: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target and config in full with the parameters that a request overrides."""
    overrides = {name: value for name, value in request.items() if name != "spec"}
    return {**spec, "config": {**spec["config"], "params": {**(spec["config"].get("params") or {}), **overrides}}}
