"""Whatever is wrong with a job gets an error that names the place, and the service goes on.

All jobs of this module run at the same time.
"""

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from math import isnan
from typing import Any

import httpx
import pytest
from nemo_microservices import UnprocessableEntityError

from tests.conftest import WAIT_S
from tests.scripted import Answer, Received, Script, ScriptedEndpoint, by_default, failure, last_content, text
from tests.service.bodies import CORRECT, Json, chat_task, job, judge, model

ROWS = 40
FAST = {"max_retries": 1, "parallelism": 4}


def refuse_the_key(_: Received) -> Answer:
    return failure(401, "Incorrect API key provided")


def html(_: Received) -> Answer:
    return Answer(b"<html>Welcome to the proxy</html>", headers={"content-type": "text/html"})


def babble(request: Received) -> Answer:
    return text("I would rather not say") if request["body"]["model"] == "judge" else by_default(request)


def refuse_every_fifth(request: Received) -> Answer:
    number = int(last_content(request["body"]).split()[0])
    return failure(400, "bad sample") if number % 5 == 0 else by_default(request)


class Bursts:
    """Answers 429 to each question until it was asked `TIMES` times, so that whole shards are sent away at a time."""

    TIMES = 3

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, request: Received) -> Answer:
        question = last_content(request["body"])
        self.asked[question] += 1
        if self.asked[question] <= self.TIMES:
            return failure(429, "slow down", {"retry-after-ms": "50"})
        return by_default(request)


@contextmanager
def nobody_listens() -> Iterator[str]:
    with socket.socket() as held:  # bound, so that nobody else is given the port, and not listening
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@dataclass
class Ended:
    """The jobs of this module by name, once they have ended, and the endpoints they asked."""

    served: Any
    endpoints: dict[str, ScriptedEndpoint]
    ids: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, Any] = field(default_factory=dict)

    def scores(self, name: str) -> Any:
        return self.served.results(self.ids[name]).tasks["qa"].metrics


def broken_files(dataset: Callable[[str, str | bytes], str]) -> dict[str, str]:
    good = '{"question": "q", "answer": "a"}\n'
    return {
        "ragged csv": dataset("ragged.csv", "question,answer\nq,a\nq\n"),
        "broken csv": dataset("broken.csv", 'question,answer\nq,a\nq,"a'),
        "broken json": dataset("broken.json", '[\n{"question": "q", "answer": "a"},\n{"question":}\n]'),
        "broken jsonl": dataset("broken.jsonl", good + '{"question": "q", \n'),
        "broken parquet": dataset("broken.parquet", b"PAR1 and no more"),
        "empty": dataset("empty.jsonl", ""),
        "missing column": dataset("lacking.jsonl", good + '{"question": "q", "other": 1}\n'),
        "absent": "hf://datasets/org/test/nosuch.jsonl",
    }


def jobs_with(url: str, files: dict[str, str], good: str) -> dict[str, Json]:
    """Return the jobs that are wrong in themselves; none may ask the endpoint at `url` anything."""
    specs = {name: job(model(url), qa=chat_task(file)) for name, file in files.items()}
    for name, prompt in {
        "syntax error": "{{ item.question",
        "escape": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "endless": "{% for i in range(10**9) %}x{% endfor %}",
    }.items():
        specs[name] = job(model(url), qa=chat_task(good, prompt))
    specs["bad pattern"] = job(model(url), qa=chat_task(good, graded=judge(model(url), "x", grade=BACKREFERENCE)))
    return specs


BACKREFERENCE = {"type": "regex", "pattern": r"(a)\1"}


@pytest.fixture(scope="module")
def ended(served) -> Any:
    scripts: dict[str, Script] = {
        "untouched": by_default,
        "wrong key": refuse_the_key,
        "html": html,
        "babble": babble,
        "some refused": refuse_every_fifth,
        "bursts": Bursts(),
    }
    rows = [json.dumps({"question": f"{n} ANSWER: a", "answer": "a"}) + "\n" for n in range(ROWS)]
    good = served.dataset("good.jsonl", "".join(rows))
    with ExitStack() as stack:
        endpoints = {name: stack.enter_context(ScriptedEndpoint(script)) for name, script in scripts.items()}
        at = {name: endpoint.url for name, endpoint in endpoints.items()}
        at |= {name: stack.enter_context(nobody_listens()) for name in ("unreachable", "dead judge")}
        specs = jobs_with(at["untouched"], broken_files(served.dataset), good)
        for name in ("wrong key", "html", "some refused", "unreachable"):
            specs[name] = job(model(at[name]), params=FAST, qa=chat_task(good))
        specs["bursts"] = job(model(at["bursts"]), params={"parallelism": 8}, qa=chat_task(good))
        judges = {"babble": model(at["babble"], "judge"), "dead judge": model(at["dead judge"], "judge")}
        for name, judging in judges.items():
            task = chat_task(good, correct=CORRECT, graded=judge(judging, "{{sample.output_text}}"))
            specs[name] = job(model(at["babble"]), params=FAST, qa=task)
        ended = Ended(served, endpoints)
        for name, spec in specs.items():
            ended.ids[name] = served.create(spec)
        for name, job_id in ended.ids.items():
            ended.jobs[name] = served.wait(job_id)
        yield ended


@pytest.mark.parametrize(
    ("name", "code", "places"),
    [
        ("ragged csv", "dataset_unreadable", ["line 3 of ragged.csv", "1 cells", "question, answer"]),
        ("broken csv", "dataset_unreadable", ["line 3 of broken.csv", "not CSV"]),
        ("broken json", "dataset_unreadable", ["line 3 of broken.json", "not JSON"]),
        ("broken jsonl", "dataset_unreadable", ["line 2 of broken.jsonl", "not JSON"]),
        ("broken parquet", "dataset_unreadable", ["broken.parquet", "not a readable Parquet file"]),
        ("empty", "dataset_unreadable", ["org/test/empty.jsonl", "no rows"]),
        ("absent", "dataset_unreadable", ["org/test/nosuch.jsonl"]),
        (
            "missing column",
            "template_invalid",
            ["task 'qa'", "metric 'correct'", "row 2", "no column 'answer'", "columns: question, other"],
        ),
        ("syntax error", "template_invalid", ["task 'qa'", "prompt of 'target'"]),
        ("escape", "template_invalid", ["task 'qa'", "row 1", "unsafe"]),
        ("endless", "template_invalid", ["task 'qa'", "row 1"]),
        ("bad pattern", "invalid_spec", ["task 'qa'", "metric 'graded'", "score 'grade'"]),
    ],
)
def test_a_job_that_is_wrong_names_the_place_and_pays_for_nothing(ended, name, code, places):
    found = ended.jobs[name]
    assert found.status == "error"
    assert (found.error_details["blame"], found.error_details["code"]) == ("user", code)
    for place in places:
        assert place in found.error_details["message"]
    assert found.status_details["message"] == found.error_details["message"]
    assert ended.endpoints["untouched"].calls == []
    assert ended.served.client.v2.evaluation.jobs.results.list(found.id).data == []


@pytest.mark.parametrize(
    ("name", "blame", "code", "places"),
    [
        ("wrong key", "user", "endpoint_refused", ["task 'qa'", "target", "HTTP 401", "Incorrect API key"]),
        ("html", "upstream", "endpoint_failed", ["task 'qa'", "target", "text/html", "Welcome to the proxy"]),
        ("unreachable", "upstream", "endpoint_failed", ["task 'qa'", "target", "cannot connect", "127.0.0.1"]),
        ("dead judge", "upstream", "endpoint_failed", ["task 'qa'", "judge 'graded'", "127.0.0.1"]),
    ],
)
def test_an_endpoint_that_never_answers_ends_the_job_with_its_error(ended, name, blame, code, places):
    found = ended.jobs[name]
    assert found.status == "error"
    assert (found.error_details["blame"], found.error_details["code"]) == (blame, code)
    for place in places:
        assert place.lower() in found.error_details["message"].lower()


def test_a_wrong_key_is_tried_about_five_times(ended):
    assert 5 <= len(ended.endpoints["wrong key"].calls) <= 5 + FAST["parallelism"]


def test_scores_that_need_no_judge_outlive_a_dead_judge(ended):
    scores = ended.scores("dead judge")
    assert scores["correct"].scores["string-check"].value == 1.0
    assert isnan(scores["graded"].scores["grade"].value)


def test_a_judge_that_says_nothing_parsable_gives_no_value_and_harms_no_other_score(ended):
    assert ended.jobs["babble"].status == "completed"
    grade = ended.scores("babble")["graded"].scores["grade"]
    assert isnan(grade.value)
    assert (grade.stats.count, grade.stats.nan_count, grade.stats.mean) == (0, ROWS, None)
    raw = httpx.get(
        f"{ended.served.url}/v2/evaluation/jobs/{ended.ids['babble']}/results/evaluation-results/download",
        timeout=WAIT_S,
    ).json()
    assert raw["tasks"]["qa"]["metrics"]["graded"]["scores"]["grade"]["value"] == "NaN"
    correct = ended.scores("babble")["correct"].scores["string-check"]
    assert (correct.value, correct.stats.count, correct.stats.nan_count) == (1.0, ROWS, 0)


def test_samples_that_fail_are_counted_and_stay_out_of_the_mean(ended):
    assert ended.jobs["some refused"].status == "completed"
    score = ended.scores("some refused")["correct"].scores["string-check"]
    assert (score.value, score.stats.count, score.stats.nan_count) == (1.0, ROWS * 4 // 5, ROWS // 5)
    assert len(ended.endpoints["some refused"].calls) == ROWS


def test_bursts_of_rate_limits_cost_no_sample(ended):
    bursts = ended.endpoints["bursts"].script
    assert ended.jobs["bursts"].status == "completed", ended.jobs["bursts"].error_details
    score = ended.scores("bursts")["correct"].scores["string-check"]
    assert (score.stats.count, score.stats.nan_count) == (ROWS, 0)
    assert isinstance(bursts, Bursts)
    assert list(bursts.asked.values()) == [Bursts.TIMES + 1] * ROWS


@pytest.mark.parametrize("body", [b'{"spec": ', b"\xff\xfe", b"[" * 100_000, b"null", b'"spec"'])
def test_a_body_that_is_no_json_object_is_refused(served, body):
    answer = httpx.post(
        f"{served.url}/v2/evaluation/jobs", content=body, headers={"content-type": "application/json"}, timeout=WAIT_S
    )
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["target", "type"], 5),
        (["target", "model", "api_endpoint", "url"], ["http://x"]),
        (["config", "params"], "many"),
        (["config", "params", "limit_samples"], -1),
        (["config", "tasks"], []),
        (["config", "tasks", "qa", "dataset", "files_url"], None),
        (["config", "tasks", "qa", "metrics", "correct", "params", "check"], ["a", "equals"]),
    ],
)
def test_a_wrong_type_is_refused_naming_the_field(served, endpoint, path, value):
    task = chat_task("hf://datasets/org/test/good.jsonl")
    spec = deepcopy(job(model(endpoint.url), params={"limit_samples": 1}, qa=task))
    *parents, last = path
    part: Any = spec
    for name in parents:
        part = part[name]
    part[last] = value
    with pytest.raises(UnprocessableEntityError) as refused:
        served.create(spec)
    assert isinstance(refused.value.body, dict)
    assert last in json.dumps(refused.value.body["detail"])
    assert endpoint.calls == []


def test_the_service_goes_on(ended, served, endpoint):
    url = served.dataset("fine.jsonl", '{"question": "ANSWER: a", "answer": "a"}\n')
    job_id = served.create(job(model(endpoint.url), qa=chat_task(url)))
    assert served.wait(job_id).status == "completed"
    assert httpx.get(f"{served.url}/health", timeout=WAIT_S).is_success
    assert not [line for line in served.printed if "ended with code" in line]
