from pathlib import Path

import pytest

from tests.bench.measured import ALL


def test_growth_is_drawn_even_if_the_cases_with_a_judge_failed(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `bench` is not installed")
    from bench.plot import draw_growth

    for name, rows in (("all", ALL), ("some", [row for row in ALL if not row.case.judge]), ("none", [])):
        file = tmp_path / "docs" / f"{name}.png"
        draw_growth(rows, file)
        assert file.read_bytes().startswith(b"\x89PNG")
