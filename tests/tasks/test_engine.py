import json
import resource
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from core.endpoint import Endpoint
from core.errors import EndpointRefused, ResultsMissing, ServiceError, SpecInvalid, StorageFailed
from core.job import Count, Job, JobStatus
from core.settings import ModelSettings, Settings
from core.spec import EvaluationSpec
from store.results.journal import read_journal
from store.workspace import Workspace
from tasks.endpoint.limits.ledger import Bounds
from tasks.engine import Engine, Stopped
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.resolve import resolve_job
from tests.conftest import WAIT_S, until
from tests.scripted import Answer, Received, failure, last_content, silence, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, chat, judge, model, rows, spec

KEY = "sk-lab-0123456789"


def slowly(request: Received) -> Answer:
    return text(last_content(request["body"]).rpartition("ANSWER:")[2].strip(), delay_s=0.1)


def test_a_job_goes_from_its_rows_to_its_summaries(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT, judge(lab.model.url)))
    lab.model.script = lambda call: text('{"score": 4}' if call["body"]["model"] == "j" else "a7")
    correct, graded = lab.carry_out(job)
    assert (correct.name, correct.count, correct.mean) == ("string-check", 30, 1 / 30)
    assert (graded.name, graded.count, graded.mean, graded.stddev) == ("score", 30, 4.0, 0.0)
    assert lab.workspace.folder(job.id).read_summaries() == [correct, graded]
    assert len(lab.model.calls) == 60


def test_its_progress_says_what_is_done_and_when_the_results_are_ready(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT))
    with lab.engaged(job, attempt=3) as engine:
        first, _ = engine.manifest.shards
        generate_shard(engine, first, final=True)
    halfway = lab.progress(job)
    assert (halfway.attempt, halfway.worker, halfway.results_ready_at) == (3, "lab", None)
    assert halfway.counts == {"qa": {"generate": Count(25, 30), "judge": Count(0, 30)}}
    lab.carry_out(job)
    after = lab.progress(job)
    assert after.counts == {"qa": {"generate": Count(30, 30), "judge": Count(30, 30)}}
    assert after.results_ready_at is not None
    assert after.heartbeat_at > after.results_ready_at > halfway.heartbeat_at


def test_what_it_says_stands_in_the_job_s_log_and_where_the_run_is_watched(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    lab.carry_out(job)
    lines = [json.loads(line) for line in lab.workspace.folder(job.id).log_path.read_text().splitlines()]
    assert [line["message"] for line in lines] == lab.said
    assert lab.said == [
        "task 'qa': 2 rows, templates checked",
        "qa / target / correct / string-check: 1.000 [0.158, 1.000] · 2 of 2 scored · few_samples",
    ]
    assert {line["level"] for line in lines} == {"INFO"}


# What the user wants.


def carrying_on(engine: Engine) -> Callable[[], object]:
    return lambda: generate_shard(engine, engine.manifest.shards[0], final=False)


def test_a_pause_ends_the_shard_with_every_paid_call_in_its_journal(lab: Lab) -> None:
    lab.model.script = slowly
    job = lab.add(spec(model(lab.model.url), rows(25), CORRECT, parallelism=2))
    with lab.engaged(job) as engine, ThreadPoolExecutor() as threads:
        shard = engine.manifest.shards[0]
        stopping = threads.submit(carrying_on(engine))
        until("a call", lambda: lab.model.calls)
        lab.workspace.jobs.want(job.id, "pause")
        assert isinstance(stopping.exception(timeout=WAIT_S), Stopped)
        assert engine.stop == "pause"
        paid = len(lab.model.calls)
        assert len(read_journal(engine.folder.journals.path("generate", shard)).calls) == paid < 25
    lab.workspace.jobs.want(job.id, "run")
    lab.model.latency_s, lab.model.script = 0.0, lambda call: text("a0")
    lab.carry_out(job)
    assert len(lab.model.calls) == 25
    assert len(set(lab.asked)) == 25


@pytest.mark.parametrize("intent", ["cancel", "delete"])
def test_a_cancellation_does_not_wait_for_the_calls_in_flight(lab: Lab, intent: Literal["cancel", "delete"]) -> None:
    lab.model.script = lambda _: silence()
    job = lab.add(spec(model(lab.model.url), rows(25), CORRECT, parallelism=4, request_timeout_s=2 * WAIT_S))
    with lab.engaged(job) as engine, ThreadPoolExecutor() as threads:
        stopping = threads.submit(carrying_on(engine))
        until("four calls in flight", lambda: len(lab.model.calls) == 4)
        lab.workspace.jobs.want(job.id, intent)
        assert isinstance(stopping.exception(timeout=WAIT_S), Stopped)
        assert engine.stop == "cancel"
        assert not engine.folder.is_finished("generate", engine.manifest.shards[0])
    assert len(lab.model.calls) == 4


def test_a_job_that_is_cancelled_before_it_begins_asks_nothing(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    lab.workspace.jobs.want(job.id, "cancel")
    engine = Engine(lab.workspace, job, attempt=1, worker="lab", tell=str)
    with engine.engaged(), pytest.raises(Stopped):
        resolve_job(engine)
    assert lab.model.calls == []
    assert engine.stop == "cancel"


def test_a_shard_that_fails_the_job_stops_the_others(lab: Lab) -> None:
    lab.model.script = lambda _: silence()
    job = lab.add(spec(model(lab.model.url), rows(25), CORRECT, parallelism=4, request_timeout_s=2 * WAIT_S))
    with lab.engaged(job) as engine, ThreadPoolExecutor() as threads:
        stopping = threads.submit(carrying_on(engine))
        until("four calls in flight", lambda: len(lab.model.calls) == 4)
        engine.abandon()
        assert isinstance(stopping.exception(timeout=WAIT_S), Stopped)
        lab.workspace.jobs.want(job.id, "cancel")
    assert engine.stop == "cancel"


def test_a_job_that_has_failed_is_not_paused(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    with lab.engaged(job) as engine:
        engine.abandon()
        lab.workspace.jobs.want(job.id, "pause")
    assert engine.stop == "fail"
    assert lab.progress(job).results_ready_at is None


def test_an_engine_whose_job_is_gone_stops(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    with lab.engaged(job):
        pass  # the rows are frozen: their file goes with the job
    lab.workspace.jobs.remove(job.id)
    with lab.engaged(job) as engine, pytest.raises(Stopped):
        carrying_on(engine)()
    assert lab.workspace.jobs.progress([job.id]) == {}
    assert lab.model.calls == []


@pytest.mark.parametrize("ended", ["cancelled", "failed", "completed"])
def test_an_engine_that_comes_after_its_job_has_ended_asks_nothing(lab: Lab, ended: JobStatus) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    lab.workspace.jobs.settle(job.id, status=ended)
    with pytest.raises(Stopped), lab.engaged(job) as engine:
        carrying_on(engine)()
    assert lab.model.calls == []
    assert lab.workspace.jobs.progress([job.id]) == {}


def test_no_call_is_in_flight_or_begins_once_an_engine_has_let_go(lab: Lab) -> None:
    lab.model.script = lambda _: silence()
    job = lab.add(spec(model(lab.model.url), rows(25), CORRECT, parallelism=4, request_timeout_s=60))
    with ThreadPoolExecutor() as threads:
        with lab.engaged(job) as engine:
            shard = threads.submit(carrying_on(engine))
            until("four calls", lambda: len(lab.model.calls) == 4)
        assert isinstance(shard.exception(timeout=3), Stopped)
        until("no connection being open", lambda: not lab.model.open)
        with pytest.raises(Stopped):
            carrying_on(engine)()
    assert len(lab.model.calls) == 4


# One engine at a time.


def test_a_second_engine_waits_and_then_goes_on_where_the_first_let_go(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT))
    order: list[str] = []
    begun = threading.Event()

    def second() -> None:
        begun.set()
        with lab.engaged(job, attempt=2) as engine:
            order.append("second")
            for shard in engine.manifest.shards:
                generate_shard(engine, shard, final=True)

    with ThreadPoolExecutor() as threads:
        with lab.engaged(job) as engine:
            waiting = threads.submit(second)
            begun.wait()
            for shard in engine.manifest.shards:
                generate_shard(engine, shard, final=True)
            assert lab.workspace.folder(job.id).lock.is_held()
            assert lab.progress(job).attempt == 1
            order.append("first")
        waiting.result(timeout=WAIT_S)
    assert order == ["first", "second"]
    assert lab.progress(job).attempt == 2
    assert len(lab.model.calls) == 30


# Keys.


def with_key(lab: Lab, kept: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, EvaluationSpec, dict[str, str]]:
    """Return settings, specification and stored keys so that the model is asked with `KEY`."""
    monkeypatch.setenv("LAB_KEY", KEY)
    home = lab.workspace.settings.home
    match kept:
        case "stored":
            target = model(lab.model.url, api_key="store:lab")
            return Settings(home=home), spec(target, rows(6), CORRECT), {"lab": KEY}
        case "environment":
            target = model(lab.model.url, api_key="env:LAB_KEY")
            return Settings(home=home), spec(target, rows(6), CORRECT), {}
        case "model":
            models = {"m": ModelSettings(url=lab.model.url, api_key_env="LAB_KEY")}
            return Settings(home=home, models=models), spec(model(None), rows(6), CORRECT), {}
    settings = Settings(home=home, default_endpoint=lab.model.url, default_api_key=SecretStr(KEY))
    return settings, spec(model(None), rows(6), CORRECT), {}


def fail_unforeseen(lab: Lab, job: Job) -> None:
    with lab.engaged(job) as engine, engine.failing():
        engine.route(job.spec.targets[0].endpoint, chat("x"))  # type: ignore[union-attr]  # it is a model
        engine.say(f"it said {KEY}")
        raise ValueError(f"Authorization: Bearer {KEY}")


@pytest.mark.parametrize("kept", ["stored", "environment", "model", "default"])
def test_a_key_is_used_and_never_shown(lab: Lab, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, wanted, keys = with_key(lab, kept, monkeypatch)
    lab = Lab(Workspace.open(settings), lab.model)
    lab.model.script = lambda _: failure(401, f"Incorrect API key provided: {KEY}")
    job = lab.add(wanted, keys)
    with pytest.raises(EndpointRefused) as refused:
        lab.carry_out(job)
    with pytest.raises(ServiceError) as unforeseen:
        fail_unforeseen(lab, job)
    assert {call["headers"]["authorization"] for call in lab.model.calls} == {f"Bearer {KEY}"}
    assert unforeseen.value.message == "ValueError: Authorization: Bearer ******"
    folder = lab.workspace.folder(job.id)
    calls = [call for shard in lab.shards(job) for call in folder.read_calls("generate", shard)]
    shown = [str(refused.value), *lab.said, repr(lab.progress(job)), repr(calls), repr(lab.scores(job))]
    shown += [path.read_text() for path in (folder.log_path, folder.path / "manifest.json")]
    assert "it said ******" in lab.said
    assert "Incorrect API key provided: ******" in repr(calls)
    assert [text for text in shown if KEY in text] == []


def test_the_service_s_own_keys_go_to_its_own_endpoints_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", KEY)
    models = {
        "hosted": ModelSettings(url="http://hosted/v1", api_key_env="LAB_KEY"),
        "keyless": ModelSettings(url="http://local/v1"),
    }
    home = lab.workspace.settings.home
    settings = Settings(
        home=home, models=models, default_endpoint="http://default/v1", default_api_key=SecretStr("sk-default")
    )
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    engine = Engine(Workspace.open(settings), job, attempt=1, worker="lab", tell=str)

    def key(name: str, url: str | None = None) -> str | None:
        return engine.route(Endpoint(model=name, url=url), chat("x")).api_key

    assert (key("other"), key("other", "http://elsewhere/v1")) == ("sk-default", None)
    assert (key("hosted"), key("hosted", "http://hosted/v1"), key("hosted", "http://elsewhere/v1")) == (KEY, KEY, None)
    assert (key("keyless"), key("keyless", "http://elsewhere/v1")) == (None, None)


# Routes and failures.


def test_a_url_is_the_job_s_or_the_model_s_or_the_default(lab: Lab) -> None:
    models = {"known": ModelSettings(url="http://known/v1", concurrency=3, requests_per_minute=60)}
    settings = Settings(home=lab.workspace.settings.home, models=models, default_endpoint="http://default/v1")
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT, request_timeout_s=7, max_retries=2))
    engine = Engine(Workspace.open(settings), job, attempt=1, worker="lab", tell=str)
    prompt = chat("x")
    assert engine.route(Endpoint(model="known", url="http://own/v1"), prompt).url == "http://own/v1/chat/completions"
    assert engine.route(Endpoint(model="other"), prompt).url == "http://default/v1/chat/completions"
    known = engine.route(Endpoint(model="known"), prompt)
    assert (known.url, known.bounds) == ("http://known/v1/chat/completions", Bounds(3, 60))
    assert (known.timeout_s, known.max_retries, known.api_key) == (7, 2, None)


def test_a_model_without_a_url_anywhere_is_the_user_s_to_mend(lab: Lab) -> None:
    job = lab.add(spec(model(None), rows(1), CORRECT))
    with pytest.raises(SpecInvalid, match="model 'm' has no URL"):
        lab.carry_out(job)
    failed = lab.progress(job).failure
    assert failed is not None
    assert (failed.blame, failed.code) == ("user", "invalid_spec")
    assert "ASSAY_DEFAULT_ENDPOINT" in failed.message


def test_an_error_nobody_foresaw_is_the_service_s_and_is_logged(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    with lab.engaged(job) as engine, pytest.raises(ZeroDivisionError), engine.failing():
        engine.parallelism //= 0
    failed = lab.progress(job).failure
    assert failed is not None
    assert (failed.blame, failed.code) == ("service", "internal_error")
    assert failed.message.startswith("ZeroDivisionError: ")
    last = json.loads(lab.workspace.folder(job.id).log_path.read_text().splitlines()[-1])
    assert (last["level"], last["message"]) == ("ERROR", failed.message)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_job_whose_log_cannot_be_written_does_not_fail(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    log = lab.workspace.folder(job.id).log_path
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    with lab.engaged(job) as engine:
        generate_shard(engine, engine.manifest.shards[0], final=True)
    assert engine.log.lost == len(lab.said) == 1
    assert lab.workspace.folder(job.id).is_finished("generate", engine.manifest.shards[0])


def test_a_job_that_fails_as_nothing_can_be_written_says_so_once_it_can(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with lab.engaged(job) as engine:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # each write to a file fails, the report's too
        try:
            with pytest.raises(StorageFailed), engine.failing():
                generate_shard(engine, engine.manifest.shards[0], final=True)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    failed = lab.progress(job).failure
    assert failed is not None
    assert (failed.blame, failed.code) == ("service", "storage_failed")
    place = f"results/job_id={job.id}/journal/generate-00000.journal"
    assert failed.message.startswith(f"{place} was not written: File too large; see that")


@pytest.mark.parametrize("kind", ["samples", "calls", "outputs", "scores"])
def test_a_resumed_job_does_not_complete_over_a_shard_that_is_damaged(lab: Lab, kind: str) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT))
    with lab.engaged(job) as engine:
        first, _ = engine.manifest.shards
        generate_shard(engine, first, final=True)
        judge_shard(engine, first, final=True)
    file = min((lab.workspace.folder(job.id).path / kind).iterdir())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ResultsMissing) as damaged:
        lab.carry_out(job)
    assert damaged.value.message.startswith(f"results/job_id={job.id}/{kind}/{file.name} is damaged: ")
    assert len(lab.model.calls) == len(first)


def test_a_finished_shard_counts_as_done_from_the_start_of_the_next_attempt(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT))
    with lab.engaged(job) as engine:
        first, second = engine.manifest.shards
        generate_shard(engine, first, final=True)
        judge_shard(engine, first, final=True)
    with lab.engaged(job, attempt=2):
        pass
    assert lab.progress(job).counts["qa"] == {"generate": Count(25, 30), "judge": Count(25, 30)}
    assert len(lab.model.calls) == len(first)
    assert not lab.workspace.folder(job.id).is_finished("generate", second)


def test_a_visiting_engine_lets_go_with_the_one_that_holds_the_job_and_another_visits_the_next(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT))
    folder = lab.workspace.folder(job.id)

    def visit(engine: Engine) -> Engine:
        _, (_, attempt, worker, hold, lease) = engine.__reduce__()
        other = Engine(lab.workspace, job, attempt=attempt, worker=worker, tell=lab.said.append, hold=hold)
        other.visit(lease)
        return other

    with lab.engaged(job) as engine:
        first = visit(engine)
        generate_shard(first, engine.manifest.shards[0], final=True)
        assert folder.lock.is_joined()
    until("the visitor to let go", lambda: not folder.lock.is_joined())
    with pytest.raises(ResultsMissing, match="another ASSAY_HOME"):
        visit(engine)
    with lab.engaged(job) as again:
        second = visit(again)
        assert second.stop is None
        generate_shard(second, again.manifest.shards[1], final=True)
    assert len(lab.model.calls) == 30
