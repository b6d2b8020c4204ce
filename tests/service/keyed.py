"""Requests to every face with a key wherever one can stand, each key another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.api.together import bodies as together
from tests.service.bodies import CORRECT, Json, chat_task, job, judge, model
from tests.tasks import specs

ROW: Final = {"question": "say 1", "answer": "1", "response": "1"}
CODE: Final = "def run_evaluation(item):\n    return 1.0\n"
CHAT: Final[dict[str, Any]] = {
    "input": {"messages": [{"role": "user", "content": "q"}]},
    "output": {"choices": [{"message": {"role": "assistant", "content": "a"}}]},
}


class Given(NamedTuple):
    """Where models and judges answer, and what was uploaded before: rows, and Nugen's benchmark."""

    url: str
    questions: str
    file_id: str
    benchmark_id: str


@dataclass
class Keys:
    """Keys that were made up so far, by where they were put; those in `reaching` are for an endpoint."""

    made: dict[str, str] = field(default_factory=dict)
    reaching: set[str] = field(default_factory=set)

    def __call__(self, place: str, *, reaches: bool = False) -> str:
        assert place not in self.made
        # Some keys have what JSON escapes, or may escape.
        key = f"sk-marker/{len(self.made):03}" + ('"\\&<' if len(self.made) % 3 == 0 else "") + "/end"
        self.made[place] = key
        if reaches:
            self.reaching.add(key)
        return key


@dataclass(frozen=True)
class Keyed:
    """A request, whose keys all belong to `face`."""

    face: str
    method: str
    path: str
    body: Json | None = None


def requests(key: Keys, given: Given) -> Iterator[Keyed]:
    """Yield the requests to all faces."""
    for face in (_nemo_v1, _nemo_v2, _together, _nugen, _maniac, _native):
        yield from face(key, given)


def _nemo_v1(key: Keys, given: Given) -> Iterator[Keyed]:
    def post(path: str, body: Json) -> Keyed:
        return Keyed("nemo-v1", "POST", f"/v1/evaluation{path}", body)

    named = {"namespace": "keyed", "name": "all"}
    replaced = model(given.url, api_key=key("nemo-v1: stored target, before its change"))
    yield post("/targets", {**named, "type": "model", "model": replaced})
    changed = {"model": model(given.url, api_key=key("nemo-v1: changed target", reaches=True))}
    yield Keyed("nemo-v1", "PATCH", "/v1/evaluation/targets/keyed/all", changed)
    graded = judge(model(given.url, "judge", api_key=key("nemo-v1: judge of a stored config", reaches=True)), "say 1")
    task = chat_task(given.questions, correct=CORRECT, graded=graded)
    config = job(model(given.url), params={"extra": {"hf_token": key("nemo-v1: hub token")}}, qa=task)["config"]
    yield post("/configs", {**named, **config})
    yield post("/jobs", {"target": "keyed/all", "config": "keyed/all"})
    inline = _nemo_spec(key, "nemo-v1: inline", given.url, given.questions)
    yield post("/jobs", inline)
    graded = judge(model(given.url, "judge", api_key=key("nemo-v1: live judge", reaches=True)), "say 1")
    live = {"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"graded": graded}}}}
    yield post("/live", {"target": {"type": "rows", "rows": [ROW]}, "config": live})
    broken = _nemo_spec(key, "nemo-v1: refused", given.url, given.questions, reaches=False)
    yield post("/jobs", {**broken, "config": {**broken["config"], "tasks": [key("nemo-v1: out of place")]}})


def _nemo_v2(key: Keys, given: Given) -> Iterator[Keyed]:
    def post(spec: Json, **more: Any) -> Keyed:
        return Keyed("nemo-v2", "POST", "/v2/evaluation/jobs", {"spec": spec, **more})

    yield post(_nemo_spec(key, "nemo-v2: inline", given.url, given.questions))
    task = chat_task(
        given.questions, graded=judge(model(_with_user(given.url, key("nemo-v2: judge's user info"))), "say 1")
    )
    yield post(job(model(_with_user(given.url, key("nemo-v2: user info"))), qa=task))
    yield post(
        job(model(given.url), qa=chat_task(_with_user(given.url, key("nemo-v2: dataset's user info")) + "/rows.jsonl"))
    )
    fields = {"custom_fields": {"token": key("nemo-v2: custom fields")}, "ownership": {"secret": key("nemo-v2: owner")}}
    yield post(_nemo_spec(key, "nemo-v2: beside fields", given.url, given.questions), **fields)
    yield post(_nemo_spec(key, "nemo-v2: refused", given.url, given.questions, reaches=False), name=["no text"])


def _nemo_spec(key: Keys, place: str, url: str, questions: str, *, reaches: bool = True) -> Json:
    judging = model(url, "judge", api_key=key(f"{place} judge", reaches=reaches))
    task = chat_task(questions, correct=CORRECT, graded=judge(judging, "say {{item.answer}}"))
    params = {"extra": {"hf_token": key(f"{place} hub token")}}
    return job(model(url, api_key=key(f"{place} target", reaches=reaches)), params=params, qa=task)


def _together(key: Keys, given: Given) -> Iterator[Keyed]:
    def token(place: str, *, reaches: bool = True) -> Json:
        return {"external_api_token": key(f"together: {place}", reaches=reaches)}

    def post(body: Json) -> Keyed:
        return Keyed("together", "POST", "/v1/evaluation", body)

    asked = together.model(given.url, "{{question}}", **token("model"))
    yield post(together.classify(together.judge(given.url, **token("classify")), given.file_id, asked))
    yield post(together.score(together.judge(given.url, **token("score")), given.file_id))
    a, b = (together.model(given.url, "{{question}}", **token(name)) for name in ("model a", "model b"))
    yield post(together.compare(together.judge(given.url, **token("compare")), given.file_id, a, b))
    yield post(
        together.classify(together.judge(given.url, **token("refused", reaches=False)), given.file_id, labels=["one"])
    )
    judging = together.judge(
        _with_user(given.url, key("together: user info")), **token("beside user info", reaches=False)
    )
    yield post(together.classify(judging, given.file_id))


def _nugen(key: Keys, given: Given) -> Iterator[Keyed]:
    asked = {"model_id": "m", "benchmark_id": given.benchmark_id}
    for more in ({"api_key": key("nugen: no field of theirs")}, {"model_id": 1, "token": key("nugen: refused")}):
        yield Keyed("nugen", "POST", "/api/v3/evaluations/", asked | more)


def _maniac(key: Keys, _: Given) -> Iterator[Keyed]:
    def post(path: str, **body: Any) -> Keyed:
        return Keyed("maniac", "POST", f"/v1/{path}", body)

    container = {"initial_model": "m", "api_key": key("maniac: container")}
    yield post("containers", label="keyed", **container)
    yield post("containers", label="refused", **container, default_parameters={"token": key("maniac: parameters")})
    grading = {"type": "code", "name": "keyed", "source": CODE}
    yield post("evaluators", **grading, metadata={"token": key("maniac: metadata of an evaluator")})
    yield post("evaluators", **grading, inference_parameters={"api_key": key("maniac: parameters of an evaluator")})
    chat_input = CHAT["input"] | {"api_key": key("maniac: logged chat")}
    chat = CHAT | {"input": chat_input, "metadata": {"secret": key("maniac: metadata of a chat")}}
    yield post("chat/completions/register", container="keyed", items=[chat])
    run = {"container": "keyed", "evaluators": ["keyed"], "sample": {"type": "container", "container": "keyed"}}
    yield post("evaluation/runs", **run, metadata={"token": key("maniac: metadata of a run")})
    yield post("chat/completions", model="m", **CHAT["input"], api_key=key("maniac: forwarded chat"))


def _native(key: Keys, given: Given) -> Iterator[Keyed]:
    def post(place: str, *, reaches: bool = True, **target: Any) -> Keyed:
        asked = specs.spec(specs.model(given.url), [ROW], specs.CORRECT, specs.judge(given.url))
        body = asked.model_dump(mode="json", exclude_none=True)
        body["targets"][0]["endpoint"] |= {"api_key": key(f"native: {place} target", reaches=reaches), **target}
        judging = next(each for each in body["tasks"][0]["metrics"] if "endpoint" in each)
        judging["endpoint"]["api_key"] = key(f"native: {place} judge", reaches=reaches)
        return Keyed("native", "POST", "/api/assay/v1/jobs", {"spec": body})

    yield post("plain")
    yield post("beside user info", url=_with_user(given.url, key("native: user info")))
    yield post("refused", reaches=False, nonsense=1)


def _with_user(url: str, password: str) -> str:
    quoted = "".join(letter if letter.isalnum() else f"%{ord(letter):02X}" for letter in password)
    return url.replace("http://", f"http://user:{quoted}@")
