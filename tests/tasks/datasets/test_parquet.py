"""Parquet as other writers make it: columns that JSON has no values for, far times, texts without the annotation."""

import base64
import datetime
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import DatasetUnreadable
from store.files.times import iso_date, iso_timestamp
from tests.tasks.datasets.given import put, read, refusal

PNG = b"\x89PNG\r\n\x1a\n"


def table(root: Path, columns: dict[str, pa.Array], **how: Any) -> None:
    pq.write_table(pa.table(columns), put(root, "d.parquet", b""), **how)


def test_bytes_and_durations_are_left_out_unless_a_template_names_their_column(tmp_path: Path) -> None:
    columns = {
        "q": pa.array(["a"]),
        "image": pa.array([{"path": "1.png", "bytes": PNG}]),
        "parts": pa.array([[PNG, b"text"]]),
        "took": pa.array([datetime.timedelta(seconds=1.5)], pa.duration("us")),
        "forever": pa.array([2**62], pa.duration("s")),
    }
    table(tmp_path, columns)
    notes: list[str] = []
    assert read(tmp_path, "d.parquet", notes=notes) == [{"q": "a", "image": {"path": "1.png"}, "parts": ["text"]}]
    left_out = "1 value is bytes, the first in row 1: left out, unless a template names the column, which gets base64"
    assert notes[:2] == [f"d.parquet: column 'image': {left_out}", f"d.parquet: column 'parts': {left_out}"]
    assert "column 'took': 1 value is a duration, the first in row 1: left out" in notes[2]
    [row] = read(tmp_path, "d.parquet", needed=frozenset({"image", "took", "forever"}))
    assert row["image"] == {"path": "1.png", "bytes": base64.b64encode(PNG).decode()}
    assert (row["took"], row["forever"]) == (1.5, float(2**62))


def test_bytes_that_are_a_text_in_utf_8_are_one(tmp_path: Path) -> None:
    table(tmp_path, {"q": pa.array([b"How?", "é\n".encode(), b"", None]), "b": pa.array([b"\x00\x01"] * 4)})
    assert read(tmp_path, "d.parquet") == [{"q": "How?"}, {"q": "é\n"}, {"q": ""}, {"q": None}]


def test_numbers_that_json_cannot_say_are_null_with_a_note(tmp_path: Path) -> None:
    nan, inf = float("nan"), float("inf")
    table(tmp_path, {"s": pa.array([1.5, nan, -inf]), "t": pa.array([[{"u": inf}], [], None])})
    notes: list[str] = []
    rows = read(tmp_path, "d.parquet", notes=notes)
    assert rows == [{"s": 1.5, "t": [{"u": None}]}, {"s": None, "t": []}, {"s": None, "t": None}]
    assert "d.parquet: column 's': 2 values are NaN or infinite, the first in row 2: null stands for that" in notes


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([253402300800], pa.timestamp("s")), "+10000-01-01T00:00:00"),
        (pa.array([-62135596801], pa.timestamp("s", "UTC")), "0000-12-31T23:59:59+00:00"),
        (pa.array([-(2**40)], pa.timestamp("s")), "-32873-11-12T23:23:44"),  # as numpy.datetime64 has it
        (pa.array([2**45], pa.timestamp("s")), "+1116918-05-14T19:20:32"),
        (pa.array([1], pa.timestamp("ns")), "1970-01-01T00:00:00.000000001"),
        (pa.array([1_000], pa.timestamp("ns")), "1970-01-01T00:00:00.000001"),
        (pa.array([2932897], pa.date32()), "+10000-01-01"),
        (pa.array([-719529], pa.date32()), "-0001-12-31"),
        (pa.array([86_399_999_999_999], pa.time64("ns")), "23:59:59.999999999"),
        (pa.array([[253402300800]], pa.list_(pa.timestamp("s"))), ["+10000-01-01T00:00:00"]),
        (pa.array([{"t": 1}], pa.struct({"t": pa.timestamp("ns")})), {"t": "1970-01-01T00:00:00.000000001"}),
        (pa.array([uuid.UUID(int=1).bytes], pa.uuid()), str(uuid.UUID(int=1))),
    ],
)
def test_times_beyond_pythons_are_iso_text(tmp_path: Path, array: pa.Array, expected: Any) -> None:
    table(tmp_path, {"t": array})
    assert read(tmp_path, "d.parquet") == [{"t": expected}]


@given(st.datetimes())
@settings(deadline=None)
def test_iso_text_is_pythons_where_python_has_any(moment: datetime.datetime) -> None:
    since = moment - datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - as naive as the moment
    assert iso_date(since.days) == moment.date().isoformat()
    assert iso_timestamp(since // datetime.timedelta(microseconds=1), "us", in_utc=False) == moment.isoformat()


def test_far_times_of_old_writers_are_not_wrapped_around(tmp_path: Path) -> None:
    moment = datetime.datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - INT96 has no zone
    table(tmp_path, {"t": pa.array([moment], pa.timestamp("us"))}, use_deprecated_int96_timestamps=True)
    assert read(tmp_path, "d.parquet") == [{"t": "9999-12-31T23:59:59"}]


def test_a_text_that_is_no_utf_8_is_refused_with_its_row_and_column(tmp_path: Path) -> None:
    latin = pa.array([b"a", "é".encode("latin-1")])
    table(tmp_path, {"q": latin.view(pa.string())})
    assert refusal(tmp_path, "d.parquet").startswith("row 2 of d.parquet, column 'q': 'utf-8' codec can't encode")


def test_rows_that_pyarrow_passes_over_are_missed(tmp_path: Path) -> None:
    # pyarrow 26 writes lists with a first page of no values, which it reads as the end
    columns = {"xs": pa.array([["x"]])}
    table(tmp_path, columns, dictionary_pagesize_limit=20, data_page_size=1, write_batch_size=1)
    assert refusal(tmp_path, "d.parquet").startswith("row group 1 of d.parquet is damaged: ")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "q": st.none() | st.sampled_from(["a", "b" * 50]) | TEXTS,
            "xs": st.none() | st.lists(st.none() | st.sampled_from(["x", "y" * 40]) | TEXTS, max_size=4),
            "o": st.lists(st.fixed_dictionaries({"role": st.sampled_from("ab"), "content": TEXTS}), max_size=3),
            "n": st.none() | st.integers(-(2**63), 2**63 - 1),
        }
    ),
    min_size=1,
    max_size=40,
)
SCHEMA = pa.schema(
    {
        "q": pa.string(),
        "xs": pa.list_(pa.string()),
        "o": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        "n": pa.int64(),
    }
)


@given(
    ROWS,
    st.fixed_dictionaries(
        {
            "use_dictionary": st.booleans() | st.just(["q"]),
            "dictionary_pagesize_limit": st.sampled_from([20, 100, 1 << 20]),
            "data_page_size": st.sampled_from([60, 200, 1 << 20]),
            "write_batch_size": st.sampled_from([1, 7, 1_024]),
            "data_page_version": st.sampled_from(["1.0", "2.0"]),
            "compression": st.sampled_from(["none", "snappy", "zstd"]),
            "row_group_size": st.sampled_from([3, 1_000]),
        }
    ),
)
@settings(max_examples=60, deadline=None)
def test_rows_are_read_as_they_are_however_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], how: dict[str, Any]
) -> None:
    root = tmp_path_factory.mktemp("root")
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), put(root, "d.parquet", b""), **how)
    assert read(root, "d.parquet") == rows


@pytest.mark.parametrize("mask", [0x01, 0x10, 0xFF])
def test_a_damaged_footer_is_refused_and_takes_no_process_down(tmp_path: Path, mask: int) -> None:
    # pyarrow 26 ends the process where a histogram of levels has another size than the schema says
    table(tmp_path, {"xs": pa.array([["x"], []])}, store_schema=False, compression="none")
    path = tmp_path / "org" / "ds" / "d.parquet"
    whole = path.read_bytes()
    for place in range(len(whole) - 8 - int.from_bytes(whole[-8:-4], "little"), len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        with suppress(DatasetUnreadable):
            read(tmp_path, "d.parquet")
