"""No job's trouble stalls another job, or an answer; `make isolation-test` measures how little."""

from collections.abc import Iterator

import httpx
import pytest

from bench.isolation import TROUBLES, Sizes, Trial
from tests.conftest import WAIT_S, Served
from tests.scripted import ScriptedEndpoint

pytestmark = pytest.mark.thorough

SHORT = Sizes(huge=100_000, busy=8_000, rounds=1)


@pytest.fixture(scope="module")
def trial(served: Served) -> Iterator[Trial]:
    with ScriptedEndpoint() as endpoint, httpx.Client(base_url=served.url, timeout=WAIT_S) as http:
        yield Trial(http, served.home / "datasets", endpoint, SHORT)


@pytest.mark.parametrize("trouble", [each for each in TROUBLES if each != "alone"])
def test_a_small_job_is_told_to_have_ended_while_another_is_in_the_way(trial: Trial, trouble: str) -> None:
    observed = trial.observe(trouble)
    assert len(observed.jobs_s) == SHORT.rounds
    assert observed.answers_s
