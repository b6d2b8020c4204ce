from pathlib import Path

from bench.reliability import TITLE, table, verdict, write_section


def test_a_section_takes_the_place_of_the_one_before_it_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "RELIABILITY.md"
    write_section(file, "One", "first")
    write_section(file, "Two", "second\n")
    before = file.read_text()
    assert before == f"{TITLE}\n## One\n\nfirst\n\n## Two\n\nsecond\n"
    write_section(file, "One", "first")
    assert file.read_text() == before
    write_section(file, "One", "new\n\nlines")
    assert file.read_text() == f"{TITLE}\n## One\n\nnew\n\nlines\n\n## Two\n\nsecond\n"


def test_failures_are_written_down_too() -> None:
    assert verdict(["one", "two"]) == "- FAILED: one\n- FAILED: two"
    assert verdict([]) == "Nothing failed."
    assert table(("a", "b"), [(1, "x")]) == "| a | b |\n| --- | --- |\n| 1 | x |"
