from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from store.results.log import JobLog, LogPage, read_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    written = JobLog(tmp_path / "log.jsonl")
    for n in range(7):
        written.write(f"line {n}\nwith more", step="judge")
    written.close()
    return tmp_path / "log.jsonl"


def test_a_line_is_read_as_it_was_written(log: Path) -> None:
    first = read_log(log).lines[0]
    assert (first.level, first.step, first.message) == ("INFO", "judge", "line 0\nwith more")
    assert isinstance(first.time, datetime)
    assert first.time.tzinfo is None


@given(limit=st.integers(1, 9))
def test_the_pages_of_a_log_are_all_its_lines_in_order(tmp_path_factory: pytest.TempPathFactory, limit: int) -> None:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    written = JobLog(path)
    for n in range(7):
        written.write(f"line {n}")
    written.close()
    messages, start = [], 0
    while True:
        page = read_log(path, start=start, limit=limit)
        assert page.total == 7
        assert len(page.lines) <= limit
        messages += [line.message for line in page.lines]
        if page.next_start is None:
            break
        start = page.next_start
    assert messages == [f"line {n}" for n in range(7)]


def test_a_line_that_is_still_being_written_is_left_out(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b'{"time": "2025-')
    page = read_log(log)
    assert (len(page.lines), page.next_start, page.total) == (7, None, 7)
    assert read_log(log, limit=6).next_start is not None
    assert read_log(log, limit=7).next_start is None


def test_a_line_that_was_cut_short_spoils_no_other(log: Path) -> None:
    first, second, *others = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([first, second[:20] + others[0], *others[1:]]))
    page = read_log(log)
    assert [line.message.split()[1] for line in page.lines] == ["0", "3", "4", "5", "6"]
    assert (page.next_start, page.total) == (None, 6)


def test_lines_that_cannot_be_written_are_counted_and_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "job" / "log.jsonl"
    path.parent.write_text("in the way")
    log = JobLog(path)
    log.write("lost")
    log.write("lost too")
    path.parent.unlink()
    log.write("written")
    log.close()
    assert log.lost == 2
    assert [line.message for line in read_log(path).lines] == ["written"]
    assert len(caplog.records) == 1


def test_a_line_that_follows_one_cut_short_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"time": "2025-')
    log = JobLog(path)
    log.write("whole")
    log.close()
    assert [line.message for line in read_log(path).lines] == ["whole"]


@pytest.mark.parametrize("start", [-1, 1, 10**9, 10**30])
def test_a_start_at_which_no_line_begins_is_refused(log: Path, start: int) -> None:
    with pytest.raises(InvalidInput, match="cursor"):
        read_log(log, start=start)


def test_a_job_that_has_said_nothing_has_an_empty_log(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log.jsonl") == LogPage([], None, 0, 0)
    with pytest.raises(InvalidInput, match="cursor"):
        read_log(tmp_path / "log.jsonl", start=1)
