"""From NeMo's words to the core's: a request to a specification and a job."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final, get_args

from pydantic import JsonValue, ValidationError

from api.http.fields import JsonDict
from api.nemo.benchmarks import BENCHMARKS
from api.nemo.benchmarks.benchmark import Benchmark
from api.nemo.schema import jobs as wire
from api.nemo.schema.fields import Described
from api.nemo.schema.targets import CachedOutputs, Entity, Model
from api.nemo.schema.targets import Dataset as WireDataset
from api.nemo.schema.targets import Target as WireTarget
from api.nemo.translate.metrics import to_metric
from api.nemo.translate.models import endpoint_of, generation_of, missing, prompt_of, reasoning_of, sampling_of
from core.endpoint import Prompt
from core.errors import NotFound, SpecInvalid, Unsupported
from core.job import Face, Failure, NewJob
from core.spec import (
    Dataset,
    EvaluationSpec,
    FileFormat,
    FilesDataset,
    ModelTarget,
    Params,
    RecordedTarget,
    RowsDataset,
    Target,
    TaskSpec,
)

GENERATING: Final = frozenset({"chat-completion", "completion"})
TASK_TYPES: Final = (*sorted(GENERATING), "data")
TARGET_TYPES: Final = ("cached_outputs", "dataset", "model", "rows")
CONFIG_TYPES: Final = ("custom", *BENCHMARKS)

OUTPUT_COLUMN: Final = "response"
"""Where cached outputs have the target's output."""

TARGET: Final = "target"
CACHED: Final = RecordedTarget(name=TARGET, column=OUTPUT_COLUMN)


def to_new_job(
    job_id: str, face: Face, asked: Described, evaluated: wire.JobInput, *, request: JsonDict, at: str = ""
) -> NewJob:
    """Return the job that a request asks for with `evaluated`, which stands at `at` in its body.

    `request` is the sealed body with target and config in full. Raises SpecInvalid and NotFound.
    """
    spec, failure = carried_out(evaluated, at=at)
    return NewJob(
        id=job_id,
        face=face,
        spec=spec,
        request=request,
        name=asked.name or job_id,
        namespace=asked.namespace or "default",
        project=asked.project,
        description=asked.description,
        target=_label(evaluated.target),
        config=_label(evaluated.config),
        model=spec.model if spec else None,
        custom_fields=asked.custom_fields,
        ownership=asked.ownership,
        failure=failure,
    )


def carried_out(asked: wire.JobInput, *, at: str = "") -> tuple[EvaluationSpec | None, Failure | None]:
    """Return the specification of a request, or the failure of a job that asks for what is not supported.

    `at` is the path of `asked` in the request's body. Raises SpecInvalid and NotFound as `to_spec` does.
    """
    try:
        return to_spec(asked), None
    except Unsupported as error:
        return None, Failure(blame=error.blame, code=error.code, message=error.message)
    except SpecInvalid as error:
        field = ".".join(part for part in (at, error.field) if part)
        raise SpecInvalid(error.message, field=field or None) from error


def to_spec(asked: wire.JobInput) -> EvaluationSpec:
    """Return the specification of a request whose keys are references.

    Raises Unsupported where the request asks for what this service does not carry out, SpecInvalid
    where it leaves out what is needed, and NotFound for the name of a stored target, config or dataset.
    """
    target, config = asked.target, asked.config
    if isinstance(target, str):
        raise _not_found("Target", target)
    if isinstance(config, str):
        raise _not_found("Config", config)
    if isinstance(config, wire.OtherConfig):
        raise _unsupported("config type", config.type, CONFIG_TYPES, "config.type")
    if target.type not in TARGET_TYPES:
        raise _unsupported("target type", target.type, TARGET_TYPES, "target.type")
    match target.model:
        case Model(api_endpoint=None, cached_outputs=CachedOutputs() as cached):
            target = target.model_copy(update={"type": "cached_outputs", "cached_outputs": cached, "model": None})
    try:
        if isinstance(config, wire.CustomConfig):
            return _custom(target, config)
        return _benchmark(target, config, BENCHMARKS[config.type])
    except ValidationError as error:
        raise SpecInvalid(error.errors()[0]["msg"]) from error


def _custom(target: WireTarget, config: wire.CustomConfig) -> EvaluationSpec:
    _check_groups(config.groups or {}, config.tasks, "config.groups")
    token = _token(config.params)
    return EvaluationSpec(
        targets=(_target(target, config),),
        tasks=tuple(_task(name, task, target, token) for name, task in config.tasks.items()),
        params=_params(config.params, _trials(config)),
    )


def _benchmark(target: WireTarget, config: wire.BenchmarkConfig, benchmark: Benchmark) -> EvaluationSpec:
    recorded = target.type == "cached_outputs" and benchmark.reads_text
    if target.type != "model" and not recorded:
        message = (
            f"a config of type {config.type} needs a target of type model, not {target.type}; outputs that exist are "
            "held against their rows by a config of type custom with a task of type data"
        )
        raise SpecInvalid(message, field="target.type")
    if target.type == "model" and target.model is None:
        raise missing("target.model")
    tasks = config.tasks or {benchmark.task: wire.Task(type=benchmark.task_types[0])}
    _check_groups(config.groups or {}, tasks, "config.groups")
    return EvaluationSpec(
        targets=(CACHED if target.model is None else _model_target(target.model, config.params),),
        tasks=tuple(_benchmark_task(name, task, benchmark, target, config.params) for name, task in tasks.items()),
        params=_params(config.params, _trials(config, repeated=benchmark.repeated and target.type == "model")),
    )


def _benchmark_task(
    name: str, task: wire.Task, benchmark: Benchmark, target: WireTarget, params: wire.ConfigParams | None
) -> TaskSpec:
    field = f"config.tasks.{name}"
    if task.type not in benchmark.task_types:
        raise _unsupported("task type", task.type, benchmark.task_types, f"{field}.type")
    metrics = [
        benchmark.named(to_metric(key, metric, f"{field}.metrics.{key}", reference=benchmark.reference))
        for key, metric in (task.metrics or {}).items()
    ]
    if target.type == "cached_outputs":
        dataset, prompts, limit = _dataset(task, target, _token(params), field), {}, None
    else:
        assert target.model is not None, "a benchmark without a model is refused"
        template = task.params.template if task.params else None
        dataset = _benchmark_dataset(task, benchmark, params, f"{field}.dataset")
        asked = template or _template(benchmark, target.model)
        prompts = {TARGET: prompt_of(asked, target.model, f"{field}.params.template")}
        limit = _limit(_asked_dataset(task, params))
    return TaskSpec(
        name=name, dataset=dataset, limit=limit, prompts=prompts, metrics=tuple(metrics) or benchmark.metrics
    )


def _benchmark_dataset(
    task: wire.Task, benchmark: Benchmark, params: wire.ConfigParams | None, field: str
) -> FilesDataset:
    """Return the task's own dataset, or that of the parameters, or that of the benchmark."""
    usual = benchmark.dataset or FilesDataset(url="")
    given = _asked_dataset(task, params)
    if given is None and benchmark.dataset:
        return usual.model_copy(update={"url": usual.url.format(type=task.type), "token": _token(params)})
    if isinstance(given, str) and given.startswith("hf://"):
        given = WireDataset(files_url=given)
    files = _files(given, _token(params), field)
    suffix = PurePosixPath(files.url).suffix
    file_format = files.format or (usual.format if suffix in {"", ".json"} else None)
    category = task.type if usual.layout == "bfcl" and not suffix else None
    layout = usual.layout or files.layout
    return files.model_copy(update={"layout": layout, "format": file_format, "split": files.split or category})


def _asked_dataset(task: wire.Task, params: wire.ConfigParams | None) -> str | WireDataset | None:
    return task.dataset or (params.extra.dataset if params and params.extra else None)


def _template(benchmark: Benchmark, model: str | Model) -> dict[str, JsonValue]:
    """Return the benchmark's template, for a model's completions route as a text."""
    url = model.api_endpoint.url if isinstance(model, Model) and model.api_endpoint else ""
    match benchmark.template:
        case {"messages": [{"content": str(text)}]} if url.endswith("/completions"):
            return benchmark.template if url.endswith("/chat/completions") else {"prompt": text}
    return benchmark.template


def _trials(config: wire.CustomConfig | wire.BenchmarkConfig, *, repeated: bool = False) -> int:
    """Return how often each sample is asked, which is once unless its type is one that may be `repeated`."""
    extra = config.params.extra if config.params else None
    asked = {"n_samples": extra.n_samples, "num_repeats": extra.num_repeats} if extra else {}
    given = {name: times for name, times in asked.items() if times is not None}
    if len(set(given.values())) > 1:
        message = "n_samples and num_repeats both say how often each sample is asked, and differ"
        raise SpecInvalid(message, field="config.params.extra")
    for name, times in given.items():
        if times > 1 and not repeated:
            types = ", ".join(each for each, benchmark in BENCHMARKS.items() if benchmark.repeated)
            message = f"{times} is not supported in a config of type {config.type} for this target"
            raise Unsupported(f"config.params.extra.{name}: {message}; supported: {types}, of a model")
    return next(iter(given.values()), 1)


def _params(params: wire.ConfigParams | None, trials: int) -> Params:
    if params is None:
        return Params()
    given = {
        "trials": trials,
        "parallelism": params.parallelism,
        "limit_samples": params.limit_samples,
        "request_timeout_s": params.request_timeout,
        "max_retries": params.max_retries,
    }
    return Params.model_validate({name: value for name, value in given.items() if value is not None})


def _token(params: wire.ConfigParams | None) -> str | None:
    return (params.extra.hf_token if params and params.extra else None) or None


def _target(target: WireTarget, config: wire.CustomConfig) -> Target:
    if target.type == "cached_outputs":
        return CACHED
    types = {task.type: name for name, task in config.tasks.items()}
    generating = sorted(GENERATING & types.keys())
    if not generating:
        return RecordedTarget(name=TARGET)
    if target.type != "model":
        message = f"a {generating[0]} task needs a target of type model, not {target.type}"
        raise SpecInvalid(message, field=f"config.tasks.{types[generating[0]]}.type")
    if "data" in types:
        message = f"a data task cannot stand beside a {generating[0]} task: give it a job of its own"
        raise SpecInvalid(message, field=f"config.tasks.{types['data']}.type")
    if target.model is None:
        raise missing("target.model")
    return _model_target(target.model, config.params)


def _model_target(model: str | Model, params: wire.ConfigParams | None) -> ModelTarget:
    return ModelTarget(
        name=TARGET,
        endpoint=endpoint_of(model, "target.model"),
        generation=generation_of(model) | sampling_of(params),
        reasoning=reasoning_of(model),
    )


def _task(name: str, task: wire.Task, target: WireTarget, token: str | None) -> TaskSpec:
    field = f"config.tasks.{name}"
    if task.type not in TASK_TYPES:
        raise _unsupported("task type", task.type, TASK_TYPES, f"{field}.type")
    metrics = (task.metrics or {}).items()
    return TaskSpec(
        name=name,
        dataset=_dataset(task, target, token, field),
        limit=_limit({"rows": None, "cached_outputs": None, "dataset": target.dataset}.get(target.type, task.dataset)),
        prompts=_prompts(task, target, f"{field}.params.template"),
        metrics=tuple(
            to_metric(key, metric, f"{field}.metrics.{key}", recorded=task.type == "data") for key, metric in metrics
        ),
    )


def _prompts(task: wire.Task, target: WireTarget, field: str) -> dict[str, Prompt]:
    if target.type != "model" or target.model is None or task.type not in GENERATING:
        return {}
    template = task.params.template if task.params else None
    if template is None:
        raise SpecInvalid(f"a {task.type} task needs a template", field=field)
    return {TARGET: prompt_of(template, target.model, field)}


def _dataset(task: wire.Task, target: WireTarget, token: str | None, field: str) -> Dataset:
    match target.type:
        case "rows":
            if target.rows is None:
                raise missing("target.rows")
            return RowsDataset(rows=target.rows)
        case "cached_outputs":
            if target.cached_outputs is None:
                raise missing("target.cached_outputs")
            return FilesDataset(url=target.cached_outputs.files_url, token=token)
        case "dataset":
            return _files(target.dataset, token, "target.dataset")
    return _files(task.dataset, token, f"{field}.dataset")


def _files(dataset: str | WireDataset | None, token: str | None, field: str) -> FilesDataset:
    if dataset is None:
        raise missing(field)
    if isinstance(dataset, str):
        raise _not_found("Dataset", dataset)
    return FilesDataset(
        url=dataset.files_url,
        format=_file_format(dataset.format),
        split=dataset.split,
        layout="squad" if (dataset.format or "").lower() == "squad" else None,
        hub=dataset.hf_endpoint,
        token=token,
    )


def _limit(dataset: str | WireDataset | None) -> int | None:
    return dataset.limit if isinstance(dataset, WireDataset) else None


def _file_format(name: str | None) -> FileFormat | None:
    formats: dict[str, FileFormat] = {each: each for each in get_args(FileFormat)}
    return formats.get((name or "").lower())


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


def _unsupported(what: str, given: str, supported: Iterable[str], field: str) -> Unsupported:
    return Unsupported(f"{field}: {what} {given!r} is not supported; supported: {', '.join(supported)}")


def _label(entity: str | Entity) -> str | None:
    if isinstance(entity, str):
        return entity
    return f"{entity.namespace or 'default'}/{entity.name}" if entity.name else None
