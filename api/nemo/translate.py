"""From NeMo's words to the core's: a request to a specification and a job."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeVar, get_args

from pydantic import JsonValue, ValidationError

from api.nemo import schema as wire
from core.errors import NotFound, SpecInvalid
from core.job import NewJob
from core.spec import (
    Dataset,
    Endpoint,
    EvaluationSpec,
    FileFormat,
    FilesDataset,
    JsonParser,
    Judge,
    MetricSpec,
    ModelTarget,
    Params,
    Parsed,
    Parser,
    Prompt,
    Reasoning,
    RecordedTarget,
    RegexParser,
    RowsDataset,
    StringCheck,
    StringOperator,
    Target,
    TaskSpec,
)

GENERATING: Final = frozenset({"chat-completion", "completion"})
TASK_TYPES: Final = (*sorted(GENERATING), "data")
METRIC_TYPES: Final = ("llm-judge", "string-check")
TARGET_TYPES: Final = ("cached_outputs", "dataset", "model", "rows")

OPERATORS: Final[Mapping[str, StringOperator]] = {
    "==": "equals",
    "!=": "not equals",
    "<>": "not equals",
    **{operator: operator for operator in get_args(StringOperator)},
}

OUTPUT_COLUMN: Final = "response"
"""Where cached outputs have the target's output."""

JUDGE_MAX_TOKENS: Final = 1024
TARGET: Final = "target"

Given = TypeVar("Given")


def to_new_job(job_id: str, sealed: wire.JsonDict) -> NewJob:
    """Return the job that a sealed request asks for. Raises SpecInvalid and NotFound."""
    asked = wire.JobCreate.model_validate(sealed)
    spec = to_spec(asked.spec)
    models = [target.endpoint.model for target in spec.targets if isinstance(target, ModelTarget)]
    return NewJob(
        id=job_id,
        face="nemo-v2",
        spec=spec,
        request=sealed,
        name=asked.name or job_id,
        namespace=asked.namespace or "default",
        project=asked.project,
        description=asked.description,
        target=_label(asked.spec.target),
        config=_label(asked.spec.config),
        model=models[0] if models else None,
        custom_fields=asked.custom_fields,
        ownership=asked.ownership,
    )


def to_spec(asked: wire.JobInput) -> EvaluationSpec:
    """Return the specification of a request whose keys are references.

    Raises SpecInvalid where the request asks for what is not supported or leaves out what is
    needed, and NotFound for the name of a stored target, config or dataset.
    """
    target, config = asked.target, asked.config
    if isinstance(target, str):
        raise _not_found("Target", target)
    if isinstance(config, str):
        raise _not_found("Config", config)
    if isinstance(config, wire.OtherConfig):
        raise _unsupported("config type", config.type, ["custom"], "spec.config.type")
    _check_groups(config.groups or {}, config.tasks, "spec.config.groups")
    token = config.params.extra.hf_token if config.params and config.params.extra else None
    try:
        return EvaluationSpec(
            targets=(_target(target, config),),
            tasks=tuple(_task(name, task, target, token or None) for name, task in config.tasks.items()),
            params=_params(config.params),
        )
    except ValidationError as error:
        raise SpecInvalid(error.errors()[0]["msg"], field="spec") from error


def _params(params: wire.ConfigParams | None) -> Params:
    if params is None:
        return Params()
    given = {
        "parallelism": params.parallelism,
        "limit_samples": params.limit_samples,
        "request_timeout_s": params.request_timeout,
        "max_retries": params.max_retries,
    }
    return Params.model_validate({name: value for name, value in given.items() if value is not None})


def _target(target: wire.Target, config: wire.CustomConfig) -> Target:
    if target.type not in TARGET_TYPES:
        raise _unsupported("target type", target.type, TARGET_TYPES, "spec.target.type")
    if target.type == "cached_outputs":
        return RecordedTarget(name=TARGET, column=OUTPUT_COLUMN)
    types = {task.type: name for name, task in config.tasks.items()}
    generating = sorted(GENERATING & types.keys())
    if not generating:
        return RecordedTarget(name=TARGET)
    if target.type != "model":
        message = f"a {generating[0]} task needs a target of type model, not {target.type}"
        raise SpecInvalid(message, field=f"spec.config.tasks.{types[generating[0]]}.type")
    if "data" in types:
        message = f"a data task cannot stand beside a {generating[0]} task: give it a job of its own"
        raise SpecInvalid(message, field=f"spec.config.tasks.{types['data']}.type")
    return _model_target(target.model, config)


def _model_target(model: str | wire.Model | None, config: wire.CustomConfig) -> ModelTarget:
    if model is None:
        raise _missing("spec.target.model")
    return ModelTarget(
        name=TARGET,
        endpoint=_endpoint(model, "spec.target.model"),
        generation=_generation(model) | _sampling(config.params),
        reasoning=_reasoning(model),
    )


def _task(name: str, task: wire.Task, target: wire.Target, token: str | None) -> TaskSpec:
    field = f"spec.config.tasks.{name}"
    if task.type not in TASK_TYPES:
        raise _unsupported("task type", task.type, TASK_TYPES, f"{field}.type")
    metrics = (task.metrics or {}).items()
    return TaskSpec(
        name=name,
        dataset=_dataset(task, target, token, field),
        prompts=_prompts(task, target, f"{field}.params.template"),
        metrics=tuple(_metric(key, metric, f"{field}.metrics.{key}") for key, metric in metrics),
    )


def _prompts(task: wire.Task, target: wire.Target, field: str) -> dict[str, Prompt]:
    if target.type != "model" or target.model is None or task.type not in GENERATING:
        return {}
    template = task.params.template if task.params else None
    if template is None:
        raise SpecInvalid(f"a {task.type} task needs a template", field=field)
    return {TARGET: _prompt(template, target.model, field)}


def _dataset(task: wire.Task, target: wire.Target, token: str | None, field: str) -> Dataset:
    match target.type:
        case "rows":
            return RowsDataset(rows=_needed(target.rows, "spec.target.rows"))
        case "cached_outputs":
            outputs = _needed(target.cached_outputs, "spec.target.cached_outputs")
            return FilesDataset(url=outputs.files_url, token=token)
        case "dataset":
            return _files(target.dataset, token, "spec.target.dataset")
    return _files(task.dataset, token, f"{field}.dataset")


def _files(dataset: str | wire.Dataset | None, token: str | None, field: str) -> FilesDataset:
    if dataset is None:
        raise _missing(field)
    if isinstance(dataset, str):
        raise _not_found("Dataset", dataset)
    return FilesDataset(
        url=dataset.files_url,
        format=_file_format(dataset.format),
        split=dataset.split,
        limit=dataset.limit,
        hub=dataset.hf_endpoint,
        token=token,
    )


def _file_format(name: str | None) -> FileFormat | None:
    formats: dict[str, FileFormat] = {each: each for each in get_args(FileFormat)}
    return formats.get((name or "").lower())


def _metric(name: str, metric: wire.Metric, field: str) -> MetricSpec:
    match metric:
        case wire.StringCheck():
            left, operator, right = metric.params.check
            known = OPERATORS.get(operator.strip().lower())
            if known is None:
                raise _unsupported("operator", operator, OPERATORS, f"{field}.params.check")
            return StringCheck(name=name, left=left, operator=known, right=right)
        case wire.LlmJudge():
            return _judge(name, metric.params, f"{field}.params")
        case wire.OtherMetric():
            raise _unsupported("metric type", metric.type, METRIC_TYPES, f"{field}.type")


def _judge(name: str, params: wire.JudgeParams, field: str) -> Judge:
    prompt = _prompt(params.template, params.model, f"{field}.template")
    generation = _generation(params.model)
    if not {"max_tokens", "max_completion_tokens"} & {*generation, *prompt.body}:
        generation["max_tokens"] = JUDGE_MAX_TOKENS
    return Judge(
        name=name,
        endpoint=_endpoint(params.model, f"{field}.model"),
        prompt=prompt,
        generation=generation,
        scale=Parsed(scores={key: _parser(score.parser) for key, score in params.scores.items()}),
        reasoning=_reasoning(params.model),
    )


def _parser(parser: wire.RegexParser | wire.JsonParser) -> Parser:
    match parser:
        case wire.RegexParser():
            return RegexParser(pattern=parser.pattern, method=parser.method or "match")
        case wire.JsonParser():
            return JsonParser(path=parser.json_path.removeprefix("$."))


def _endpoint(model: str | wire.Model, field: str) -> Endpoint:
    if isinstance(model, str):
        return Endpoint(model=model)
    endpoint = _needed(model.api_endpoint, f"{field}.api_endpoint")
    return Endpoint(url=endpoint.url, model=endpoint.model_id, api_key=endpoint.api_key or None)


def _prompting(model: str | wire.Model) -> wire.PromptData:
    return (None if isinstance(model, str) else model.prompt) or wire.PromptData()


def _generation(model: str | wire.Model) -> dict[str, JsonValue]:
    given = _prompting(model)
    effort = given.reasoning_params.effort if given.reasoning_params else None
    return _sampling(given.inference_params) | ({"reasoning_effort": effort} if effort else {})


def _sampling(params: wire.Sampling | None) -> dict[str, JsonValue]:
    return params.model_dump(include=set(wire.Sampling.model_fields), exclude_none=True) if params else {}


def _reasoning(model: str | wire.Model) -> Reasoning:
    given = _prompting(model).reasoning_params
    if given is None:
        return Reasoning()
    end_token = given.end_token or Reasoning().end_token
    return Reasoning(end_token=end_token, include_if_unfinished=bool(given.include_if_not_finished))


def _prompt(template: str | dict[str, JsonValue], model: str | wire.Model, field: str) -> Prompt:
    if isinstance(template, str):
        body: dict[str, JsonValue] = {"prompt": template}
    else:
        body = {key: value for key, value in template.items() if value is not None}
    if ("messages" in body) == ("prompt" in body):
        raise SpecInvalid("a template has either 'messages' or 'prompt'", field=field)
    system = _prompting(model).system_prompt
    return Prompt(body=_with_system(body, system, field) if system else body)


def _with_system(body: dict[str, JsonValue], system: str, field: str) -> dict[str, JsonValue]:
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise SpecInvalid("a model with a system_prompt needs a template with a list of messages", field=field)
    if any(isinstance(message, dict) and message.get("role") == "system" for message in messages):
        return body
    return {**body, "messages": [{"role": "system", "content": system}, *messages]}


def _check_groups(groups: Mapping[str, wire.Group], tasks: Collection[str], field: str) -> None:
    for name, group in groups.items():
        if group.metrics:
            raise SpecInvalid("metrics over a group are not supported; give them to its tasks", field=f"{field}.{name}")
        unknown = [task for task in group.tasks or [] if task not in tasks]
        if unknown:
            raise SpecInvalid(f"there is no task {unknown[0]!r} in this config", field=f"{field}.{name}.tasks")
        _check_groups(group.groups or {}, tasks, f"{field}.{name}.groups")


def _not_found(what: str, name: str) -> NotFound:
    return NotFound(f"{what} {name!r} not found")


def _needed(given: Given | None, field: str) -> Given:
    if given is None:
        raise _missing(field)
    return given


def _missing(field: str) -> SpecInvalid:
    return SpecInvalid("Field required", field=field)


def _unsupported(what: str, given: str, supported: Iterable[str], field: str) -> SpecInvalid:
    return SpecInvalid(f"{what} {given!r} is not supported; supported: {', '.join(supported)}", field=field)


def _label(entity: str | wire.Entity) -> str | None:
    if isinstance(entity, str):
        return entity
    return f"{entity.namespace or 'default'}/{entity.name}" if entity.name else None
