from pathlib import Path

from bench.cases import SMALL
from bench.peers import PEERS, beside_peers
from bench.report import TITLE, figures, limits, marginals, noise, write
from tests.bench.measured import ALL, measured


def test_a_table_has_a_line_for_each_case_with_the_range_of_its_rounds() -> None:
    lines = figures([*ALL, measured(1, seconds=3.0)]).splitlines()
    assert len(lines) == 2 + len(ALL)
    assert lines[2].startswith("| N = 1, 50 ms, c = 128 | 2.00 (1.00 to 3.00) | 1.00 | 0.80 |")


def test_an_endpoint_that_limits_is_named_with_its_case_and_side() -> None:
    assert limits(ALL) == "The endpoint never took 80% of a core: it was no limit."
    case = "N = 2,000, 50 ms, c = 128"
    assert limits([measured(SMALL, endpoint_cpu_s=0.7)]) == f"The endpoint was the limit of the raw loop in: {case}."
    assert limits([measured(SMALL, endpoint_cpu_s=0.9)]).count(case) == 2


def test_what_a_sample_more_costs_is_said_by_process() -> None:
    assert marginals(ALL).splitlines()[2] == "| one call a sample | 0.40 | 0.00 | 0.40 |"
    assert marginals(ALL[:2]).splitlines()[3] == "| with a judge, two calls | - | - | - |"


def test_a_run_in_which_all_failed_can_be_reported() -> None:
    assert figures([]).count("\n") == 1
    assert noise([]) == ""
    assert "together" in marginals([])
    assert "| **this service** | - | - |" in beside_peers([])


def test_ours_stand_in_the_same_columns_as_those_of_the_others() -> None:
    header, _, ours, *others = beside_peers(ALL).splitlines()
    assert len(others) == len(PEERS)
    assert {line.count("|") for line in (header, ours, *others)} == {header.count("|")}
    assert "| 0.40 | 220 | 1.00 |" in ours


def test_sections_stand_below_the_title(tmp_path: Path) -> None:
    file = tmp_path / "BENCHMARKS.md"
    write(file, "One", "first")
    write(file, "Two", "second")
    assert file.read_text() == f"{TITLE}\n## One\n\nfirst\n\n## Two\n\nsecond\n"
