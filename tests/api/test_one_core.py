"""The same evaluation asked for through any face is the same specification, but for what is listed here."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import httpx
import pytest

from core.metric import Judge
from core.spec import UPLOAD_SCHEME, EvaluationSpec, FilesDataset, ModelTarget
from tests import faces
from tests.api.conftest import Service
from tests.api.nugen.conftest import answering
from tests.questions import Questions

URL = "http://127.0.0.1:1/v1"
MODELS = {"default_endpoint": URL, "default_judge": "judge"}

OF_JUDGES = {
    "tasks.0.metrics.0.scale": "a scale has bounds or words of its own; NeMo's judges are read by parsers alone",
    "tasks.0.metrics.0.reply_schema": "NeMo's users write the instruction themselves, and its judges have no schema",
}
OF_NAMED_MODELS = {
    "targets.0.endpoint.url": "a model is known by its name; in NeMo the model of a judge comes with its URL",
    "tasks.0.metrics.0.endpoint.url": "the same",
    "tasks.0.metrics.0.generation.max_tokens": "NeMo's judges have a limit of their own",
    "targets.0.name": "NeMo evaluates one target, which it calls so",
}
BEYOND_NEMO = {
    faces.Together: OF_JUDGES
    | {
        "tasks.0.prompts.0.images": "images go with Together's prompts",
        "tasks.0.prompts.0.sample_names": "columns may have the names of the values of a sample",
        "tasks.0.metrics.0.prompt.images": "images go with Together's prompts",
        "tasks.0.metrics.0.prompt.sample_names": "columns may have the names of the values of a sample",
        "tasks.0.prompts.0.json_values": "what Together's templates write is text",
        "tasks.0.metrics.0.prompt.json_values": "what Together's templates write is text",
        "tasks.0.metrics.0.parallelism": "each of Together's models has workers",
        "targets.0.parallelism": "each of Together's models has workers",
        "params.max_failed": "Together's jobs fail with more than 30 % of their samples",
    },
    faces.Nugen: OF_JUDGES
    | OF_NAMED_MODELS
    | {
        "tasks.0.prompts.0.images": "an image may go with a question",
        "tasks.0.prompts.0.sample_names": "a question may have a column of any name",
        "params.retry_window_s": "NeMo's users count retries alone",
        "params.needs_scores": "an evaluation of Nugen's has figures, or it has failed",
    },
    faces.Maniac: {name: why for name, why in OF_JUDGES.items() if "schema" not in name} | OF_NAMED_MODELS,
}
"""By face: the parts of a specification that the same evaluation written for NeMo has not, and why."""


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx.Client]:
    settings = service.state.settings.model_copy(update=MODELS)
    with answering(replace(service.state, settings=settings)) as http:
        yield http


@pytest.fixture
def questions(request: pytest.FixtureRequest) -> Questions:
    return Questions("".join(filter(str.isalnum, request.node.name)))


def spec_of(http: httpx.Client, job_id: str) -> EvaluationSpec:
    return EvaluationSpec.model_validate(faces.Native(http, URL).job(job_id)["spec"])


@pytest.fixture
def by_content(service: Service) -> Callable[[EvaluationSpec], EvaluationSpec]:
    """Return a specification with its rows by what they are: each job has a file of its own for them."""

    def by_content(spec: EvaluationSpec) -> EvaluationSpec:
        (task,) = spec.tasks
        assert isinstance(task.dataset, FilesDataset)
        content = service.state.files.get(task.dataset.url.removeprefix(UPLOAD_SCHEME)).sha256
        dataset = task.dataset.model_copy(update={"url": content})
        return spec.model_copy(update={"tasks": (task.model_copy(update={"dataset": dataset}),)})

    return by_content


def judge_of(spec: EvaluationSpec) -> Judge:
    (judge,) = spec.tasks[0].metrics
    assert isinstance(judge, Judge)
    return judge


def leaves(value: object, *path: object) -> Iterator[tuple[str, object]]:
    match value:
        case dict() | list():
            for name, part in value.items() if isinstance(value, dict) else enumerate(value):
                yield from leaves(part, *path, name)
        case _:
            yield ".".join(map(str, path)), value


def differences(one: EvaluationSpec, other: EvaluationSpec) -> set[str]:
    """Return the paths at which two specifications differ; the prompt of a target is found by its place."""
    found = []
    for spec in (one, other):
        dump = spec.model_dump(mode="json")
        for task in dump["tasks"]:
            task["prompts"] = [task["prompts"][target["name"]] for target in dump["targets"]]
        found.append(dict(leaves(dump)))
    return {path for path in found[0].keys() | found[1].keys() if found[0].get(path, ...) != found[1].get(path, ...)}


def stated(paths: Iterable[str], known: Iterable[str]) -> set[str]:
    """Return the paths that are known, also by what they are part of; of the others each itself."""
    known = sorted(known, key=len, reverse=True)
    return {next((part for part in known if f"{path}.".startswith(f"{part}.")), path) for path in paths}


def in_nemos_words(spec: EvaluationSpec, files_url: str) -> faces.Json:
    """Return how an evaluation of one model by one judge is written for NeMo, as far as that has words for it."""
    (target,), (task,), judge = spec.targets, spec.tasks, judge_of(spec)
    assert isinstance(target, ModelTarget)
    assert judge.scale.kind == "parsed"
    paths = {name: getattr(parser, "path", name) for name, parser in judge.scale.scores.items()}
    parsers = {name: {"type": "json", "json_path": path} for name, path in paths.items()}
    judging = {
        "model": faces.nemo_model(URL, judge.endpoint.model, judge.generation),
        "template": judge.prompt.body,
        "scores": {name: {"type": "number", "parser": parser} for name, parser in parsers.items()},
    }
    asked = {
        "type": "chat-completion",
        "params": {"template": task.prompts[target.name].body},
        "dataset": {"files_url": files_url, "format": "jsonl"},
        "metrics": {judge.name: {"type": "llm-judge", "params": judging}},
    }
    model = faces.nemo_model(URL, target.endpoint.model, target.generation)
    params = {"max_retries": spec.params.max_retries, "request_timeout": spec.params.request_timeout_s}
    config = {"type": "custom", "params": params, "tasks": {task.name: asked}}
    return {"target": {"type": "model", "model": model}, "config": config}


def test_what_is_written_for_together_and_for_nemo_is_the_same_evaluation(http, by_content, questions):
    together, nemo = faces.Together(http, URL), faces.NemoV2(http, URL)
    file_id = together.upload(questions)
    created = together.post("/v1/evaluation", together.body(file_id))["workflow_id"]
    ours, theirs = spec_of(http, created), spec_of(http, nemo.create_from(nemo.spec(file_id)))
    known = BEYOND_NEMO[faces.Together]
    assert stated(differences(by_content(ours), by_content(theirs)), known) == set(known)
    assert [judge_of(spec).scale.kind for spec in (ours, theirs)] == ["range", "parsed"]


@pytest.mark.parametrize("kind", [faces.Nugen, faces.Maniac])
def test_what_another_face_asks_for_can_be_written_for_nemo(http, by_content, questions, kind):
    nemo = faces.NemoV2(http, URL)
    ours = spec_of(http, kind(http, URL).create(questions))
    dataset = ours.tasks[0].dataset
    files_url = dataset.url if dataset.kind == "files" else f"file:{nemo.upload(questions)}"
    theirs = spec_of(http, nemo.create_from(in_nemos_words(ours, files_url)))
    known = BEYOND_NEMO[kind]
    assert stated(differences(by_content(ours), by_content(theirs)), known) == set(known)
    assert judge_of(ours).prompt.body == judge_of(theirs).prompt.body


def test_the_two_versions_of_nemo_ask_for_the_same(http, questions):
    first, second = (kind(http, URL) for kind in (faces.NemoV1, faces.NemoV2))
    asked = first.spec(first.upload(questions))
    one, other = (spec_of(http, each.create_from(asked)) for each in (first, second))
    assert one == other
    assert differences(one, other) == set()


@pytest.mark.parametrize("kind", [faces.NemoV1, faces.NemoV2, faces.Together, faces.Nugen, faces.Maniac])
def test_what_any_face_asks_for_the_native_api_takes_as_it_is(http, by_content, questions, kind):
    spec = spec_of(http, kind(http, URL).create(questions))
    again = spec_of(http, faces.Native(http, URL).create_from(spec.model_dump(mode="json")))
    assert by_content(again) == by_content(spec)
    assert len(list(leaves(spec.model_dump(mode="json")))) > 20
