"""From Together's words to the core's: a request to a specification and a job."""

import re
import secrets
import time
from typing import Final, TypeVar, assert_never
from urllib.parse import urlsplit

from pydantic import JsonValue, TypeAdapter

from api.http.fields import JsonDict
from api.together.schema import evaluations as wire
from core.endpoint import Endpoint, Prompt
from core.errors import SpecInvalid, TemplateInvalid
from core.job import Face, NewJob
from core.metric import Judge, Labels, Preference, Range, Scale
from core.settings import Settings
from core.spec import EvaluationSpec, FilesDataset, ModelTarget, Params, RecordedTarget, Target, TaskSpec
from tasks.judging.scales import instruction, reply_schema
from tasks.templates.template import compile_template, literal, of_columns

FACE: Final[Face] = "together"
IMAGES: Final = "image_data_urls"
MAX_FAILED: Final = 0.3
MAX_PARALLELISM: Final = 4096

JUDGE_MAX_TOKENS: Final = 32_768
MODEL_MAX_TOKENS: Final = 1_024
TEMPERATURE: Final = 0.05

DEDICATED_WORKERS: Final = 5
"""Fewer are raised to so many."""

SHORTCUTS: Final = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
}
"""Where a provider answers whose name stands before the model's."""

_VERSIONED: Final = re.compile(r"/v\d+[a-z\d]*(/openai)?$|/completions$")
_REQUEST: Final[TypeAdapter[wire.EvaluationRequest]] = TypeAdapter(wire.EvaluationRequest)

Given = TypeVar("Given")


def new_id() -> str:
    """Return the id of a job, which another may have been given in the same second."""
    return f"eval-{secrets.token_hex(2)}-{int(time.time())}"


def to_new_job(job_id: str, sealed: JsonDict, dataset: FilesDataset, settings: Settings) -> NewJob:
    """Return the job that a sealed request asks for, over the samples in `dataset`. Raises SpecInvalid."""
    asked = _REQUEST.validate_python(sealed)
    spec = to_spec(asked, dataset, settings)
    return NewJob(
        id=job_id,
        face=FACE,
        spec=spec,
        request=asked.sent,
        name=job_id,
        model=spec.model,
    )


def to_spec(asked: wire.EvaluationRequest, dataset: FilesDataset, settings: Settings) -> EvaluationSpec:
    """Return the specification of a request whose keys are references. Raises SpecInvalid."""
    evaluated = _evaluated(asked)
    targets = [_target(name, given, field, settings) for name, field, given in evaluated]
    models = {name: given for name, _, given in evaluated if isinstance(given, wire.EvaluatedModel)}
    workers = sum(_workers(model) for model in (asked.parameters.judge, *models.values()))
    return EvaluationSpec(
        targets=tuple(targets),
        tasks=(
            TaskSpec(
                name=asked.type,
                dataset=dataset,
                prompts={
                    name: _prompt(of_columns(model.system_template), of_columns(model.input_template))
                    for name, model in models.items()
                },
                metrics=(_judge(asked, list(models.values()), settings),),
            ),
        ),
        params=Params(
            parallelism=min(workers, MAX_PARALLELISM),
            max_failed=MAX_FAILED,
            strict_columns=settings.strict_columns,
        ),
    )


def _evaluated(asked: wire.EvaluationRequest) -> list[tuple[str, str, wire.ModelOrColumn]]:
    """Return what is evaluated: each target's name, its field in the request and what that holds."""
    match asked:
        case wire.CompareRequest(parameters=parameters):
            return [("a", "model_a", parameters.model_a), ("b", "model_b", parameters.model_b)]
        case wire.ClassifyRequest() | wire.ScoreRequest():
            return [("target", "model_to_evaluate", asked.parameters.model_to_evaluate)]
        case _:
            assert_never(asked)


def _scale(asked: wire.EvaluationRequest) -> Scale:
    match asked:
        case wire.ClassifyRequest(parameters=parameters):
            return Labels(labels=tuple(parameters.labels), passing=tuple(parameters.pass_labels))
        case wire.ScoreRequest(parameters=parameters):
            bounds = {"minimum": parameters.min_score, "maximum": parameters.max_score}
            return Range(**bounds, threshold=parameters.pass_threshold)
        case wire.CompareRequest(parameters=parameters):
            return Preference(swap=not parameters.disable_position_bias_correction)
        case _:
            assert_never(asked)


def _target(name: str, given: wire.ModelOrColumn, field: str, settings: Settings) -> Target:
    if isinstance(given, str):
        return RecordedTarget(name=name, column=given)
    _check_template(given.system_template, f"parameters.{field}.system_template")
    _check_template(given.input_template, f"parameters.{field}.input_template")
    return ModelTarget(
        name=name,
        endpoint=_endpoint(given, f"parameters.{field}", settings),
        generation=_generation(given, MODEL_MAX_TOKENS),
        parallelism=_workers(given),
    )


def _judge(asked: wire.EvaluationRequest, models: list[wire.EvaluatedModel], settings: Settings) -> Judge:
    given = asked.parameters.judge
    scale = _scale(asked)
    _check_template(given.system_template, "parameters.judge.system_template")
    return Judge(
        name="judge",
        endpoint=_endpoint(given, "parameters.judge", settings),
        prompt=_prompt(f"{of_columns(given.system_template)}\n\n{literal(instruction(scale))}", _shown(scale, models)),
        generation=_generation(given, JUDGE_MAX_TOKENS),
        scale=scale,
        reply_schema=reply_schema(scale),
        parallelism=_workers(given),
    )


def _shown(scale: Scale, models: list[wire.EvaluatedModel]) -> str:
    """Return the template of what a judge is shown: the prompt that was answered, if one was, and the outputs.

    Of two models with prompts of their own the first one's is shown, to both passes alike.
    """
    prompt = f"Prompt:\n{of_columns(models[0].input_template)}\n\n" if models else ""
    if scale.kind == "preference":
        return prompt + "Response A:\n{{ sample.output_a }}\n\nResponse B:\n{{ sample.output_b }}"
    return prompt + "Response:\n{{ sample.output_text }}"


def _prompt(system: str, user: str) -> Prompt:
    messages: list[JsonValue] = [{"role": "user", "content": user}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    return Prompt(body={"messages": messages}, images=IMAGES, sample_names=False, json_values=False)


def _generation(given: wire.Model, max_tokens: int) -> dict[str, JsonValue]:
    return {
        "max_tokens": _or_default(given.max_tokens, max_tokens),
        "temperature": _or_default(given.temperature, TEMPERATURE),
    }


def _workers(given: wire.Model) -> int:
    match given.model_source or "serverless":
        case "serverless":
            return _or_default(given.num_workers, 25)
        case "dedicated":
            return max(_or_default(given.num_workers, DEDICATED_WORKERS), DEDICATED_WORKERS)
        case "external":
            return _or_default(given.num_workers, 20 if given.external_base_url else 2)
        case source:
            assert_never(source)


def _endpoint(given: wire.Model, field: str, settings: Settings) -> Endpoint:
    """Return where a model answers. Raises SpecInvalid if nothing says so."""
    if given.model_source != "external":
        if not settings.url_of(given.model):
            message = f"model {given.model!r} is not known here: set its url in [models], or ASSAY_DEFAULT_ENDPOINT"
            raise SpecInvalid(message, field=f"{field}.model")
        return Endpoint(model=given.model)
    if given.external_base_url:
        url = base_url(given.external_base_url)
        return Endpoint(url=url, model=given.model, api_key=given.external_api_token or None)
    provider, _, model = given.model.partition("/")
    if provider not in SHORTCUTS or not model:
        known = ", ".join(f"{name}/…" for name in SHORTCUTS)
        message = f"an external model needs its URL, unless it is named as one of: {known}"
        raise SpecInvalid(message, field=f"{field}.external_base_url")
    if not given.external_api_token:
        message = f"the external model {given.model!r} needs a key"
        raise SpecInvalid(message, field=f"{field}.external_api_token")
    return Endpoint(url=SHORTCUTS[provider], model=model, api_key=given.external_api_token)


def base_url(url: str) -> str:
    """Return the base of an endpoint's routes: `url` itself if its path ends in a version, else `/v1` below it."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    return parts._replace(path=path if _VERSIONED.search(path) else f"{path}/v1").geturl()


def _check_template(source: str, field: str) -> None:
    try:
        compile_template(source, where="the template")
    except TemplateInvalid as error:
        raise SpecInvalid(error.message, field=field) from error


def _or_default(given: Given | None, default: Given) -> Given:
    return default if given is None else given
