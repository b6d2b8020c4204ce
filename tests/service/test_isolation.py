"""No job's trouble stalls another job, or an answer; `make isolation-test` measures how little."""

from collections.abc import Iterator

import httpx
import pytest

from bench.isolation import TROUBLES, Observed, Sizes, Trial
from tests.conftest import Served
from tests.scripted import ScriptedEndpoint

SHORT = Sizes(huge=100_000, busy=8_000, rounds=1)
TIMES_ALONE = 6.0
"""How much longer a small job may take; measured on two idle cores it is at most 2.6 times."""

ANSWERED_WITHIN_S = 0.3
"""For 99 of 100 answers, unless even alone a machine that does other things as well takes a sixth of that."""


@pytest.fixture(scope="module")
def trial(served: Served) -> Iterator[Trial]:
    with ScriptedEndpoint() as endpoint, httpx.Client(base_url=served.url, timeout=30) as http:
        yield Trial(http, served.home / "datasets", endpoint, SHORT)


@pytest.fixture
def alone(trial: Trial) -> Observed:
    """The same in the same seconds with nothing beside it: machines have other things to do, now and then."""
    return trial.observe("alone")


@pytest.mark.parametrize("trouble", [each for each in TROUBLES if each != "alone"])
def test_a_small_job_and_its_status_are_not_stalled(trial: Trial, alone: Observed, trouble: str) -> None:
    observed = trial.observe(trouble)
    assert observed.job_s < TIMES_ALONE * alone.job_s
    assert observed.p99_s < max(ANSWERED_WITHIN_S, TIMES_ALONE * alone.p99_s)
