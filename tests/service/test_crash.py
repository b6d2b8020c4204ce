"""Kill -9 of any process at any moment: the job ends complete, and nothing that was recorded is paid again."""

from functools import partial

import httpx
import pytest

from bench.trial import PARALLELISM, Trial
from bench.victims import Victim, child, kill_child
from tests.conftest import WAIT_S, Served, until
from tests.scripted import Answer, Received, ScriptedEndpoint, by_default, last_content, text

pytestmark = pytest.mark.thorough

SAMPLES = 400
TRIALS = 3
CHILDREN: tuple[Victim, ...] = ("worker", "api", "prefect")


@pytest.fixture(autouse=True)
def nothing_is_broken_afterwards(served):
    yield
    until("every process to be there again", lambda: all(child(served.process.pid, victim) for victim in CHILDREN))
    until("the service to be ready", lambda: httpx.get(f"{served.url}/health", timeout=WAIT_S).is_success)


def test_three_deaths_lose_nothing_and_have_nothing_paid_twice_that_was_recorded(served):
    with ScriptedEndpoint(latency_s=0.1) as endpoint:
        trial = Trial(
            served.url,
            served.home / "results",
            endpoint.url,
            lambda victim: kill_child(served.process.pid, victim),
            samples=SAMPLES,
        )
        trial.start_job()
        until("a hundred calls", lambda: len(endpoint.calls) > 100)
        trial.strike("worker", "promotion", 0)
        # The run goes on because the control loop has noticed: Prefect would, after 90 s, have it as crashed first.
        assert "CRASHED" not in states(served, *trial.job_ids)
        trial.strike("prefect", "any", 0.2)
        trial.strike("api", "any", 0.2)
        found = trial.finish()

    assert found.failures == []
    assert [report.status for report in found.reports] == ["completed"]
    assert found.recorded == 2 * SAMPLES
    of_worker, *others = found.kills
    assert of_worker.resumed_s is not None
    assert found.asked - found.recorded <= len(of_worker.death.in_flight) <= PARALLELISM
    assert sum(each.calls for each in found.repaid[1:]) == 0, others


def states(served: Served, job_id: str) -> list[str]:
    """Return the states that the flow run of a job was in."""
    tagged = {"flow_runs": {"tags": {"all_": [f"job:{job_id}"]}}}
    (run,) = served.ask_prefect("POST", "/flow_runs/filter", tagged).json()
    return [state["type"] for state in served.ask_prefect("GET", f"/flow_run_states/?flow_run_id={run['id']}").json()]


def has_answered(endpoint: ScriptedEndpoint, calls: int) -> bool:
    return len(endpoint.calls) > calls


def of_trial(call: Received) -> Answer:
    """Answer each trial in words of its own, so that the judge is asked about each otherwise."""
    seed = call["body"].get("seed")
    return by_default(call) if seed is None else text(f"{last_content(call['body'])} by {seed}")


def test_three_trials_of_each_sample_stay_apart_through_two_deaths(served):
    with ScriptedEndpoint(of_trial, latency_s=0.05) as endpoint:
        trial = Trial(
            served.url,
            served.home / "results",
            endpoint.url,
            lambda victim: kill_child(served.process.pid, victim),
            samples=SAMPLES // 4,
            trials=TRIALS,
        )
        trial.start_job()
        for calls in (60, 300):
            until(f"{calls} calls", partial(has_answered, endpoint, calls))
            trial.strike("worker", "any", 0)
        found = trial.finish()

    assert found.failures == []
    assert [(report.status, report.outputs, report.scores) for report in found.reports] == [
        ("completed", TRIALS * SAMPLES // 4, 2 * TRIALS * SAMPLES // 4)
    ]
    assert found.recorded == 2 * TRIALS * SAMPLES // 4
    assert len(found.kills) == 2
    for kill, again in zip(found.kills, found.repaid, strict=True):
        assert again.calls <= len(kill.death.in_flight) <= PARALLELISM
