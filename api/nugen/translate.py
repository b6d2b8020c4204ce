"""From Nugen's words to the core's: a request to a job, and a file to questions."""

from typing import Any, Final

import orjson
from pydantic import ValidationError

from api.http.body import refuse_unportable
from api.nugen.judging import CORRECTNESS, GRADED, RELEVANCE, to_judge
from api.nugen.schema.requests import CreateEvaluation, Described, Question
from core.endpoint import Endpoint, Prompt
from core.errors import DatasetUnreadable, SpecInvalid, Unsupported
from core.job import Face, NewJob
from core.settings import Settings
from core.spec import EvaluationSpec, ModelTarget, Params, RowsDataset, TaskSpec
from store.db.benchmarks import Benchmark
from store.files.bounds import MAX_COLUMNS

FACE: Face = "nugen"
TASK: Final = "benchmark"
BUILT_IN: Final = {"accuracy": CORRECTNESS, "relevance": RELEVANCE, CORRECTNESS: CORRECTNESS, RELEVANCE: RELEVANCE}
"""The names by which a request may ask for what is always graded."""

DEFAULT_PROVIDER: Final = "anthropic"
TARGETS: Final = {1: ("model",), 2: ("base", "evaluated")}
PARAMS: Final = Params(request_timeout_s=60.0, max_retries=2, retry_window_s=60.0, needs_scores=True)
"""A model that is down, or says nothing, must not take minutes; figures of nothing are no results."""

QUESTION: Final = Prompt(
    body={"messages": [{"role": "user", "content": "{{ item.question }}"}]}, images="image_url", sample_names=False
)
BOM: Final = b"\xef\xbb\xbf"


def to_new_job(
    job_id: str,
    asked: CreateEvaluation,
    sealed: dict[str, Any],
    benchmark: Benchmark,
    questions: list[dict[str, Any]],
    *,
    settings: Settings,
) -> NewJob:
    """Return the job that a request asks for; `sealed` is its body.

    Raises SpecInvalid for a model that the settings do not know, and Unsupported where they name no judge.
    """
    return NewJob(
        id=job_id,
        face=FACE,
        spec=to_spec(asked, questions, settings),
        request={
            **sealed,
            "judge_provider": asked.judge_provider or DEFAULT_PROVIDER,
            "benchmark_sha256": benchmark.sha256,
            "num_questions": benchmark.num_questions,
        },
        name=job_id,
        description=asked.evaluation_name,
        config=benchmark.id,
        model=asked.model_id,
    )


def to_spec(asked: CreateEvaluation, questions: list[dict[str, Any]], settings: Settings) -> EvaluationSpec:
    """Return the specification of a request over a benchmark's questions. Raises as `to_new_job` does."""
    for field in ("model_id", "model_id_2", "baseline_model_id"):
        if (model := getattr(asked, field)) and not settings.url_of(model):
            raise SpecInvalid(f"there is no model {model!r} here: {_remedy(model)}", field=field)
    names = TARGETS[len(asked.models)]
    task = TaskSpec(
        name=TASK,
        dataset=RowsDataset(rows=questions),
        prompts=dict.fromkeys(names, QUESTION),
        metrics=(to_judge(_judge(settings), custom_metrics(asked)),),
    )
    targets = (
        ModelTarget(name=name, endpoint=Endpoint(model=model), generation={"temperature": 0})
        for name, model in zip(names, asked.models, strict=True)
    )
    return EvaluationSpec(targets=tuple(targets), tasks=(task,), params=PARAMS)


def custom_metrics(asked: CreateEvaluation) -> dict[str, str]:
    """Return the metrics that a request adds, by name, with what they grade (empty where it does not say).

    Raises SpecInvalid for a description of what is always graded.
    """
    given = asked.custom_metrics or []
    described = dict.fromkeys(given, "") if isinstance(given, list) else {n: _text(v) for n, v in given.items()}
    for name, text in described.items():
        if text and name in GRADED:
            message = f"{name!r} is always graded, and has its own description; give yours another name"
            raise SpecInvalid(message, field=f"custom_metrics.{name}")
    return {name: text for name, text in described.items() if text or name not in BUILT_IN}


def to_questions(content: bytes) -> list[dict[str, Any]]:
    """Return the questions in a benchmark's file. Raises DatasetUnreadable, which says where it is wrong."""
    try:
        read = orjson.loads(content.removeprefix(BOM))
    except orjson.JSONDecodeError as error:
        raise DatasetUnreadable(f"The file is not JSON: {error}") from None
    if not isinstance(read, list) or not read:
        raise DatasetUnreadable("The file must be a JSON array of at least one object with 'question' and 'answer'")
    try:
        refuse_unportable(read)
    except ValueError as error:
        raise DatasetUnreadable(f"The file has what cannot be kept: {error}") from None
    return [_question(number, each) for number, each in enumerate(read, start=1)]


def _question(number: int, given: Any) -> dict[str, Any]:
    """Return a question: each is read by itself, so that the first wrong one ends it, and other requests get turns."""
    if isinstance(given, dict) and len(given) > MAX_COLUMNS:
        raise DatasetUnreadable(f"Element {number} of the file has {len(given):,} fields, of at most {MAX_COLUMNS:,}")
    try:
        return Question.model_validate(given).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        path = f", {'.'.join(map(str, first['loc']))!r}" if first["loc"] else ""
        raise DatasetUnreadable(f"Element {number} of the file{path}: {first['msg']}") from None


def _text(described: str | Described | None) -> str:
    text = described.description if isinstance(described, Described) else described
    return (text or "").strip()


def _judge(settings: Settings) -> str:
    judge = settings.default_judge
    if judge is None:
        raise Unsupported("This service has no judge: set ASSAY_DEFAULT_JUDGE to the name of a model")
    if not settings.url_of(judge):
        raise Unsupported(f"The judge of this service, {judge!r}, has no URL: {_remedy(judge)}")
    return judge


def _remedy(model: str) -> str:
    return f'set ASSAY_DEFAULT_ENDPOINT, or the url of [models."{model}"]'
