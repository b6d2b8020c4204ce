from uuid import UUID

from prefect.states import Completed, Failed

from flows.control.dispatch import AHEAD, ROUND_S
from flows.control.watch import QUEUED_S
from tests.flows.control.service import Service

OTHER = UUID(int=5)


def room(service: Service) -> int:
    return AHEAD * service.workspace.settings.max_jobs


def test_no_more_runs_wait_with_prefect_than_workers_soon_have_room_for(service: Service) -> None:
    ids = [service.add() for _ in range(room(service) + 5)]
    for _ in range(3):
        service.look()
        assert [service.prefect.jobs[run_id] for run_id in service.prefect.runs] == ids[: room(service)]
    service.take_up()
    service.look()
    service.look()
    assert len(service.prefect.runs) == len(ids)


def test_what_is_done_shows_before_new_work_is_started(service: Service) -> None:
    first = service.add()
    service.look()
    service.prefect.runs[next(iter(service.prefect.runs))] = Failed()
    service.look()  # its end is prepared
    later = [service.add() for _ in range(3)]
    created: list[str] = []
    service.prefect.on_creation = lambda job_id: created.append(f"{job_id} {service.status(first)}")
    service.look()
    assert created == [f"{job_id} failed" for job_id in later]


def test_runs_of_other_deployments_take_no_room(service: Service) -> None:
    ids = [service.add() for _ in range(room(service))]
    service.look()
    service.look()
    service.prefect.deployment = None
    later = service.add()
    service.look()
    assert later not in service.prefect.jobs.values()
    service.prefect.deployment = OTHER
    service.look()
    service.look()
    assert later in service.prefect.jobs.values()
    assert len(ids) == room(service)


def test_a_job_that_waits_for_its_turn_says_so(service: Service) -> None:
    ids = [service.add() for _ in range(room(service) + 1)]
    service.look()
    service.execute("UPDATE jobs SET created_at = '2020-01-01 00:00:00.000000'")
    for _ in range(2):
        service.look(QUEUED_S + 1)
    notes = {service.workspace.jobs.get(job_id).note for job_id in ids}
    assert len(notes) == 1
    assert "Waits for a worker" in str(notes.pop())


def test_many_that_wait_cost_a_look_no_request_for_each(service: Service) -> None:
    for _ in range(300):
        service.add()
    service.look()
    before = service.prefect.asked
    service.look()
    assert service.prefect.asked - before == 1
    assert len(service.workspace.jobs.in_hand()) == room(service)


def test_a_paused_job_that_was_never_started_is_started_once_it_is_resumed(service: Service) -> None:
    job_id = service.add()
    service.workspace.jobs.want(job_id, "pause")
    service.look()
    assert (service.status(job_id), service.prefect.runs) == ("paused", {})
    service.workspace.jobs.want(job_id, "run")
    service.until_ended(job_id, looks=4)
    assert service.status(job_id) == "completed"


def test_a_job_that_is_cancelled_or_deleted_before_it_was_started_never_is(service: Service) -> None:
    cancelled, deleted = service.add(), service.add()
    service.workspace.jobs.want(cancelled, "cancel")
    service.workspace.jobs.want(deleted, "delete")
    service.look()
    service.look()
    assert service.status(cancelled) == "cancelled"
    assert deleted not in service.ids()
    assert service.prefect.runs == {}


def test_a_job_that_ends_makes_room(service: Service) -> None:
    ids = [service.add() for _ in range(room(service) + 1)]
    service.look()
    run_id = next(iter(service.prefect.runs))
    service.prefect.runs[run_id] = Completed()
    service.look()
    service.look()
    assert ids[-1] in service.prefect.jobs.values()


def test_a_slow_prefect_does_not_keep_the_statuses_waiting_for_new_work(service: Service) -> None:
    ids = [service.add() for _ in range(room(service))]

    def take_long(_job_id: str) -> None:
        service.clock.passed_s += ROUND_S / 2

    service.prefect.on_creation = take_long
    service.look()
    assert [service.prefect.jobs[run_id] for run_id in service.prefect.runs] == ids[:2]
    service.look()
    assert [service.prefect.jobs[run_id] for run_id in service.prefect.runs] == ids[:4]
