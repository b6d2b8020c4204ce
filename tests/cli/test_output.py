"""What is printed of rows, in every format, and that tables fit the narrowest terminal."""

import csv
import io
import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import Format, View, array_of, put
from cli.tables import job_view, plain_view, sample_view

Capture = pytest.CaptureFixture[str]

COLUMNS = ("name", "value", "parts")
ROWS: list[tuple[object, ...]] = [("a|b\tc\n", 0.1 + 0.2, {"x": [1]}), ("=1+1", None, None), ("*é*", 2.0, {"x": []})]


def printed(capsys: Capture, view: View, format: Format | None = None) -> str:
    put(view, format)
    return capsys.readouterr().out


def test_a_pipe_gets_lines_with_tabs_between_whole_values(capsys: Capture) -> None:
    assert printed(capsys, plain_view(COLUMNS, ROWS)) == (
        'name\tvalue\tparts\na|b c\t0.30000000000000004\t{"x": [1]}\n=1+1\t\t\n*é*\t2.0\t{"x": []}\n'
    )


def test_files_are_read_back_as_the_values_were(capsysbinary: Any) -> None:
    view = plain_view(COLUMNS, ROWS)
    objects = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    put(view, "json")
    assert json.loads(capsysbinary.readouterr().out) == objects
    put(view, "jsonl")
    assert [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()] == objects
    put(view, "parquet")
    assert pq.read_table(io.BytesIO(capsysbinary.readouterr().out)).to_pylist() == objects
    put(view, "csv")
    rows = list(csv.reader(io.StringIO(capsysbinary.readouterr().out.decode(), newline="")))
    assert rows[2] == ["'=1+1", "", ""]  # no formula
    assert rows[1] == ["a|b\tc\n", "0.30000000000000004", '{"x": [1]}']


def test_columns_of_values_of_several_types_are_text_in_parquet(capsysbinary: Any) -> None:
    put(plain_view(("mixed", "time"), [(1, datetime(2026, 1, 2, tzinfo=UTC)), ("a", None)]), "parquet")
    table = pq.read_table(io.BytesIO(capsysbinary.readouterr().out))
    assert table.column("mixed").to_pylist() == ["1", "a"]
    assert table.column("time").to_pylist()[0] == datetime(2026, 1, 2, tzinfo=UTC)


def test_markdown_has_no_markup_of_values(capsys: Capture) -> None:
    assert printed(capsys, plain_view(COLUMNS, ROWS[::2]), "md") == (
        "| name | value | parts |\n|---|---|---|\n"
        '| a\\|b c | 0.30000000000000004 | {"x"\\: \\[1\\]} |\n| \\*é\\* | 2.0 | {"x"\\: \\[\\]} |\n'
    )


@given(st.lists(st.sampled_from(["{}", '{"a": 1}', "[]"])), st.lists(st.integers(0, 40)))
def test_lines_of_json_in_parts_of_any_size_become_an_array(lines: list[str], cuts: list[int]) -> None:
    whole = "".join(f"{line}\n" for line in lines).encode()
    ends = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    parts = [whole[start:end] for start, end in pairwise(ends)]
    assert json.loads(b"".join(array_of(parts))) == [json.loads(line) for line in lines]


def sample(number: int, scores: list[str]) -> dict[str, Any]:
    figures = [
        {"metric": name.partition("/")[0], "name": name.partition("/")[2], "value": 0.123456789, "outcome": "scored"}
        for name in scores
    ]
    output = {"output": "long " * 50, "outcome": "scored", "error": None}
    return {"task": "qa", "sample": number, "target": "a-target", "trial": 0, "scores": figures, **output}


SCORES = [f"metric-{number}/string-check" for number in range(6)]
JOB = {
    "id": "job-0123456789abcdefghijkl",
    "status": "cancelling",
    "name": "nightly-of-the-assistant-with-a-long-name",
    "project": "assistant",
    "model": "meta-llama/Llama-3.3-70B-Instruct",
    "created_at": "2026-11-26T20:00:00+00:00",
}


@pytest.mark.parametrize(
    ("view", "whole"),
    [
        (job_view([JOB]), ["job-01234567", "cancelling", "11-26 20:00", "assis"]),
        (job_view([JOB, JOB | {"id": "job-0123456789abcdefghijkm"}]), ["job-0123456789abcdefghijkl"]),
        (sample_view([sample(1, SCORES[:2])], SCORES[:2]), ["0.123456789"]),
        (sample_view([sample(n, SCORES) for n in range(2)], SCORES), ["metric-5/string-check 0.123456789"]),
        (plain_view([f"column_{n}" for n in range(30)], [["value"] * 30]), ["column_29"]),
    ],
    ids=["job", "jobs", "samples", "many-scores", "wide"],
)
def test_a_table_fits_eighty_columns(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, view: View, whole: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = printed(capsys, view, "table")
    assert max(map(len, table.splitlines())) <= 80
    assert {line[-1] for line in table.splitlines()} <= set("┓┃┩│┤┘")  # its right side is there too
    assert [each for each in whole if each not in table] == []
    assert "…" not in table or "long" in table  # nothing is cut off but outputs
