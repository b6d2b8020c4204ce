import os

import pytest

from bench.run import Measured, Window
from bench.workers import HEADING, Found, Load, cost_ms, goals, held, loads, report


def found(load: Load, *rates: float, cpu_s: dict[str, float] | None = None) -> Found:
    """Return a round for each of the rates."""
    calls = load.case.calls
    spent = cpu_s or {f"worker-{n + 1}": 1e-4 * calls for n in range(load.workers)} | {"prefect": 5e-5 * calls}
    return Found(
        load,
        [
            Measured(
                load.case,
                raw=Window(calls, calls / 4_000),
                raw_cpu_s=1e-4 * calls,
                served=Window(calls, calls / rate, 5e-5 * calls),
                seconds=1.0,
                cpu_s=spent,
                peak_mb=230,
            )
            for rate in rates
        ],
    )


def test_the_second_worker_is_held_against_the_first_at_the_same_jobs() -> None:
    at_once, one, two = loads(100)
    assert (one.workers, two.workers) == (1, 2)
    assert one.case == two.case
    assert one.case.calls == at_once.case.calls == 400
    assert one.case.at_once > one.case.concurrency
    figures = [goal.figure for goal in goals(found(at_once, 3_000), found(one, 2_000, 2_000), found(two, 3_400))]
    assert figures == pytest.approx([3_000, 1.7])


def test_a_load_that_failed_leaves_its_goals_unmeasured() -> None:
    at_once, one, two = loads(100)
    assert [goal.verdict for goal in goals(found(at_once, 6_000), found(one), found(two, 3_400))] == [
        "met",
        "not measured",
    ]
    assert "| - |" in report([found(at_once), found(one), found(two)], ["2 workers: gone"])


def test_what_all_processes_take_for_a_call_says_how_many_the_cores_hold() -> None:
    *_, two = loads(100)
    (row,) = found(two, 3_000).rounds
    assert cost_ms(row) == pytest.approx(0.1 + 0.1 + 0.05 + 0.05)  # two workers, Prefect, the endpoint
    assert held(row) == pytest.approx((os.cpu_count() or 1) / 0.0003)


def test_each_load_has_a_line_with_the_goals_above_it() -> None:
    text = report([found(load, 2_500) for load in loads(8_000)], [])
    assert "| calls/s of one worker that never waits | >= 5000 | 2,500 | **missed by 2,500 (50%)** |" in text
    assert "| 2 workers, 4 x N = 8,000, 50 ms, c = 128 | 2,500 | 4,000 | 0.62 |" in text
    assert "make bench-workers" in HEADING
