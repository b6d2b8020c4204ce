"""Comparisons over HTTP, and the command that asks for them."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from api.native.lists import sealed
from api.native.present.comparisons import to_comparison
from cli.main import answer
from core.errors import AssayError
from core.job import NewJob, random_id, utcnow
from core.metric import Bleu, MetricSpec
from core.planning import Aim, Noise, plan
from core.spec import RecordedTarget
from tasks.aggregate import aggregate
from tasks.comparisons.compare import Asked, compare
from tasks.comparisons.sides import open_side
from tasks.engine.engine import Engine
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.resolve import resolve_job
from tests.tasks.specs import CORRECT, spec

COMPARISONS = "/api/assay/v1/comparisons"
CHANGES = {f"{COMPARISONS}/samples": {"change": "improved"}}


def done(
    service: Any,
    *said: str,
    name: str | None = None,
    namespace: str = "default",
    start: int = 0,
    shards: int = 9,
    metric: MetricSpec = CORRECT,
    answer: str = "yes",
) -> str:
    """A job over recorded answers, of which one is right, that has finished its first shards."""
    job_id = random_id("job-")
    rows = [{"id": i, "said": each, "answer": answer} for i, each in enumerate(said, start)]
    asked = spec(RecordedTarget(column="said"), rows, metric)
    new = NewJob(id=job_id, face="nemo-v2", spec=asked, request={}, name=name or job_id, namespace=namespace)
    job = service.state.jobs.add(new)
    engine = Engine(service.state, job, attempt=1, worker="w", tell=lambda _: None)
    with engine.engaged():
        resolve_job(engine)
        for shard in engine.manifest.shards[:shards]:
            generate_shard(engine, shard, final=True)
            judge_shard(engine, shard, final=True)
        if shards >= len(engine.manifest.shards):
            aggregate(engine)
    return job_id


def in_python(service: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """What a program gets that asks in Python, in the words of the API."""
    fields = {name: value for name, value in asked.items() if name not in ("baseline", "candidate")}
    fields |= {name: fields[name].removeprefix("item.") for name in ("match", "slice") if name in fields}
    fields |= {"primary": (fields["primary"],)} if "primary" in fields else {}
    named = (asked[name].partition("/") for name in ("baseline", "candidate"))
    first, second = (
        open_side(service.state.folder(service.state.jobs.identify(job)), target or None) for job, _, target in named
    )
    question = Asked(**fields)
    return to_comparison(first, second, question, compare(first, second, question)).model_dump(mode="json")


def as_options(asked: dict[str, Any]) -> list[str]:
    """The command that asks the same."""
    named = [asked["baseline"], asked["candidate"]]
    options = ([f"--{name}={value}"] for name, value in asked.items() if name not in ("baseline", "candidate"))
    return ["compare", *named, *(part for option in options for part in option)]


@pytest.fixture(scope="module")
def sides(service: Any) -> tuple[str, str]:
    return done(service, *["no"] * 12, *["yes"] * 18), done(service, *["yes"] * 29, "no")


def test_two_jobs_are_compared(service: Any, sides: tuple[str, str]) -> None:
    found = service.http.get(COMPARISONS, params={"baseline": sides[0], "candidate": f"{sides[1]}/target"}).json()
    assert found["baseline"] == {"job": sides[0], "target": "target", "trial": None}
    assert found["tasks"] == [
        {"task": "qa", "matched_by": "item", "pairs": 30, "only_baseline": 0, "only_candidate": 0, "items_changed": 0}
    ]
    [score] = found["scores"]
    assert (score["improved"], score["regressed"], score["unchanged"]) == (12, 1, 17)
    assert (score["ci_method"], score["verdict"], score["margin"], score["margin_given"]) == (
        *("tango", "better"),
        *(0.02, False),
    )
    assert score["difference"] == pytest.approx(11 / 30)
    assert found["change"]["attribution"] == "noise"
    assert [each["component"] for each in found["change"]["components"]] == ["dataset"]
    shares = [found["change"][part] for part in ("total", "paired", "composition")]
    assert shares == pytest.approx([11 / 30, 11 / 30, 0.0])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"slice": "item.nope"}, "no row that is compared has a value in column 'nope'"),
        ({"slice": "item.id"}, "column 'id' has 60 values in task 'qa'; at most 50 are compared"),
        (
            {"candidate": "OTHER", "match": "item.nope"},
            "row 1: no value in column 'nope', by which",
        ),
        ({"candidate": "OTHER", "match": "item.answer"}, "column 'answer' has \"yes\" twice, in rows 1 and 2"),
        ({"margin": -1.0}, "margin"),
        ({"margin": float("inf")}, "margin"),
        ({"alpha": 0.7}, "alpha"),
        ({"alpha": 0.0}, "alpha"),
        ({"primary": "nope"}, "primary: no metric 'nope' on both sides; metrics: correct"),
        ({"candidate": "job-gone"}, "no job has the id or the name 'job-gone', or an id that begins so"),
        ({"candidate": "DELETED"}, "no job has the id or the name"),
        ({"candidate": "BEGUN"}, "has finished none of its samples yet"),
        ({"candidate": "WAITING"}, "has no samples: it has not begun, or ended before it did"),
        ({"candidate": "ELSEWHERE"}, "have no sample in common"),
        ({"candidate": "SIDE/nope"}, "evaluates no target 'nope'; targets: target"),
        ({"candidate": ""}, "no job has the id or the name ''"),
        ({"candidate": "job-"}, "the ids of several jobs begin with 'job-'"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name_however_one_asks(
    service: Any,
    others: dict[str, str],
    asked: dict[str, Any],
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = {"baseline": others["SIDE"], "candidate": others["SIDE"]} | asked
    job, slash, target = named["candidate"].partition("/")
    named["candidate"] = others.get(job, job) + slash + target
    refused = service.http.get(COMPARISONS, params=named)
    assert refused.status_code in (404, 409, 422)
    detail = refused.json()["detail"]
    assert told in (detail if isinstance(detail, str) else f"{detail[0]['loc'][-1]}: {detail[0]['msg']}")
    monkeypatch.setenv("ASSAY_URL", str(service.http.base_url))
    assert answer(as_options(named)) == 2
    assert told in capsys.readouterr().err
    with pytest.raises(AssayError, match=re.escape(told)):
        in_python(service, named)


@pytest.fixture(scope="module")
def others(service: Any) -> dict[str, str]:
    """Jobs of sixty samples, by what is the matter with them."""
    said = ["yes", "no"] * 30
    deleted = done(service, *said)
    service.state.jobs.want(deleted, "delete")
    waiting = random_id("job-")
    asked = spec(RecordedTarget(column="said"), [{"said": "a", "answer": "a"}], CORRECT)
    service.state.jobs.add(NewJob(id=waiting, face="nemo-v2", spec=asked, request={}, name=waiting))
    return {
        "SIDE": done(service, *said),
        "OTHER": done(service, *said[::-1]),
        "DELETED": deleted,
        "WAITING": waiting,
        "BEGUN": done(service, *said, shards=0),
        "ELSEWHERE": done(service, *said, start=1000),
    }


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"slices": "item.id"}, "no such parameter"),
        ({"slice": "id"}, "item.COLUMN"),
        ({"match": "id"}, "item.COLUMN"),
    ],
)
def test_what_is_no_question_is_refused_by_its_parameter(
    service: Any, sides: tuple[str, str], asked: dict[str, str], told: str
) -> None:
    refused = service.http.get(COMPARISONS, params={"baseline": sides[0], "candidate": sides[1]} | asked)
    [problem] = refused.json()["detail"]
    assert (refused.status_code, problem["loc"], told in problem["msg"]) == (422, ["query", *asked], True)


def test_a_job_that_runs_is_compared_on_what_it_has_finished_and_that_is_said(
    service: Any, others: dict[str, str]
) -> None:
    running = done(service, *["yes", "no"] * 30, shards=1)
    found = service.http.get(COMPARISONS, params={"baseline": others["SIDE"], "candidate": running}).json()
    [task], [score] = found["tasks"], found["scores"]
    assert (task["pairs"], task["only_baseline"], score["n"]) == (25, 35, 25)
    assert score["cautions"] == ["unmatched_samples", "unfinished"]


def test_a_comparison_is_the_same_however_one_asks(
    service: Any, sides: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"baseline": sides[0], "candidate": f"{sides[1]}/target"}
    asked |= {"margin": 0.05, "alpha": 0.1, "primary": "correct", "slice": "item.said", "match": "item.id"}
    over_http = service.http.get(COMPARISONS, params=asked).json()
    assert over_http["scores"][0]["margin"] == 0.05
    monkeypatch.setenv("ASSAY_URL", str(service.http.base_url))
    answer([*as_options(asked), "--json"])
    assert json.loads(capsys.readouterr().out) == over_http
    assert in_python(service, asked) == over_http


def test_a_score_is_compared_for_each_value_of_a_column(
    service: Any, sides: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"baseline": sides[0], "candidate": sides[1], "slice": "item.said"}
    found = service.http.get(COMPARISONS, params=asked).json()
    fields = ("value", "n", "improved", "regressed", "verdict")
    assert [[each[field] for field in fields] for each in found["slices"]] == [
        *(["no", 12, 12, 0, "better"], ["yes", 18, 0, 1, "inconclusive"]),
    ]
    # McNemar's mid-p of 12:0 and of 1:0, the first of two by Benjamini and Hochberg.
    assert [each["p_value"] for each in found["slices"]] == pytest.approx([0.5**12, 0.5])
    assert [each["p_adjusted"] for each in found["slices"]] == pytest.approx([2 * 0.5**12, 0.5])
    assert found["scores"] == service.http.get(COMPARISONS, params=asked | {"slice": "item.answer"}).json()["scores"]
    monkeypatch.setenv("ASSAY_URL", str(service.http.base_url))
    assert answer(["compare", *sides, "--slice", "item.said", "--format", "table"]) == 0
    assert "exploratory" in capsys.readouterr().out


def test_jobs_go_by_the_start_of_their_ids_and_the_last_completed_by_its_name(
    service: Any, sides: tuple[str, str]
) -> None:
    nightly = [done(service, "no", name="nightly", namespace=each) for each in ("a", "b", "c")]
    asked = {"baseline": "nightly", "candidate": sides[1][:-1]}
    waiting = service.http.get(COMPARISONS, params=asked)
    assert (waiting.status_code, "no job named 'nightly' is completed" in waiting.text) == (409, True)
    for hour, job in enumerate(nightly[:2]):
        service.state.jobs.settle(job, status="completed", finished_at=utcnow() - timedelta(hours=hour))
    found = service.http.get(COMPARISONS, params=asked).json()
    assert (found["baseline"]["job"], found["candidate"]["job"]) == (nightly[0], sides[1])
    service.state.jobs.want(nightly[0], "delete")
    assert service.http.get(COMPARISONS, params=asked).json()["baseline"]["job"] == nightly[1]


def test_a_single_trial_of_a_side_is_named_beside_it(
    service: Any, sides: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"baseline": sides[0], "candidate": sides[1]}
    whole = service.http.get(COMPARISONS, params=asked).json()
    first = service.http.get(COMPARISONS, params=asked | {"candidate_trial": 0}).json()
    assert first == whole | {"candidate": whole["candidate"] | {"trial": 0}}
    for path in (COMPARISONS, f"{COMPARISONS}/samples"):
        refused = service.http.get(path, params=asked | {"baseline_trial": 1, **CHANGES.get(path, {})})
        assert (refused.status_code, f"job {sides[0]} has no trial 1" in refused.text) == (404, True)
    assert service.http.get(COMPARISONS, params=asked | {"baseline_trial": "first"}).status_code == 422
    monkeypatch.setenv("ASSAY_URL", str(service.http.base_url))
    assert answer(["compare", *sides, "--candidate-trial", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first


def test_what_changed_is_listed_page_by_page_with_both_outputs(service: Any, sides: tuple[str, str]) -> None:
    asked: dict[str, Any] = {"baseline": sides[0], "candidate": sides[1], "change": "improved", "limit": 5}
    pages = [service.http.get(f"{COMPARISONS}/samples", params=asked).json()]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(service.http.get(f"{COMPARISONS}/samples", params=asked | {"cursor": cursor}).json())
    assert [[each["sample"] for each in page["data"]] for page in pages] == [
        *([0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]),
    ]
    assert (pages[0]["metric"], pages[0]["name"]) == ("correct", "string-check")
    assert pages[0]["data"][3] == {
        "task": "qa",
        "sample": 3,
        "difference": 1.0,
        "baseline": {"sample": 3, "value": 0.0, "outputs": ["no"]},
        "candidate": {"sample": 3, "value": 1.0, "outputs": ["yes"]},
    }
    regressed = service.http.get(f"{COMPARISONS}/samples", params=asked | {"change": "regressed"}).json()
    assert [(each["sample"], each["difference"]) for each in regressed["data"]] == [(29, -1.0)]


@pytest.mark.parametrize(
    ("asked", "field", "told"),
    [
        ({"change": "better"}, "change", "'regressed' or 'improved'"),
        ({"limit": "0"}, "limit", "greater than or equal to 1"),
        ({"cursor": "x"}, "cursor", "no cursor of this list"),
        ({"cursor": sealed(["improved", "correct", "string-check", 1.0, "qa", 3])}, "cursor", "no cursor of this"),
        ({"cursor": sealed(["regressed", "correct", "string-check", 1.0, "q", 3])}, "cursor", "of other results"),
        ({"score": "nope"}, "score", "there is no score 'nope'; name one of: correct/string-check"),
        ({"match": "id"}, "match", "item.COLUMN"),
        ({"margin": "1"}, "margin", "there is no such parameter"),
    ],
)
def test_what_no_changed_samples_are_is_refused_by_its_field(
    service: Any, sides: tuple[str, str], asked: dict[str, str], field: str, told: str
) -> None:
    given = {"baseline": sides[0], "candidate": sides[1], "change": "regressed"} | asked
    refused = service.http.get(f"{COMPARISONS}/samples", params=given)
    [problem] = refused.json()["detail"]
    assert (refused.status_code, problem["loc"], told in problem["msg"]) == (422, ["query", field], True)


def test_a_score_of_all_samples_together_is_shown_without_counts_of_single_ones(
    service: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = Bleu(name="bleu", references=("{{ item.answer }}",))
    texts = [f"the {word} sat on a mat" for word in ("cat", "dog", "cow", "pig", "hen", "rat")] * 2
    job = done(
        service,
        *texts,
        *(text.replace("a mat", "the mat") for text in texts),
        metric=metric,
        answer="the cat sat on the mat",
    )
    asked = {"baseline": job, "candidate": job}
    alone, whole = service.http.get(COMPARISONS, params=asked).json()["scores"]
    assert [(each["name"], each["unchanged"], each["cautions"]) for each in (alone, whole)] == [
        *(("sentence", 24, []), ("corpus", None, ["together"])),
    ]
    assert (whole["improved"], whole["regressed"], whole["n"], whole["difference"]) == (None, None, 24, 0.0)
    assert 0 < whole["mean_baseline"] == whole["mean_candidate"] != alone["mean_baseline"]
    assert (whole["ci_method"], whole["worst_case"], whole["margin"]) == ("exact", None, 2.0)
    refused = service.http.get(f"{COMPARISONS}/samples", params=asked | {"change": "improved", "score": "corpus"})
    assert (refused.status_code, "name one of: bleu/sentence" in refused.text) == (422, True)
    monkeypatch.setenv("ASSAY_URL", str(service.http.base_url))
    answer(["compare", job, job, "--format", "table"])
    assert "all together" in capsys.readouterr().out


def test_the_command_says_the_same_and_ends_with_the_gate_s_code(
    service: Any, sides: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_URL", str(service.http.base_url))
    assert answer(["compare", *sides, "--json", "--margin", "0.05", "--primary", "correct"]) == 0
    asked = {"baseline": sides[0], "candidate": sides[1], "margin": 0.05, "primary": "correct"}
    assert json.loads(capsys.readouterr().out) == service.http.get(COMPARISONS, params=asked).json()
    assert answer(["compare", *sides, "--require", "better"]) == 0
    assert "better" in capsys.readouterr().out
    for gate in ([], ["--fail-on", "worse"], ["--fail-on", "worse", "--require", "non-inferior"]):
        assert answer(["compare", *reversed(sides), *gate]) == 1
    assert "failed: correct / string-check is worse" in capsys.readouterr().err
    assert answer(["compare", sides[0], sides[0], "--require", "equivalent"]) == 3
    said = capsys.readouterr()
    assert "inconclusive: nobody can tell yet whether correct / string-check is equivalent" in said.err
    assert "not_enough_evidence" in said.out
    assert answer(["compare", "job-gone", sides[0]]) == 2


def test_a_plan_is_made_from_a_comparison(
    service: Any, sides: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_URL", str(service.http.base_url))
    assert answer(["plan", *sides, "--mde", "0.1", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    # 12 up and 1 down of 30: the variance of single differences is (13 - 11^2 / 30) / 29.
    assert planned["deviation"] == pytest.approx(((13 - 121 / 30) / 29) ** 0.5)
    assert planned["samples"] == plan(Noise(planned["deviation"]), Aim(mde=0.1)).samples > planned["available"] == 30
    score = service.http.get(COMPARISONS, params={"baseline": sides[0], "candidate": sides[1]}).json()["scores"][0]
    assert planned["with_available"]["mde"] == pytest.approx(score["mde"])
    for wrong, told in (
        (["plan", *sides, "--mde", "1", "--score", "nope"], "there is no score 'nope'; name one of: correct/string"),
        (["plan", sides[0], sides[0], "--mde", "1"], "assume how much may change: --changed SHARE"),
    ):
        assert answer(wrong) == 2
        assert told in capsys.readouterr().err
