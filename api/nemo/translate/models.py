"""From NeMo's models to the core's: where one answers, and what it is sent."""

from pydantic import JsonValue

from api.nemo.schema import targets as wire
from core.endpoint import Endpoint, Prompt, Reasoning
from core.errors import SpecInvalid


def endpoint_of(model: str | wire.Model, field: str) -> Endpoint:
    """Return where a model answers; one that is only named is looked up in the settings."""
    if isinstance(model, str):
        return Endpoint(model=model)
    if model.api_endpoint is None:
        raise missing(f"{field}.api_endpoint")
    endpoint = model.api_endpoint
    return Endpoint(url=endpoint.url, model=endpoint.model_id, api_key=endpoint.api_key or None)


def generation_of(model: str | wire.Model) -> dict[str, JsonValue]:
    """Return the request fields that a model has of itself."""
    given = _prompting(model)
    effort = given.reasoning_params.effort if given.reasoning_params else None
    return sampling_of(given.inference_params) | ({"reasoning_effort": effort} if effort else {})


def sampling_of(params: wire.Sampling | None) -> dict[str, JsonValue]:
    """Return the request fields that say how a model chooses its words."""
    return params.model_dump(include=set(wire.Sampling.model_fields), exclude_none=True) if params else {}


def reasoning_of(model: str | wire.Model) -> Reasoning:
    """Return how a model's thinking is told from its answer."""
    given = _prompting(model).reasoning_params
    if given is None:
        return Reasoning()
    end_token = given.end_token or Reasoning().end_token
    return Reasoning(end_token=end_token, include_if_unfinished=bool(given.include_if_not_finished))


def prompt_of(template: str | dict[str, JsonValue], model: str | wire.Model, field: str) -> Prompt:
    """Return a template as a prompt to a model, with the system message that it is always given."""
    if isinstance(template, str):
        body: dict[str, JsonValue] = {"prompt": template}
    else:
        body = {key: value for key, value in template.items() if value is not None}
    if ("messages" in body) == ("prompt" in body):
        raise SpecInvalid("a template has either 'messages' or 'prompt'", field=field)
    system = _prompting(model).system_prompt
    return Prompt(body=_with_system(body, system, field) if system else body)


def missing(field: str) -> SpecInvalid:
    """Return the error of a field that is not there."""
    return SpecInvalid("Field required", field=field)


def _prompting(model: str | wire.Model) -> wire.PromptData:
    return (None if isinstance(model, str) else model.prompt) or wire.PromptData()


def _with_system(body: dict[str, JsonValue], system: str, field: str) -> dict[str, JsonValue]:
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise SpecInvalid("a model with a system_prompt needs a template with a list of messages", field=field)
    if any(isinstance(message, dict) and message.get("role") == "system" for message in messages):
        return body
    return {**body, "messages": [{"role": "system", "content": system}, *messages]}
