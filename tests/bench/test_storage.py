from pathlib import Path

from bench.storage import inject


def test_no_call_is_lost_or_paid_again_where_writes_and_renames_fail(tmp_path: Path) -> None:
    found = inject(tmp_path, faults=12, seed=1)
    assert found.failures == []
    assert found.met.total() >= 12
    assert {"a file may not grow", "a rename is refused"} <= set(found.met)
    assert (found.lost, found.paid_again, found.completed) == (0, 0, found.jobs)
