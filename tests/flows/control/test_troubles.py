import asyncio
import errno
import logging

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError

from core.errors import ResultsMissing, StorageFull
from flows.control import troubles as module
from flows.control.loop import go_round
from flows.control.troubles import GIVEN_UP_AFTER_S, LONGEST_PAUSE_S, Troubles, failure_of, is_nobodys
from tests.flows.model import Clock

ERRORS = [
    RuntimeError("no"),
    KeyError("x"),
    AssertionError(),
    ZeroDivisionError(),
    UnicodeDecodeError("utf-8", b"", 0, 1, ""),
]


def refusal(status: int) -> PrefectHTTPStatusError:
    request = httpx.Request("POST", "http://prefect/api")
    return PrefectHTTPStatusError("refused", request=request, response=httpx.Response(status, request=request))


PASSING = [refusal(503), refusal(500), refusal(429), StorageFull("full"), OSError(errno.EMFILE, "too many")]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Job:
    """A job whose step fails with an error until it is cured."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.tries = 0
        self.given_up: list[Exception] = []

    async def step(self) -> None:
        self.tries += 1
        if self.error:
            raise self.error

    async def give_up(self, error: Exception) -> None:
        self.given_up.append(error)


def attempt(troubles: Troubles, job: Job) -> None:
    asyncio.run(troubles.attempt(job.step, "a step", "job", give_up=job.give_up))


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_a_step_that_goes_on_failing_is_given_up(clock: Clock, error: Exception) -> None:
    troubles, job = Troubles(), Job(error)
    for _ in range(int(2 * GIVEN_UP_AFTER_S)):
        attempt(troubles, job)
        clock.passed_s += 1
    assert job.given_up[0] is error
    assert 5 <= job.tries < GIVEN_UP_AFTER_S  # each pause is longer than the one before


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_no_job_is_to_blame_for_fails_none(clock: Clock, error: Exception) -> None:
    troubles, job = Troubles(), Job(error)
    for _ in range(100):
        attempt(troubles, job)
        clock.passed_s += LONGEST_PAUSE_S
    assert is_nobodys(error)
    assert job.given_up == []
    assert job.tries == 100


def test_a_step_that_succeeds_begins_anew(clock: Clock) -> None:
    troubles, job = Troubles(), Job(RuntimeError("no"))
    for error in [RuntimeError("no"), None] * 50:
        job.error = error
        attempt(troubles, job)
        clock.passed_s += LONGEST_PAUSE_S
    assert job.given_up == []


def test_a_step_is_not_tried_again_at_once(clock: Clock) -> None:
    troubles, job = Troubles(), Job(RuntimeError("no"))
    for _ in range(10):
        attempt(troubles, job)
    assert job.tries == 1
    assert not troubles.is_due("a step", "job")
    assert troubles.is_due("a step", "another job")
    assert troubles.is_due("another step", "job")
    assert troubles.count("a step") == 1


def test_an_unreachable_prefect_ends_the_round(clock: Clock) -> None:
    job, next_one = Job(httpx.ReadTimeout("no answer")), Job(None)
    steps = {"first": job.step, "next": next_one.step}
    troubles = Troubles()
    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(go_round(steps, troubles))
    assert next_one.tries == 0
    asyncio.run(go_round(steps, troubles))  # the step that found out waits; the others need not
    assert (job.tries, next_one.tries) == (1, 1)


@pytest.mark.parametrize("error", [*ERRORS, *PASSING], ids=lambda each: type(each).__name__)
def test_a_step_of_the_loop_that_fails_keeps_none_of_the_others(clock: Clock, error: Exception) -> None:
    jobs = [Job(None), Job(error), Job(None)]
    steps = {str(number): job.step for number, job in enumerate(jobs)}
    troubles = Troubles()
    for _ in range(3):
        asyncio.run(go_round(steps, troubles))
    assert [job.tries for job in jobs] == [3, 1, 3]


def test_the_first_failure_is_logged_with_its_trace_and_the_later_ones_without(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    troubles, job = Troubles(), Job(RuntimeError("no"))
    with caplog.at_level(logging.INFO, logger="assay.control"):
        for _ in range(3):
            attempt(troubles, job)
            clock.passed_s += LONGEST_PAUSE_S
    assert [record.exc_info is not None and bool(record.exc_info) for record in caplog.records] == [True, False, False]


def test_a_job_fails_with_the_reason() -> None:
    assert failure_of(ResultsMissing("summaries are damaged")).code == "results_missing"
    failure = failure_of(KeyError("x"))
    assert (failure.blame, failure.code) == ("service", "internal_error")
    assert "KeyError" in failure.message


def test_troubles_of_those_who_are_gone_are_forgotten(clock: Clock) -> None:
    troubles = Troubles()
    attempt(troubles, Job(RuntimeError("no")))
    clock.passed_s += 3600
    asyncio.run(troubles.attempt(Job(RuntimeError("no")).step, "another step", "another"))
    assert troubles.count("a step") == 0
