"""Queries of a person, in a process that is ended at its bounds."""

import os
import signal
from collections.abc import Generator
from io import BytesIO
from pathlib import Path
from threading import BoundedSemaphore

import pyarrow.parquet as pq
import pytest

from core.errors import Conflict, InvalidInput
from store.results import answering, asking
from store.results.asking import ask, parts, why_ended
from tests.tasks.sandbox.conftest import started_by


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home") / "results"


def test_an_answer_is_cut_at_so_many_rows(results):
    assert ask(results, "SELECT range AS n, 'x' AS t FROM range(5)", rows=3) == (
        ["n", "t"],
        [[0, "x"], [1, "x"], [2, "x"]],
        True,
    )
    assert ask(results, "SELECT 1 AS n, DATE '2026-01-02' AS day, [1, NULL] AS l", rows=1) == (
        ["n", "day", "l"],
        [[1, "2026-01-02", [1, None]]],
        False,
    )


@pytest.mark.thorough
def test_an_answer_is_a_file_too_in_which_no_text_is_a_formula(results):
    sql = "SELECT range AS n, '=1' AS t FROM range(7000)"
    lines = b"".join(parts(results, sql, "csv", rows=6000)).decode().splitlines()
    assert (len(lines), lines[0], lines[-1]) == (6001, "n,t", "5999,'=1")
    table = pq.read_table(BytesIO(b"".join(parts(results, sql, "parquet", rows=6000))))
    assert (table.num_rows, table["t"][0].as_py()) == (6000, "=1")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("selec", "syntax error"),
        ("SELECT 1; SELECT 2", "one query at a time"),
        ("SELECT * FROM read_text('/etc/passwd')", "disabled"),
        ("COPY (SELECT 1) TO '/tmp/copied.csv'", "disabled"),
        ("SET memory_limit = '8GB'", "locked"),
        ("SELECT unnest(range(1000000000)) AS n ORDER BY hash(n)", "[Mm]emory"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(results, sql, why):
    with pytest.raises(InvalidInput, match=why):
        ask(results, sql, rows=1)


def test_a_query_that_takes_too_long_is_ended(results, monkeypatch):
    monkeypatch.setattr(asking, "SECONDS", 0.5)
    with pytest.raises(InvalidInput, match=r"more than 0\.5 s"):
        ask(results, "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b", rows=1)


def test_queries_that_find_no_place_to_wait_are_refused_at_once(results, monkeypatch):
    monkeypatch.setattr(asking, "_places", BoundedSemaphore(1))
    with asking._places, pytest.raises(Conflict, match="being answered"):
        ask(results, "SELECT 1", rows=1)


@pytest.mark.thorough
def test_an_answer_that_nobody_reads_on_holds_up_no_other(results, monkeypatch):
    monkeypatch.setattr(asking, "_turns", BoundedSemaphore(1))
    monkeypatch.setattr(asking, "SECONDS", 5)
    unread = parts(results, "SELECT repeat('x', 1000) FROM range(1000000)", "csv")
    next(unread)
    monkeypatch.setattr(asking, "SECONDS", 60)
    assert ask(results, "SELECT 1", rows=1).rows == [[1]]
    with pytest.raises(InvalidInput, match="the query took more than"):
        list(unread)


@pytest.mark.thorough
def test_an_answer_that_is_shown_has_no_more_than_a_page_bears(results):
    page = ask(results, "SELECT repeat('x', 10000) AS t FROM range(500)", rows=500)
    assert [len(text) for (text,) in page.rows] == [answering.LONGEST_CELL + 1] * 30
    assert page.is_cut
    wide = f"SELECT {', '.join(f'range AS c{n}' for n in range(300))} FROM range(500)"
    assert len(ask(results, wide, rows=500).rows) == 5


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_map_is_read_whatever_names_its_parts(results, form):
    answer = b"".join(parts(results, "SELECT map([DATE '2026-01-02'], [[1]]) AS m", form)).decode()
    assert "2026-01-02" in answer


@pytest.mark.thorough
def test_what_a_form_of_file_does_not_have_is_said(results):
    with pytest.raises(InvalidInput, match=r"no form in parquet.*interval"):
        list(parts(results, "SELECT INTERVAL '5 years' AS i", "parquet"))


@pytest.mark.parametrize(
    ("code", "said", "why"),
    [
        (answering.NO_MEMORY, "", "more memory than it may have"),
        (-signal.SIGABRT, "terminate called after throwing an instance of 'std::bad_alloc'", "more memory"),
        (127, "cannot allocate memory for thread-local data: ABORT\n", "more memory"),
        (-signal.SIGKILL, "", "killed from outside"),
        (-signal.SIGSEGV, "", "ended with SIGSEGV, which nobody foresaw"),
        (1, "Traceback (most recent call last):\nOSError: no such device", "code 1, .*: OSError: no such device"),
        (-99, "", "code -99"),
    ],
)
def test_an_end_that_is_no_answer_is_told_for_what_it_was(code, said, why):
    with pytest.raises(InvalidInput, match=why):
        raise InvalidInput(why_ended(code, said, is_late=False))


def test_a_process_that_is_killed_from_outside_is_told_as_such(results):
    unread = parts(results, "SELECT repeat('x', 1000) FROM range(1000000)", "csv")
    (pid,) = started_by(lambda: next(unread))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(InvalidInput, match="killed from outside"):
        list(unread)


def test_the_process_has_no_variable_of_the_service_and_may_write_no_file(results, monkeypatch):
    monkeypatch.setenv("ASSAY_SECRET_KEY", "sk-secret")
    unread = parts(results, "SELECT repeat('x', 1000) FROM range(1000000)", "csv")
    (pid,) = started_by(lambda: next(unread))
    assert "sk-secret" not in Path(f"/proc/{pid}/environ").read_text()
    limits = Path(f"/proc/{pid}/limits").read_text()
    for name, bound in (("file size", 0), ("core file size", 0), ("cpu time", 60), ("data size", 700_000_000)):
        assert f"Max {name}".ljust(25) + f" {bound} " in limits
    assert isinstance(unread, Generator)
    unread.close()
