import re
import resource
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import EndpointRefused, StorageFailed
from core.job import Job
from core.metric import JsonParser, Judge, Parsed, RegexParser
from core.plan import Shard
from core.result import Call, CallKey, Score
from store.results.journal import parse_journal, read_journal
from tasks.calls import Ask, ShardIncomplete, prepare
from tasks.endpoint.breaker import IDENTICAL_ERRORS
from tasks.fulfil import fulfil
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.templates.rendering import rendered
from tasks.templates.template import compile_body
from tests.scripted import Answer, Received, Script, failure, last_content, silence, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, recorded, rows, spec


def job_of(lab: Lab, size: int = 6, **params: Any) -> Job:
    return lab.add(spec(model(lab.model.url), rows(size), CORRECT, **params))


def generate(lab: Lab, job: Job, *, final: bool = False) -> None:
    with lab.engaged(job) as engine:
        generate_shard(engine, engine.manifest.shards[0], final=final)


def pay(lab: Lab, job: Job) -> dict[CallKey, Call]:
    """Make a shard's target calls as far as its journal: what is left when the process dies before the Parquet."""
    with lab.engaged(job) as engine:
        shard = engine.manifest.shards[0]
        target = engine.manifest.spec.targets[0]
        prompt = engine.manifest.spec.tasks[0].prompts["target"]
        template = compile_body(prompt.body, where="prompt")
        route = engine.routes.to(target.endpoint, prompt)  # type: ignore[union-attr]  # it is a model

        def wanted(part: Shard) -> Iterator[Ask | Call]:
            for i, row in enumerate(engine.folder.read_samples(part), start=part.start):
                key = CallKey("qa", i, "target", 0, "target", "", 0)
                yield prepare(key, route, rendered(template, row, None), defaults={})

        with fulfil(engine, "generate", shard, wanted, final=False) as paid:
            return {call.key: call for call in paid.calls(shard)}


def outcomes(lab: Lab, job: Job) -> list[str]:
    outputs = lab.workspace.folder(job.id).read_outputs(lab.shards(job)[0])
    assert outputs is not None
    return [output.outcome for output in outputs]


def failing_on(*words: str, how: Answer) -> Script:
    def script(call: Received) -> Answer:
        content = last_content(call["body"])
        return how if any(content.startswith(f"{word} ") for word in words) else text(content[-2:])

    return script


# What is paid once.


def test_what_the_journal_holds_is_not_asked_again(lab: Lab) -> None:
    job = job_of(lab)
    pay(lab, job)
    assert len(lab.model.calls) == 6
    generate(lab, job)
    assert len(lab.model.calls) == 6
    assert outcomes(lab, job) == ["scored"] * 6
    assert not lab.workspace.folder(job.id).journals.path("generate", lab.shards(job)[0]).exists()


def test_a_shard_whose_parquet_is_lost_is_made_again_from_its_journal(lab: Lab) -> None:
    job = job_of(lab)
    pay(lab, job)
    folder = lab.workspace.folder(job.id)
    shard = lab.shards(job)[0]
    journal = folder.journals.path("generate", shard)
    kept = journal.read_bytes()
    generate(lab, job)
    before = folder.read_outputs(shard)
    for kind in ("outputs", "calls"):
        for path in (folder.path / kind).glob("*.parquet"):
            path.unlink()
    journal.write_bytes(kept)
    generate(lab, job)
    assert folder.read_outputs(shard) == before
    assert len(lab.model.calls) == 6


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(st.booleans(), st.integers(0, 999))
def test_only_the_calls_that_a_broken_journal_lost_are_asked_again(lab: Lab, torn: bool, place: int) -> None:
    job = job_of(lab)
    pay(lab, job)
    journal = lab.workspace.folder(job.id).journals.path("generate", lab.shards(job)[0])
    content = bytearray(journal.read_bytes())
    position = place * len(content) // 1000
    if torn:
        del content[position:]
        held = content.count(b"\n")
    else:
        content[position] ^= 0x01
        held = len(parse_journal(bytes(content)).calls)
        assert 4 <= held < 6
    journal.write_bytes(content)
    before = len(lab.model.calls)
    calls = pay(lab, job)
    assert len(lab.model.calls) - before == 6 - held
    assert sorted(key.sample for key in calls) == list(range(6))
    assert len({call.key for call in read_journal(journal).calls}) == 6


def test_a_call_whose_record_is_damaged_is_made_again_and_the_log_says_so(lab: Lab) -> None:
    job = job_of(lab)
    pay(lab, job)
    journal = lab.workspace.folder(job.id).journals.path("generate", lab.shards(job)[0])
    journal.write_bytes(journal.read_bytes().replace(b"q2 ANSWER", b"q2 answer"))
    assert "damaged" not in lab.said[-1]
    assert len(pay(lab, job)) == 6
    assert lab.asked[6:] == ["q2 ANSWER: a2"]
    assert lab.said[-1] == "generate of shard 0: 1 records of calls are damaged; those are made again"


# Errors that may pass.


def test_calls_that_cannot_be_written_down_are_kept_for_the_next_attempt_and_no_other_is_begun(lab: Lab) -> None:
    job = job_of(lab, size=20, parallelism=4)
    with lab.engaged(job) as engine:
        (shard,) = engine.manifest.shards
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # each write to a file fails
        try:
            with pytest.raises(StorageFailed, match=r"journal/generate-00000\.journal was not written"):
                generate_shard(engine, shard, final=False)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        paid = len(lab.asked)
        assert paid <= 8
        generate_shard(engine, shard, final=False)
    assert engine.folder.is_finished("generate", shard)
    assert len(lab.asked) == len(set(lab.asked)) == 20


def test_a_transient_error_ends_the_attempt_once_the_rest_is_paid(lab: Lab) -> None:
    job = job_of(lab)
    lab.model.script = failing_on("q2", how=failure(503, "busy"))
    with pytest.raises(ShardIncomplete, match=r"1 of 6 calls failed for now, e\.g\. HTTP 503: busy"):
        generate(lab, job)
    folder, shard = lab.workspace.folder(job.id), lab.shards(job)[0]
    assert not folder.is_finished("generate", shard)
    assert [call.key.sample for call in read_journal(folder.journals.path("generate", shard)).calls] == [0, 1, 3, 4, 5]
    lab.model.script = failing_on(how=failure(500))
    generate(lab, job)
    assert lab.asked[6:] == ["q2 ANSWER: a2"]
    assert outcomes(lab, job) == ["scored"] * 6


def test_on_the_last_attempt_a_transient_error_becomes_an_outcome(lab: Lab) -> None:
    job = job_of(lab)
    lab.model.script = failing_on("q2", how=failure(503, "busy"))
    (summary,) = lab.carry_out(job)
    assert outcomes(lab, job) == ["scored", "scored", "target_error", "scored", "scored", "scored"]
    assert (summary.mean, summary.count, summary.nan_count) == (1.0, 5, 1)
    assert summary.outcomes == {"scored": 5, "target_error": 1}
    calls = lab.workspace.folder(job.id).read_calls("generate", lab.shards(job)[0])
    assert [call.outcome for call in calls if call.error == "HTTP 503: busy"] == ["transient"]


def test_a_final_error_and_a_refusal_are_paid_for_and_not_asked_again(lab: Lab) -> None:
    job = job_of(lab)
    refusal = text("", finish_reason="content_filter")
    lab.model.script = lambda call: {"q1 ANSWER: a1": failure(400, "too long"), "q4 ANSWER: a4": refusal}.get(
        last_content(call["body"]), text("ok")
    )
    calls = pay(lab, job)
    assert [call.outcome for call in calls.values()] == ["answered", "error", *["answered"] * 2, "refused", "answered"]
    generate(lab, job)
    assert outcomes(lab, job) == ["scored", "target_error", "scored", "scored", "refused", "scored"]
    assert len(lab.model.calls) == 6


# The breaker.


def test_five_identical_errors_spare_the_rest(lab: Lab) -> None:
    job = job_of(lab, 20)
    numbers = count()
    lab.model.script = lambda _: failure(401, f"no such key (request {next(numbers)})")
    generate(lab, job)
    assert len(lab.model.calls) == IDENTICAL_ERRORS
    assert outcomes(lab, job) == ["target_error"] * 5 + ["not_attempted"] * 15
    outputs = lab.workspace.folder(job.id).read_outputs(lab.shards(job)[0]) or []
    assert {output.error for output in outputs[5:]} == {"HTTP 401: no such key (request 4)"}


def test_one_answer_keeps_the_rest_going(lab: Lab) -> None:
    job = job_of(lab, 20)
    lab.model.script = lambda call: text("a0") if last_content(call["body"]).startswith("q0 ") else failure(401)
    generate(lab, job)
    assert len(lab.model.calls) == 20
    assert outcomes(lab, job) == ["scored"] + ["target_error"] * 19


def test_an_answer_in_the_journal_counts_as_one(lab: Lab) -> None:
    job = job_of(lab, 20)
    lab.model.script = failing_on(*(f"q{i}" for i in range(1, 20)), how=failure(503))
    with pytest.raises(ShardIncomplete):
        generate(lab, job)
    lab.model.script = lambda _: failure(401)
    generate(lab, job)
    assert len(lab.model.calls) == 20 + 19
    assert outcomes(lab, job) == ["scored"] + ["target_error"] * 19


def test_an_endpoint_that_is_down_is_not_waited_for_again(lab: Lab) -> None:
    job = job_of(lab, 20)
    lab.model.script = lambda _: failure(503, "down")
    generate(lab, job)
    assert len(lab.model.calls) == IDENTICAL_ERRORS
    assert outcomes(lab, job) == ["target_error"] * 5 + ["not_attempted"] * 15


def test_a_call_that_was_tried_for_as_long_as_it_may_be_is_not_tried_again(lab: Lab) -> None:
    job = job_of(lab, 1, request_timeout_s=0.5, retry_window_s=0.5)
    lab.model.script = lambda _: silence()
    generate(lab, job)
    assert outcomes(lab, job) == ["target_error"]
    assert len(lab.model.calls) == 1


def test_a_judge_s_errors_do_not_stop_another_judge(lab: Lab) -> None:
    given = [{"said": f"a{i}"} for i in range(8)]
    bad = judge(lab.model.url, "bad {{ sample.output_text }}", name="bad")
    good = judge(lab.model.url, "good {{ sample.output_text }}", name="good")
    job = lab.add(spec(recorded("said"), given, bad, good))
    lab.model.script = lambda call: (
        text('{"score": 4}') if last_content(call["body"]).startswith("good ") else failure(404, "no such model")
    )
    with lab.engaged(job) as engine:
        shard = engine.manifest.shards[0]
        generate_shard(engine, shard, final=False)
        judge_shard(engine, shard, final=False)
    ends = {name: [s.outcome for s in lab.scores(job) if s.metric == name] for name in ("bad", "good")}
    assert ends == {"bad": ["judge_error"] * 5 + ["not_attempted"] * 3, "good": ["scored"] * 8}
    assert len(lab.model.calls) == 5 + 8


@pytest.mark.parametrize(
    ("headers", "made"), [({"retry-after-ms": "1"}, 8), ({"retry-after": "9999"}, 1)], ids=["soon", "much later"]
)
def test_a_busy_endpoint_is_not_given_up(lab: Lab, headers: dict[str, str], made: int) -> None:
    lab.model.script = lambda _call: failure(429, "slow down", headers)
    with pytest.raises(ShardIncomplete, match="8 of 8 calls failed for now"):
        generate(lab, job_of(lab, size=8))
    assert len(lab.model.calls) == made


def test_attempts_at_a_shard_do_not_multiply_the_retries_of_a_call(lab: Lab) -> None:
    job = job_of(lab, max_retries=3)
    lab.model.script = failing_on("q2", how=failure(503, "busy", {"retry-after-ms": "1"}))
    with lab.engaged(job) as engine:
        shard = engine.manifest.shards[0]
        for final in (False, False, True):
            with pytest.raises(ShardIncomplete) if not final else nullcontext():
                generate_shard(engine, shard, final=final)
    assert lab.asked.count("q2 ANSWER: a2") == 4 + 1 + 1
    assert outcomes(lab, job).count("target_error") == 1


def test_an_account_that_is_empty_ends_the_calls_whatever_was_answered_before(lab: Lab) -> None:
    job = job_of(lab, 20)
    spent = Answer(b'{"error": {"code": "insufficient_quota", "message": "no credit"}}', 429)
    lab.model.script = lambda _: spent if len(lab.model.calls) > 4 else text("ok")
    generate(lab, job)
    assert len(lab.model.calls) == 4 + IDENTICAL_ERRORS
    assert outcomes(lab, job) == ["scored"] * 4 + ["target_error"] * 5 + ["not_attempted"] * 11


def test_what_calls_came_to_is_added_to_the_figures_of_all_jobs(lab: Lab) -> None:
    before = lab.workspace.measures.read().counts
    lab.model.script = failing_on("q2", how=failure(400, "no"))
    generate(lab, job_of(lab, size=4))
    after = lab.workspace.measures.read().counts
    added = {count: number - before.get(count, 0) for count, number in after.items()}
    assert {count.label: number for count, number in added.items() if count.name == "calls" and number} == {
        "answered": 3,
        "error": 1,
    }
    assert sum(number for count, number in added.items() if count.name == "seconds_up_to") == 4


def test_a_field_that_a_model_refuses_is_noted_in_the_log_and_beside_the_plan(lab: Lab) -> None:
    refused = Answer(b'{"error": {"param": "temperature", "message": "temperature 0.3 is not supported"}}', 400)
    lab.model.script = lambda call: refused if "temperature" in call["body"] else text(last_content(call["body"])[-2:])
    target = model(lab.model.url).model_copy(update={"generation": {"temperature": 0.3}})
    job = lab.add(spec(target, rows(3), CORRECT))
    (summary,) = lab.carry_out(job)
    assert (summary.mean, len(lab.model.calls)) == (1.0, 4)
    origin = lab.model.url.removesuffix("/v1")
    note = f"m at {origin}: temperature is left out, since the endpoint says: temperature 0.3 is not supported"
    assert [said for said in lab.said if "temperature" in said] == [note]
    manifest = lab.workspace.folder(job.id).read_manifest()
    assert manifest is not None
    assert manifest.notes == (note,)


def test_what_an_endpoint_does_not_bear_is_in_the_job_s_log(lab: Lab) -> None:
    answers = iter([failure(429, headers={"retry-after-ms": "1"})])
    lab.model.script = lambda call: next(answers, None) or text(last_content(call["body"])[-2:])
    job = lab.add(spec(model(lab.model.url), rows(8), CORRECT, parallelism=8))
    lab.carry_out(job)
    place = f"m at {lab.model.url.removesuffix('/v1')}"
    log = lab.workspace.folder(job.id).log_path.read_text()
    assert re.search(f"{place}: . calls at a time from now on, since it was asked too often or answered too late", log)
    (said,) = lab.progress(job).bounds
    assert re.fullmatch(f"{place}: . at a time, since it bore no more", said)


# Replies in a form.

SCHEMA = {"type": "object", "properties": {"score": {"type": "number"}}, "required": ["score"]}


def formed_judge(lab: Lab) -> Judge:
    grading = judge(lab.model.url, scale=Parsed(scores={"score": JsonParser(path="score")}))
    return grading.model_copy(update={"reply_schema": SCHEMA})


def judge_recorded(lab: Lab, metric: Judge, size: int = 4) -> list[Score]:
    job = lab.add(spec(recorded("answer"), rows(size), metric))
    lab.carry_out(job)
    return lab.scores(job)


def test_a_judge_is_asked_for_a_reply_by_its_schema(lab: Lab) -> None:
    lab.model.script = lambda _call: text('{"score": 3}')
    scores = judge_recorded(lab, formed_judge(lab))
    assert [score.value for score in scores] == [3.0] * 4
    assert {call["body"]["response_format"]["json_schema"]["schema"]["required"][0] for call in lab.model.calls} == {
        "score"
    }


@pytest.mark.parametrize(
    "unformed", [failure(400, "response_format is not supported"), text(" ")], ids=["refused", "empty"]
)
def test_an_endpoint_that_takes_no_schema_is_asked_once_more_and_then_plainly(lab: Lab, unformed: Answer) -> None:
    lab.model.script = lambda call: unformed if "response_format" in call["body"] else text('{"score": 3}')
    scores = judge_recorded(lab, formed_judge(lab))
    assert [score.value for score in scores] == [3.0] * 4
    assert [("response_format" in call["body"]) for call in lab.model.calls] == [True] + [False] * 4


def test_an_endpoint_that_refuses_both_is_not_taken_for_one_without_schemas(lab: Lab) -> None:
    lab.model.script = lambda _call: failure(400, "no such model")
    with pytest.raises(EndpointRefused, match="no such model"):
        judge_recorded(lab, formed_judge(lab), size=2)
    assert [("response_format" in call["body"]) for call in lab.model.calls] == [True, False] * 2


def test_what_both_requests_cost_is_one_call_s(lab: Lab) -> None:
    lab.model.script = lambda call: text(" " if "response_format" in call["body"] else '{"score": 1}')
    job = lab.add(spec(recorded("answer"), rows(1), formed_judge(lab)))
    lab.carry_out(job)
    (call,) = lab.workspace.folder(job.id).read_calls("judge", lab.shards(job)[0])
    assert (call.attempts, call.usage.total_tokens) == (2, 20)
    assert "response_format" not in call.request


# Bounds of a model's own.


def test_each_model_has_at_most_its_own_calls_in_flight(lab: Lab) -> None:
    lab.model.script = lambda call: text("SCORE: 3" if call["body"]["model"] == "j" else "x", delay_s=0.02)
    target = model(lab.model.url).model_copy(update={"parallelism": 3})
    grading = judge(lab.model.url, scale=Parsed(scores={"score": RegexParser(pattern=r"SCORE: (\d)", method="search")}))
    job = lab.add(spec(target, rows(12), grading.model_copy(update={"parallelism": 2}), parallelism=1))
    (summary,) = lab.carry_out(job)
    most = {name: max(c["in_flight"] for c in lab.model.calls if c["body"]["model"] == name) for name in ("m", "j")}
    assert most == {"m": 3, "j": 2}
    assert summary.mean == 3.0
