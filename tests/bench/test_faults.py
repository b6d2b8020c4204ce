from pathlib import Path

import pytest

from bench import faults
from bench.misbehaviour import FINAL, MAX_RETRIES, PASSING, PAUSING


@pytest.mark.thorough
def test_a_hundred_faults_lose_no_sample_and_change_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "TIMEOUT_S", 3.0)  # a busy machine answers within that
    found = faults.inject(tmp_path, faults=100, seed=1)
    assert (found.lost, found.mis_scored, found.injected.total()) == (0, 0, 100)
    assert set(found.injected) <= {*PASSING, *PAUSING, *FINAL}
    assert found.most_attempts == MAX_RETRIES + 1
    assert len(found.deviations) > 10
    assert min(found.deviations) > -0.01  # how late, and how long at most, the long form says on a quiet machine
