import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import DatasetUnreadable
from core.spec import FilesDataset
from tasks.datasets.found import Sources, Upload
from tasks.datasets.layouts.bfcl import answers_url, arrange, json_schema
from tasks.datasets.rows import read_rows
from tests.tasks.datasets.given import no_upload

AREA = {
    "name": "geometry.area",
    "description": "The area of a triangle.",
    "parameters": {
        "type": "dict",
        "properties": {
            "base": {"type": "integer", "description": "b"},
            "type": {"type": "any"},
            "sides": {"type": "tuple", "items": {"type": "float"}},
            "more": {"type": "dict", "properties": {"note": {"type": "string"}, "n": {}}},
        },
        "required": ["base"],
    },
}
ROW = {"id": "simple_0", "question": [[{"role": "user", "content": "Find the area."}]], "function": [AREA]}
ANSWER = {"id": "simple_0", "ground_truth": [{"geometry.area": {"base": [10]}}]}


def unread() -> Iterator[dict[str, Any]]:
    raise AssertionError("the answers are in the rows")
    yield


def test_functions_become_tools_in_the_words_of_json_schema() -> None:
    [row] = arrange([ROW | ANSWER], unread, "d.json")
    assert row["messages"] == [{"role": "user", "content": "Find the area."}]
    [tool] = row["tools"]
    assert tool["type"] == "function"
    assert tool["function"]["name"] == "geometry_area"
    assert tool["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "base": {"type": "integer", "description": "b"},
            "type": {"type": "string"},
            "sides": {"type": "array", "items": {"type": "number"}},
            "more": {"type": "object", "properties": {"note": {"type": "string"}, "n": {"type": "string"}}},
        },
        "required": ["base"],
    }
    assert row["function"] == [AREA]
    assert json_schema(tool["function"]["parameters"]) == tool["function"]["parameters"]


@pytest.mark.parametrize("place", ["row", "beside"])
def test_possible_answers_are_in_the_row_or_in_the_file_beside(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "org" / "bfcl"
    (folder / "possible_answer").mkdir(parents=True)
    other = {"id": "simple_1", "ground_truth": []}
    rows = [ROW | ANSWER] if place == "row" else [ROW]
    (folder / "f.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if place == "beside":
        (folder / "possible_answer" / "f.json").write_text(json.dumps(other) + "\n" + json.dumps(ANSWER) + "\n")
    dataset = FilesDataset(url="hf://datasets/org/bfcl/f.json", format="jsonl", layout="bfcl")
    [row] = read_rows(dataset, Sources(tmp_path, no_upload, str), limit=None)
    assert row["ground_truth"] == ANSWER["ground_truth"]
    assert row["id"] == "simple_0"


def test_an_answer_file_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "org" / "bfcl").mkdir(parents=True)
    (tmp_path / "org" / "bfcl" / "f.json").write_text(json.dumps(ROW))
    dataset = FilesDataset(url="hf://datasets/org/bfcl/f.json", format="jsonl", layout="bfcl")
    with pytest.raises(DatasetUnreadable, match="there is no org/bfcl/possible_answer") as caught:
        list(read_rows(dataset, Sources(tmp_path, no_upload, str), limit=None))
    assert answers_url(dataset.url) in caught.value.message


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"question": "Find the area."}, "row 1 .* needs lists 'question' and 'function'"),
        ({"function": None}, "row 1 .* needs lists"),
        ({"id": "simple_9"}, "row 1 of d.json .* no answer to its 'id', 'simple_9', in possible_answer/"),
        ({"function": [{"name": "f"}]}, "row 1 .* a function needs 'name' and 'parameters'"),
    ],
)
def test_a_row_of_another_shape_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetUnreadable, match=message) as caught:
        list(arrange([ROW | changed], lambda: [ANSWER], "d.json"))
    assert caught.value.blame == "user"


def test_a_parameter_may_have_one_of_several_types() -> None:
    assert json_schema({"type": ["integer", "null"]}) == {"type": ["integer", "null"]}
    assert json_schema({"type": ["dict", "tuple"]}) == {"type": ["object", "array"]}


def test_a_folder_has_the_questions_of_the_category_that_the_split_names(tmp_path: Path) -> None:
    folder = tmp_path / "org" / "bfcl"
    (folder / "possible_answer").mkdir(parents=True)
    for category in ("simple", "live_simple", "java"):
        row = ROW | {"id": f"{category}_0"}
        (folder / f"BFCL_v3_{category}.json").write_text(json.dumps(row) + "\n")
        answer = ANSWER | {"id": f"{category}_0"}
        (folder / "possible_answer" / f"BFCL_v3_{category}.json").write_text(json.dumps(answer))

    def ids(split: str | None) -> list[str]:
        dataset = FilesDataset(url="hf://datasets/org/bfcl", format="jsonl", layout="bfcl", split=split)
        rows = list(read_rows(dataset, Sources(tmp_path, no_upload, str), limit=None))
        assert all(row["ground_truth"] == ANSWER["ground_truth"] for row in rows)
        return [row["id"] for row in rows]

    (folder / "multi_turn_func_doc").mkdir()
    (folder / "multi_turn_func_doc" / "files.json").write_text('{"name": "cd"}')
    assert ids("simple") == ["simple_0"]
    assert ids("live_simple") == ["live_simple_0"]
    assert ids(None) == ["java_0", "live_simple_0", "simple_0"]
    with pytest.raises(DatasetUnreadable, match="no data file of the split 'rest'"):
        ids("rest")


@pytest.mark.parametrize("nested", [True, False])
def test_rows_of_the_format_openai_are_read(nested: bool) -> None:
    messages = [{"role": "user", "content": "Find the area."}]
    tool = {"type": "function", "function": {"name": "area", "parameters": {}}}
    given: dict[str, Any] = {
        "messages": [messages] if nested else messages,
        "tools": [tool],
        "tool_calls_ground_truth": [{"area": {}}],
    }
    [row] = arrange([given], unread, "d.json")
    assert (row["messages"], row["tools"], row["ground_truth"]) == (messages, [tool], [{"area": {}}])
    with pytest.raises(DatasetUnreadable, match=r"row 1 .* needs lists 'messages', 'tools' and 'tool_calls_ground"):
        list(arrange([given | {"tools": None}], unread, "d.json"))


def test_an_upload_needs_its_answers_in_its_rows(tmp_path: Path) -> None:
    (tmp_path / "f").write_text(json.dumps(ROW))
    sources = Sources(None, lambda _: Upload(tmp_path / "f", "f.jsonl"), str)
    with pytest.raises(DatasetUnreadable, match="file:1 is an upload, beside which there is no possible_answer"):
        list(read_rows(FilesDataset(url="file:1", layout="bfcl"), sources, limit=None))


def test_a_question_to_which_no_function_fits_has_no_call_as_its_answer() -> None:
    for name in ("irrelevance_0", "live_irrelevance_0-0-0"):
        [row] = arrange([ROW | {"id": name}], unread, "d.json")
        assert row["ground_truth"] == []
