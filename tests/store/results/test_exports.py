"""Files of samples that do nothing where they are opened."""

import csv
import json
from io import StringIO
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.results.exports import csv_parts, jsonl_parts
from store.results.sample_sql import ScoreName
from store.results.samples import ROWS

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
SCORE: ScoreName = ("=m", "n")


def block(output: str) -> pa.Table:
    row: dict[str, Any] = dict.fromkeys(ROWS.names) | {"item": "{}", "output": output, "scores": []}
    return pa.Table.from_pylist([row], schema=ROWS)


def cell(output: str) -> str:
    """Return the cell of an output in a file of CSV."""
    text = b"".join(csv_parts([block(output)], [SCORE])).decode()
    (row,) = csv.DictReader(StringIO(text, newline=""))
    return row["output"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", ["", "\n", "\r\n", "\ufeff", " ", "\x00", "\u2028", "\n\ufeff "])
def test_no_cell_is_a_formula_whatever_stands_before_its_sign(before: str, sign: str) -> None:
    text = f"{before}{sign}cmd|' /C calc'!A0"
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("sign", ["\t", "\r", "\n", "\ufeff"])
def test_no_cell_begins_with_what_hides_its_sign(sign: str) -> None:
    assert cell(f"{sign}x") == f"'{sign}x"


@pytest.mark.parametrize("text", ["1-1", "a\n- b", "'=1", "e=mc", "x", "", "\U0001f600"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


def test_no_heading_is_a_formula() -> None:
    assert b",'=m/n,'=m/n outcome," in b"".join(csv_parts([], [SCORE]))


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@\n\r\t\ufeff ")))
def test_a_cell_is_its_text_or_that_behind_an_apostrophe(text: str) -> None:
    found = cell(text)
    assert found in (text, f"'{text}")
    assert not found.lstrip("\ufeff \t\r\n\x0b\x0c\u2028").startswith(tuple(SIGNS))


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x7f", "\x0b", "\x1e", "\r", "\n"])
def test_a_row_is_one_line_for_every_reader_of_lines(character: str) -> None:
    (part,) = jsonl_parts([block(f"a{character}b")])
    (line,) = part.decode().splitlines()
    assert json.loads(line)["output"] == f"a{character}b"
