import shutil
import tempfile

import pytest

from bench import memory
from bench.memory import Case, cases, heading, measure


def test_cases_that_are_left_out_are_named_by_the_section_and_its_command() -> None:
    assert heading(1, 1, 1) == "Memory: `make bench-memory`"
    assert heading(1, 0, 0) == "Memory: `make bench-memory WIDE=0 MANY=0`"
    assert heading(0, 0, 1) == "Memory: `make bench-memory LARGE=0 WIDE=0`"


def test_the_sizes_are_those_of_the_goals_and_their_disk_is_bounded() -> None:
    goals = cases(memory.LARGE, memory.WIDE, memory.MANY)
    assert [(case.n, case.judged) for case in goals] == [
        (2_000, False),
        (500, True),
        (1_000, False),
        (1_000_000, False),
    ]
    assert max(case.disk_bytes for case in goals) < 9e9


def test_a_case_is_refused_for_which_the_disk_may_be_too_small(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    case = Case("too many", shutil.disk_usage(tmp_path).total // 1_000_000, answer_bytes=1_000_000)
    measured, [failure] = measure([case])
    assert measured == []
    assert failure.startswith("too many: RuntimeError: it may need")
    assert list(tmp_path.iterdir()) == []
