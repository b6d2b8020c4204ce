"""Files of samples that do nothing where they are opened."""

import csv
import json
from collections.abc import Iterator
from io import BytesIO, StringIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.results.exports import LEAST_GROUP_BYTES, csv_parts, jsonl_parts, parquet_parts
from store.results.sample_sql import ScoreName
from store.results.samples import ROWS

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
SCORE: ScoreName = ("=m", "n")


def block(output: str) -> pa.Table:
    row: dict[str, Any] = dict.fromkeys(ROWS.names) | {"item": "{}", "output": output, "scores": []}
    return pa.Table.from_pylist([row], schema=ROWS)


def scored(output: str) -> pa.Table:
    """Return a block of one row that has a score."""
    score = dict.fromkeys(ROWS.field("scores").type.value_field.type.names) | {"metric": "m", "name": "n"}
    row = dict.fromkeys(ROWS.names) | {"item": "{}", "output": output, "scores": [score]}
    return pa.Table.from_pylist([row], schema=ROWS)


def parquet(blocks: list[pa.Table]) -> pq.ParquetFile:
    return pq.ParquetFile(BytesIO(b"".join(parquet_parts(blocks))))


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


def test_small_blocks_share_a_row_group_of_which_a_writer_holds_all_to_the_end() -> None:
    file = parquet([block(str(number)) for number in range(500)])
    assert file.metadata.num_row_groups == 1
    assert file.read()["output"].to_pylist() == list(map(str, range(500)))


def test_a_row_group_of_large_blocks_ends_with_the_block_that_fills_it() -> None:
    size = LEAST_GROUP_BYTES // 4
    outputs = [str(number) * size for number in range(9)]
    file = parquet([block(output) for output in outputs])
    groups = range(file.metadata.num_row_groups)
    assert [file.metadata.row_group(group).num_rows for group in groups] == [4, 4, 1]
    assert file.read()["output"].to_pylist() == outputs


def test_a_file_without_rows_has_its_columns() -> None:
    file = parquet([])
    assert (file.metadata.num_rows, file.schema_arrow) == (0, ROWS)


def test_a_parquet_file_begins_before_its_first_row_group_is_full() -> None:
    read: list[int] = []

    def blocks() -> Iterator[pa.Table]:
        for number in range(3):
            read.append(number)
            yield block(str(number))

    assert (next(parquet_parts(blocks())), read) == (b"PAR1", [])


def test_texts_have_neither_a_dictionary_nor_a_least_and_a_greatest() -> None:
    group = parquet([scored("long")]).metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    plain = {column.path_in_schema for column in columns if not column.has_dictionary_page}
    texts = {"item", "output", "reasoning", "tool_calls", "scores.list.element.feedback"}
    booleans = {"truncated", "empty", "scores.list.element.passed"}  # for which Parquet has none
    assert plain == texts | booleans
    assert {column.path_in_schema for column in columns if not column.is_stats_set} == texts
