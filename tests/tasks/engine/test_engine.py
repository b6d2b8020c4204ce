import json
import resource
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import DatasetUnreadable, ResultsMissing, SpecInvalid, StorageFailed
from tasks.engine.engine import Engine
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tests.conftest import WAIT_S, until
from tests.scripted import text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, rows, spec


def test_a_job_goes_from_its_rows_to_its_summaries(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT, judge(lab.model.url)))
    lab.model.script = lambda call: text('{"score": 4}' if call["body"]["model"] == "j" else "a7")
    correct, graded = lab.carry_out(job)
    assert (correct.name, correct.count, correct.mean) == ("string-check", 30, 1 / 30)
    assert (graded.name, graded.count, graded.mean, graded.stddev) == ("score", 30, 4.0, 0.0)
    assert lab.workspace.folder(job.id).read_summaries() == [correct, graded]
    assert len(lab.model.calls) == 60


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


def test_nothing_is_left_of_a_job_that_was_removed_as_its_engine_began(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    engine = Engine(lab.workspace, job, attempt=1, worker="late", tell=lab.said.append)
    lab.workspace.jobs.want(job.id, "delete")
    assert lab.workspace.remove(job.id)
    with engine.engaged():
        assert engine.stop == "cancel"
        engine.log.say("this is late")
    assert not engine.folder.path.exists()


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
        engine.calls.parallelism //= 0
    failed = lab.progress(job).failure
    assert failed is not None
    assert (failed.blame, failed.code) == ("service", "internal_error")
    assert failed.message.startswith("ZeroDivisionError: ")
    last = json.loads(lab.workspace.folder(job.id).log_path.read_text().splitlines()[-1])
    assert (last["level"], last["message"]) == ("ERROR", failed.message)


def test_an_error_that_fails_a_job_holds_none_of_its_rows(lab: Lab) -> None:
    class Row:
        pass

    def read() -> None:
        row = Row()
        known.append(weakref.ref(row))
        try:
            raise ValueError(row)
        except ValueError as error:
            raise DatasetUnreadable("row 1 is broken") from error

    known: list[weakref.ref[Row]] = []
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    broken = pytest.raises(DatasetUnreadable, match="row 1 is broken")
    with broken as failed, lab.engaged(job) as engine, engine.failing():
        read()
    assert failed.value.__traceback__
    assert [each() for each in known] == [None]


def test_an_error_that_is_a_cause_of_its_own_fails_a_job_too(lab: Lab) -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__cause__ = second, first
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    failing = pytest.raises(ValueError, match="first")
    with failing, lab.engaged(job) as engine, engine.failing():
        raise first
    assert lab.progress(job).failure


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


def test_a_visiting_engine_lets_go_with_the_one_that_holds_the_job_and_another_visits_the_next(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(30), CORRECT))
    folder = lab.workspace.folder(job.id)

    with lab.engaged(job) as engine:
        first = lab.visit(engine)
        generate_shard(first, engine.manifest.shards[0], final=True)
        assert folder.lock.is_joined()
    until("the visitor to let go", lambda: not folder.lock.is_joined())
    with pytest.raises(ResultsMissing, match="another ASSAY_HOME"):
        lab.visit(engine)
    with lab.engaged(job) as again:
        second = lab.visit(again)
        assert second.stop is None
        generate_shard(second, again.manifest.shards[1], final=True)
    assert len(lab.model.calls) == 30
