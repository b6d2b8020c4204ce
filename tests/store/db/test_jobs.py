from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Conflict, NotFound
from core.job import (
    TERMINAL,
    Count,
    Face,
    Failure,
    Intent,
    Job,
    JobStatus,
    NewJob,
    Progress,
    Stage,
    Transition,
    random_id,
    utcnow,
)
from core.metric import StringCheck
from core.queries.lists import Listing
from core.spec import EvaluationSpec, FilesDataset, RecordedTarget, TaskSpec
from core.steering import passing_status
from store.bounds.database import of_job
from store.db import tables
from store.db.connect import reading, writing
from store.db.jobs import Jobs
from store.files.contents import Files
from store.secrets import DATA_FIELDS

SPEC = EvaluationSpec(
    targets=(RecordedTarget(column="answer"),),
    tasks=(
        TaskSpec(
            name="qa",
            dataset=FilesDataset(url="file:file-1"),
            metrics=(StringCheck(name="same", left="{{ output_text }}", operator="equals", right="4"),),
        ),
    ),
)

# The rows of a request are kept apart from it.
names = st.text().filter(lambda name: name not in DATA_FIELDS)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(names, values, max_size=3),
    max_leaves=10,
)


def new_job(name: str | None = None, *, face: Face = "nemo-v2", namespace: str = "default", **fields: Any) -> NewJob:
    job_id = random_id("job-")
    fields = {"spec": SPEC, "request": {}, **fields}
    return NewJob(id=job_id, face=face, name=name or job_id, namespace=namespace, **fields)


def progress_of(job: Job, done: int = 0) -> Progress:
    counts: dict[str, dict[Stage, Count]] = {"qa": {"generate": Count(done, 10), "judge": Count(0, 10)}}
    return Progress(job_id=job.id, attempt=1, worker="w1", heartbeat_at=utcnow(), counts=counts)


def kept_keys(engine: sa.Engine) -> Sequence[str]:
    with reading(engine) as connection:
        return connection.scalars(sa.select(tables.secrets.c.id).order_by(tables.secrets.c.id)).all()


@pytest.fixture
def jobs(engine: sa.Engine, tmp_path: Path) -> Jobs:
    return Jobs(engine, Files(engine, tmp_path / "files"))


def job_in(jobs: Jobs, status: JobStatus) -> Job:
    job = jobs.add(new_job())
    assert jobs.settle(job.id, status=status)
    return jobs.get(job.id)


class TestAdd:
    @given(request_body=st.dictionaries(names, json_values, max_size=5), project=st.none() | st.just("p"))
    # The jobs differ by their ids, so one database serves all examples.
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_what_is_added_is_what_is_found(
        self, jobs: Jobs, request_body: dict[str, Any], project: str | None
    ) -> None:
        asked = new_job(request=request_body, project=project, custom_fields=request_body, ownership={"by": "me"})
        added = jobs.add(asked)
        assert jobs.get(added.id) == added
        assert (added.request, added.custom_fields, added.spec) == (request_body, request_body, SPEC)

    def test_a_new_job_is_created_and_shall_run(self, jobs: Jobs) -> None:
        before = utcnow()
        job = jobs.add(new_job())
        assert (job.status, job.intent, job.crashes, job.flow_run_id) == ("created", "run", 0, None)
        assert before <= job.created_at == job.updated_at <= utcnow()

    def test_a_name_is_taken_once_in_each_face_and_namespace(self, jobs: Jobs, engine: sa.Engine) -> None:
        jobs.add(new_job("nightly"))
        with pytest.raises(Conflict, match="default/nightly exists already"):
            jobs.add(new_job("nightly"), {"k": b"x"})
        jobs.add(new_job("nightly", namespace="other"))
        jobs.add(new_job("nightly", face="nemo-v1"))
        assert len(jobs.open()) == 3
        assert kept_keys(engine) == []

    def test_an_id_that_exists_is_no_name_conflict(self, jobs: Jobs) -> None:
        job = new_job("one")
        jobs.add(job)
        with pytest.raises(sa.exc.IntegrityError):
            jobs.add(replace(job, name="two"))
        assert jobs.get(job.id).name == "one"

    def test_keys_come_with_the_job_or_not_at_all(self, jobs: Jobs, engine: sa.Engine) -> None:
        jobs.add(new_job(), {"a": b"1", "b": b"2"})
        job = new_job()
        with pytest.raises(sa.exc.IntegrityError):
            jobs.add(job, {"c": b"3", "a": b"4"})
        assert kept_keys(engine) == ["a", "b"]
        with pytest.raises(NotFound):
            jobs.get(job.id)


class TestGet:
    def test_a_face_finds_only_its_own_jobs(self, jobs: Jobs) -> None:
        job = jobs.add(new_job(face="together"))
        assert jobs.get(job.id) == jobs.get(job.id, "together") == job
        with pytest.raises(NotFound, match="Job not found"):
            jobs.get(job.id, "nugen")

    def test_a_deleted_job_is_gone_for_its_face_but_not_for_the_reconciler(self, jobs: Jobs) -> None:
        job = jobs.add(new_job())
        jobs.want(job.id, "delete")
        with pytest.raises(NotFound):
            jobs.get(job.id, "nemo-v2")
        assert jobs.get(job.id).intent == "delete"


class TestPage:
    @pytest.mark.parametrize("sort", ["created_at", "-created_at", "updated_at", "-updated_at"])
    def test_the_pages_together_are_all_jobs_in_order(self, jobs: Jobs, engine: sa.Engine, sort: Any) -> None:
        added = [jobs.add(new_job()) for _ in range(7)]
        with writing(engine) as connection:  # two jobs tie, in both times
            tie = {"created_at": added[0].created_at, "updated_at": added[0].updated_at}
            connection.execute(sa.update(tables.jobs).where(tables.jobs.c.id == added[1].id).values(tie))
        pages = [jobs.page("nemo-v2", Listing(page=n, page_size=3, sort=sort)) for n in (1, 2, 3, 4)]

        key = sort.removeprefix("-")
        everything = sorted(jobs.open(), key=lambda job: (getattr(job, key), job.id), reverse=sort.startswith("-"))
        assert [job.id for page, _ in pages for job in page] == [job.id for job in everything]
        assert [len(page) for page, _ in pages] == [3, 3, 1, 0]
        assert {total for _, total in pages} == {7}

    def test_deleted_and_ephemeral_jobs_and_those_of_other_faces_are_left_out(self, jobs: Jobs) -> None:
        shown, deleted = jobs.add(new_job()), jobs.add(new_job())
        jobs.add(new_job(face="maniac"))
        jobs.add(new_job(ephemeral=True))
        jobs.want(deleted.id, "delete")
        assert jobs.page("nemo-v2", Listing()) == ([jobs.listed(shown.id)], 1)
        assert jobs.page("nugen", Listing()) == ([], 0)


class TestOpen:
    def test_terminal_jobs_are_not_open(self, jobs: Jobs) -> None:
        for status in get_args(JobStatus):
            job_in(jobs, status)
        found = [job.status for job in jobs.open()]
        assert set(found) == set(get_args(JobStatus)) - TERMINAL
        assert len(found) == len(set(found))

    def test_only_jobs_that_shall_run_and_have_no_run_wait_for_dispatch(self, jobs: Jobs) -> None:
        first, paused, ended, sent, last = (jobs.add(new_job()) for _ in range(5))
        jobs.want(paused.id, "pause")
        jobs.settle(ended.id, status="failed")
        jobs.dispatched(sent.id, "run-1")
        assert [job.id for job in jobs.undispatched()] == [first.id, last.id]
        assert jobs.get(sent.id).flow_run_id == "run-1"
        assert [job.id for job in jobs.open()] == [first.id, paused.id, sent.id, last.id]


class TestWant:
    @pytest.mark.parametrize("status", get_args(JobStatus))
    @pytest.mark.parametrize("intent", get_args(Intent))
    def test_what_is_refused_changes_nothing_and_what_is_allowed_shows(
        self, jobs: Jobs, status: JobStatus, intent: Intent
    ) -> None:
        job = job_in(jobs, status)
        allowed: dict[Intent, set[JobStatus]] = {
            "pause": {"created", "pending", "running", "resuming"},
            "run": {"pausing", "paused"},
            "cancel": {"created", "pending", "running", "pausing", "paused", "resuming", "cancelling"},
            "delete": set(get_args(JobStatus)),
        }
        if status in allowed[intent]:
            wanted = jobs.want(job.id, intent)
            shown = {"pause": "pausing", "run": "resuming", "cancel": "cancelling", "delete": status}[intent]
            assert (wanted.intent, wanted.status) == (intent, shown)
            assert jobs.get(job.id) == wanted
        else:
            with pytest.raises(Conflict, match=f"Job is {status} and cannot be (paused|resumed|cancelled)"):
                jobs.want(job.id, intent)
            assert jobs.get(job.id) == job

    def test_what_is_wanted_of_a_status_that_has_passed_is_refused(self, jobs: Jobs) -> None:
        job = job_in(jobs, "resuming")
        with pytest.raises(Conflict, match="Job is resuming and no longer running"):
            jobs.want(job.id, "pause", seen="running")
        assert jobs.want(job.id, "pause", seen="resuming").status == "pausing"

    def test_cancelling_twice_is_as_good_as_once(self, jobs: Jobs) -> None:
        job = jobs.add(new_job())
        once = jobs.want(job.id, "cancel")
        assert once.updated_at > job.updated_at
        assert jobs.want(job.id, "cancel") == once

    def test_nothing_but_delete_is_wanted_of_a_deleted_job(self, jobs: Jobs) -> None:
        job = jobs.add(new_job())
        deleted = jobs.want(job.id, "delete")
        assert jobs.want(job.id, "delete") == deleted
        with pytest.raises(NotFound):
            jobs.want(job.id, "cancel")
        with pytest.raises(NotFound):
            jobs.want("job-none", "delete")

    def test_a_paused_job_goes_on_and_can_be_paused_again(self) -> None:
        assert passing_status("paused", "run") == "resuming"
        assert passing_status("resuming", "pause") == "pausing"
        assert passing_status("pausing", "cancel") == "cancelling"


class TestSettle:
    def test_a_change_is_kept_with_its_time(self, jobs: Jobs) -> None:
        job = jobs.add(new_job())
        failure = Failure(blame="upstream", code="endpoint_failed", message="no answer from http://x")
        ended = utcnow()
        assert jobs.settle(job.id, status="failed", note="gave up", failure=failure, crashes=2, finished_at=ended)
        settled = jobs.get(job.id)
        assert settled == replace(
            job,
            status="failed",
            note="gave up",
            failure=failure,
            crashes=2,
            finished_at=ended,
            updated_at=settled.updated_at,
            history=(*job.history, Transition("failed", settled.updated_at)),
        )
        assert settled.updated_at > job.updated_at

    def test_what_changes_nothing_leaves_the_time_alone(self, jobs: Jobs) -> None:
        job = jobs.add(new_job())
        failure = Failure(blame="user", code="c", message="m")
        jobs.settle(job.id, status="running", note="n", failure=failure, started_at=job.created_at)
        running = jobs.get(job.id)
        assert jobs.settle(job.id, status="running", note="n", failure=failure, started_at=job.created_at)
        assert jobs.settle(job.id)
        assert jobs.get(job.id) == running
        assert jobs.settle(job.id, note=None)
        assert jobs.get(job.id).note is None

    @pytest.mark.parametrize("terminal", sorted(TERMINAL))
    def test_a_terminal_job_stays_as_it_is(self, jobs: Jobs, terminal: JobStatus) -> None:
        job = job_in(jobs, terminal)
        assert not jobs.settle(job.id, status="running", note="late")
        assert jobs.get(job.id) == job
        assert not jobs.settle("job-none", status="running")

    def test_of_many_terminal_statuses_one_is_taken(self, jobs: Jobs) -> None:
        job = jobs.add(new_job())
        ends = [status for status in sorted(TERMINAL) for _ in range(4)]
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda status: jobs.settle(job.id, status=status), ends))
        assert taken.count(True) == 1
        assert jobs.get(job.id).status == ends[taken.index(True)]

    def test_what_was_seen_before_the_user_paused_is_not_taken(self, jobs: Jobs) -> None:
        job = jobs.add(new_job())
        jobs.want(job.id, "pause")
        assert not jobs.settle(job.id, seen="created", status="running")
        assert jobs.get(job.id).status == "pausing"
        assert jobs.settle(job.id, seen="pausing", status="paused")

    def test_the_keys_go_when_the_job_ends(self, jobs: Jobs, engine: sa.Engine) -> None:
        job, other = jobs.add(new_job(), {"a": b"1"}), jobs.add(new_job(), {"b": b"2"})
        jobs.settle(job.id, status="running")
        assert kept_keys(engine) == ["a", "b"]
        jobs.settle(job.id, status="completed")
        assert kept_keys(engine) == ["b"]
        jobs.remove(other.id)
        assert kept_keys(engine) == []

    def test_what_its_processes_divided_goes_when_the_job_ends(self, jobs: Jobs, engine: sa.Engine) -> None:
        ended, failed, removed, going = (jobs.add(new_job()).id for _ in range(4))
        keys = [end for job_id in (ended, failed, removed, going) for end in (of_job(job_id), f"{of_job(job_id)} qa/j")]
        keys += [f"{of_job(ended)}-2", "a-model at http://localhost"]
        with writing(engine) as connection:
            connection.execute(sa.insert(tables.model_bounds), [{"key": key, "state": "{}"} for key in keys])
        jobs.settle(ended, status="cancelled")
        jobs.fail(failed, Failure(blame="service", code="crashed", message="It came no further."))
        jobs.remove(removed)
        with reading(engine) as connection:
            assert set(connection.scalars(sa.select(tables.model_bounds.c.key))) == set(keys[6:])


class TestReport:
    def test_the_last_report_stands(self, jobs: Jobs) -> None:
        job, silent = jobs.add(new_job()), jobs.add(new_job())
        first = progress_of(job)
        ready = replace(
            progress_of(job, done=10),
            results_ready_at=first.heartbeat_at + timedelta(seconds=1),
            failure=Failure(blame="service", code="c", message="m"),
        )
        assert jobs.report(first) == "run"
        assert jobs.progress([job.id, silent.id]) == {job.id: first}
        assert jobs.report(ready) == "run"
        assert jobs.progress([job.id]) == {job.id: ready}
        assert jobs.progress([]) == {}

    def test_the_engine_hears_what_the_user_wants(self, jobs: Jobs) -> None:
        job = jobs.add(new_job())
        heard = []
        intents: tuple[Intent, ...] = ("pause", "run", "cancel", "delete")
        for intent in intents:
            jobs.want(job.id, intent)
            heard.append(jobs.report(progress_of(job)))
        assert heard == list(intents)
        assert jobs.get(job.id).status == "cancelling"

    @pytest.mark.parametrize("ended", sorted(TERMINAL))
    def test_a_job_that_has_ended_answers_cancel_and_keeps_its_last_report(self, jobs: Jobs, ended: JobStatus) -> None:
        job = jobs.add(new_job())
        last = progress_of(job, done=3)
        jobs.report(last)
        jobs.settle(job.id, status=ended)
        assert jobs.report(progress_of(job)) == "cancel"
        assert jobs.progress([job.id]) == {job.id: last}
        jobs.want(job.id, "delete")
        assert jobs.report(progress_of(job)) == "delete"

    def test_a_job_that_is_gone_answers_delete(self, jobs: Jobs) -> None:
        job = jobs.add(new_job())
        jobs.report(progress_of(job))
        jobs.remove(job.id)
        assert jobs.report(progress_of(job)) == "delete"
        assert jobs.progress([job.id]) == {}
        assert jobs.open() == []

    def test_a_job_can_be_removed_twice(self, jobs: Jobs) -> None:
        job = jobs.add(new_job("again"))
        jobs.remove(job.id)
        jobs.remove(job.id)
        with pytest.raises(NotFound):
            jobs.get(job.id)
        assert jobs.add(new_job("again")).name == "again"


def test_a_job_that_cannot_be_carried_out_has_ended_at_once(jobs: Jobs, engine: sa.Engine) -> None:
    failure = Failure(blame="user", code="unsupported", message="no such evaluation")
    added = jobs.add(new_job(spec=None, failure=failure), {"key": b"secret"})
    assert jobs.get(added.id) == added
    assert (added.status, added.spec, added.failure) == ("failed", None, failure)
    assert added.finished_at == added.created_at
    assert jobs.open() == jobs.undispatched() == []
    assert kept_keys(engine) == []
