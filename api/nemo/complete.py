"""What a job from Prefect names, put in its place: it asks for a stored target and config by their names alone."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from api.http.state import State
from api.nemo import references
from api.nemo.schema.jobs import JobInput
from api.nemo.translate import jobs as translate
from core.errors import AssayError, NotFound
from core.job import Failure, Job

MOST_NAMED: Final = 10
"""So many of the stored targets, and configs, are named to one who has named another."""


def complete(state: State, job: Job) -> None:
    """Give a job its specification, with keys of its own, or the reason why it has none."""
    try:
        named = references.inline(state, JobInput.model_validate(job.request["spec"]), job.request["spec"])
        request = {"spec": _overridden(named.parts, job.request)}
        spec, failure = translate.carried_out(JobInput.model_validate(request["spec"]), at="spec")
    except NotFound as error:
        failure = Failure(blame=error.blame, code=error.code, message=f"{error.message}; {_what_is_stored(state)}")
        state.jobs.complete(job.id, failure=failure)
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


def _what_is_stored(state: State) -> str:
    """Say what a job may name, and how more comes to be stored."""
    targets, configs = _listed(state.targets.known(MOST_NAMED + 1)), _listed(state.configs.known(MOST_NAMED + 1))
    return (
        f"stored targets: {targets}; stored configs: {configs}; POST /v1/evaluation/targets and "
        "/v1/evaluation/configs store more"
    )


def _listed(names: Sequence[str]) -> str:
    more = ", and more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED]) or 'none'}{more}"


def _overridden(spec: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target and config in full with the parameters that a request overrides."""
    overrides = {name: value for name, value in request.items() if name != "spec"}
    return {**spec, "config": {**spec["config"], "params": {**(spec["config"].get("params") or {}), **overrides}}}
