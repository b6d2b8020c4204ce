"""Deaths of engines: those that a job is to blame for are few, and a kill of the whole service is none of them."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.states import Crashed, Pending, Running, Scheduled

from core.job import Deaths, Progress, utcnow
from flows.control.deaths import CHANCE_S, MAX_CRASHES, MAX_DEATHS, after_death, had_a_chance, too_many
from flows.control.watch import SILENT_S, UNSTARTED_S, Watch
from tests.flows.control.service import Service
from tests.flows.model import STOPPED

KILLS = 12


def begin(service: Service) -> str:
    job_id = service.add()
    service.look()
    service.take_up()
    service.look()
    assert service.status(job_id) == "running"
    return job_id


def work_for(service: Service, seconds: float) -> None:
    """Have the engines be at work for so long: a report says so, whatever the clock of this machine."""
    for engine in service.engines:
        assert engine.began_at is not None
        engine.began_at -= timedelta(seconds=seconds)
        engine.report()


def killed_at(service: Service, moment: str) -> None:
    """Bring a job that runs no more to some moment of its run, and kill everything then."""
    if moment != "scheduled":
        for run_id in service.prefect.of_type("SCHEDULED"):
            service.prefect.runs[run_id] = Pending()
    if moment == "running, unheard":
        for run_id in service.prefect.of_type("PENDING"):
            service.prefect.propose(run_id, Running())
    if moment.startswith("at work"):
        service.take_up()
    if moment == "at work, seen":
        service.look(0.2)
    service.kill_all()


MOMENTS = ("scheduled", "pending", "running, unheard", "at work", "at work, seen")


@pytest.mark.thorough
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_job_survives_any_number_of_kills_of_the_whole_service(service: Service, moment: str) -> None:
    job_id = begin(service)
    service.kill_all()
    for _ in range(KILLS):
        for wait in (0.0, SILENT_S + 1, UNSTARTED_S + 1):
            service.look(wait)
        killed_at(service, moment)
    service.until_ended(job_id, looks=20)
    assert service.status(job_id) == "completed"
    assert service.workspace.jobs.get(job_id).crashes == 0


@pytest.mark.parametrize("waits", [(0.0,), (0.2, 0.2), (SILENT_S / 2,), (UNSTARTED_S - 1,)])
def test_a_job_is_not_stranded_by_kills_too_fast_to_be_noticed(service: Service, waits: tuple[float, ...]) -> None:
    job_id = begin(service)
    for number in range(KILLS):
        for wait in waits:
            service.look(wait)
        killed_at(service, MOMENTS[number % len(MOMENTS)])
    for _ in range(8):  # all is well from now on, and the worker idle but for this job
        service.look(UNSTARTED_S + 1)
        service.work()
    service.look()
    assert service.status(job_id) == "completed"


@pytest.mark.parametrize("lose", [Service.kill_worker, Service.kill_all])
def test_a_job_that_kills_each_worker_that_had_a_chance_fails(
    service: Service, lose: Callable[[Service], None]
) -> None:
    job_id = begin(service)
    for death in range(MAX_CRASHES + 1):
        assert service.status(job_id) == "running", f"after {death} deaths"
        work_for(service, CHANCE_S)
        service.look(0.2)
        lose(service)
        service.look(0.0)
        service.look(SILENT_S + 1)
        service.take_up()
        service.look()
    service.look()
    job = service.workspace.jobs.get(job_id)
    assert job.status == "failed"
    assert job.failure is not None
    assert job.failure.code == "crashed"


def test_a_job_that_kills_each_worker_at_once_fails_in_the_end(service: Service) -> None:
    job_id = begin(service)
    deaths = 0
    while service.status(job_id) == "running":
        assert deaths <= MAX_DEATHS + 1
        service.kill_worker()
        deaths += 1
        service.look(SILENT_S + 1)
        service.take_up()
        service.look()
        service.look()  # an end that is due is prepared by now
    assert deaths == MAX_DEATHS + 1
    assert service.status(job_id) == "failed"


def test_an_engine_that_is_slow_to_begin_is_not_taken_for_the_dead_one_before(service: Service) -> None:
    job_id = begin(service)
    service.kill_worker()
    service.look(SILENT_S + 1)
    (run_id,) = service.prefect.of_type("SCHEDULED")
    service.prefect.propose(run_id, Running())  # and does not hold its folder yet
    for _ in range(3):
        service.look(SILENT_S + 1)
        assert service.prefect.of_type("RUNNING") == [run_id]
    assert service.status(job_id) == "running"


def test_a_resumed_run_has_its_time_to_begin_though_its_last_report_is_old(service: Service) -> None:
    job_id = begin(service)
    service.workspace.jobs.want(job_id, "pause")
    service.engines[0].report()
    service.end(STOPPED["pause"]())
    service.look(60)
    assert service.status(job_id) == "paused"
    service.workspace.jobs.want(job_id, "run")
    service.look()
    (run_id,) = service.prefect.of_type("SCHEDULED")
    service.prefect.propose(run_id, Running())  # which counts as no new attempt with Prefect
    service.look()
    service.look(SILENT_S + 1)
    assert service.prefect.of_type("RUNNING") == [run_id]


def test_the_time_that_prefect_was_away_is_held_against_no_run(service: Service) -> None:
    job_id = service.add()
    service.look()
    (run_id,) = service.prefect.of_type("SCHEDULED")
    service.prefect.runs[run_id] = Pending()
    service.look()
    service.prefect.is_down = True
    for _ in range(10):
        service.look(UNSTARTED_S)
    service.prefect.is_down = False
    service.look()
    assert service.prefect.of_type("PENDING") == [run_id]
    service.until_ended(job_id, looks=4)


def test_the_memory_of_the_loop_outlives_its_errors(service: Service) -> None:
    """Each error used to begin the wait for a dead engine anew, so that it was never over."""
    job_id = begin(service)
    service.kill_worker()
    service.prefect.runs[next(iter(service.prefect.runs))] = Running()
    for number in range(20):
        service.prefect.loses_answers = number % 2 == 0
        service.look(SILENT_S / 4)
    assert service.prefect.of_type("SCHEDULED")
    service.prefect.loses_answers = False
    service.until_ended(job_id, looks=4)


def test_deaths_survive_the_loss_of_all_memory(service: Service) -> None:
    job_id = begin(service)
    service.workspace.jobs.died(job_id, Deaths(2, 5, (1, 7)), note="The worker died")
    assert service.workspace.jobs.deaths(job_id) == Deaths(2, 5, (1, 7))
    assert service.workspace.jobs.get(job_id).note == "The worker died"
    service.workspace.jobs.died(job_id, Deaths(0, 1, (2, 0)))
    assert service.workspace.jobs.deaths(job_id) == Deaths(0, 1, (2, 0))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=30))
def test_only_deaths_since_the_job_came_further_count(lives: list[tuple[int, bool, bool]]) -> None:
    deaths, calls = [Deaths()], 0
    for more, stopped, counts in lives:
        calls += more
        deaths.append(after_death(deaths[-1], (0, calls), stopped=stopped, counts=counts and not stopped))
    for (before, after), (more, stopped, counts) in zip(pairwise(deaths), lives, strict=True):
        kept = Deaths() if more else before
        assert after.total == kept.total + (not stopped)
        assert after.counted == kept.counted + (counts and not stopped)
        assert after.counted <= after.total


@pytest.mark.parametrize(
    ("deaths", "fails"),
    [
        (Deaths(MAX_CRASHES, MAX_DEATHS), False),
        (Deaths(MAX_CRASHES + 1, MAX_CRASHES + 1), True),
        (Deaths(0, MAX_DEATHS + 1), True),
    ],
)
def test_a_job_fails_once_it_had_too_many_deaths(deaths: Deaths, fails: bool) -> None:
    assert (too_many(deaths) is not None) == fails


def test_only_an_engine_that_held_its_job_for_long_had_a_chance() -> None:
    now = utcnow()
    watch = Watch(run="running", attempt=2)
    for attempt, seconds, chance in [(2, CHANCE_S, True), (2, CHANCE_S - 0.1, False), (1, 60.0, False)]:
        report = Progress("job", attempt, "worker", now, began_at=now - timedelta(seconds=seconds))
        assert had_a_chance(watch, report) == chance
    assert not had_a_chance(watch, Progress("job", 2, "worker", now))
    assert not had_a_chance(watch, None)
    assert had_a_chance(Watch(run="crashed"), None)


def test_a_crash_that_prefect_saw_counts(service: Service) -> None:
    job_id = begin(service)
    service.kill_worker()
    (run_id,) = service.prefect.of_type("RUNNING")
    service.prefect.runs[run_id] = Crashed()
    service.look()
    service.look(11)
    assert isinstance(service.prefect.runs[run_id], type(Scheduled()))
    assert service.workspace.jobs.deaths(job_id).counted == 1
