"""Objects around the rows."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.given import put, read, refusal

ROWS = [{"q": "a", "xs": [1, 2]}, {"q": "b", "xs": []}]


@pytest.mark.parametrize(
    "document",
    [
        {"data": ROWS},
        {"version": "1.1", "canary": "x", "examples": ROWS},
        {"rows": [{"row_idx": number, "row": row, "truncated_cells": []} for number, row in enumerate(ROWS)]},
        {"rows": [{"row": row} for row in ROWS]},
        {"rows": {"q": ["a", "b"], "xs": [[1, 2], []]}},
        {"schema": {"fields": [{"name": "q"}]}, "data": ROWS},
        {"q": ["a", "b"], "xs": [[1, 2], []]},
        {"q": {"0": "a", "1": "b"}, "xs": {"0": [1, 2], "1": []}},
        {"columns": ["q", "xs"], "index": [0, 1], "data": [["a", [1, 2]], ["b", []]]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_rows_within_an_object_are_read(tmp_path: Path, document: dict[str, Any], indent: int | None) -> None:
    put(tmp_path, "d.json", json.dumps(document, indent=indent))
    assert read(tmp_path, "d.json") == ROWS


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"train": ROWS, "test": ROWS}, "d.json is one object, with arrays of objects under 'train', 'test': save the"),
        ({"questions_of_2024": ROWS}, "under 'questions_of_2024': save the one that has the rows alone"),
        ({"result": {"data": ROWS}}, "under 'result.data': save"),
        ({"a": [{"b": 1}], "c": 1}, "if the object is itself a row, have it on one line and say the format jsonl"),
        ({"version": 1, "data": {"a": [1], "b": [2]}}, "under 'data': save the one that has the rows alone"),
        ({"id1": {"q": "a"}, "id2": {"q": "b"}}, "d.json is one object of objects ('id1', 'id2', …): save its members"),
        ({"data": [{"q": "a"}, None]}, "element 2 of 'data' in d.json is no object"),
        ({"data": []}, "has no rows"),
    ],
)
def test_what_may_be_the_rows_or_not_is_refused_with_what_to_do(
    tmp_path: Path, document: dict[str, Any], message: str
) -> None:
    put(tmp_path, "d.json", json.dumps(document))
    assert message in refusal(tmp_path, "d.json")


def test_cells_that_the_viewer_has_cut_are_told_of(tmp_path: Path) -> None:
    rows = [{"row_idx": 0, "row": {"q": "a…"}, "truncated_cells": ["q"]}]
    put(tmp_path, "d.json", json.dumps({"rows": rows}))
    notes: list[str] = []
    assert read(tmp_path, "d.json", notes=notes) == [{"q": "a…"}]
    assert notes == ["d.json: the viewer that it is of has cut cells of 'q': fetch the file of the data itself"]


@pytest.mark.parametrize(
    "row", [{"q": "a"}, {"q": "a", "n": 1, "o": {"p": 2}}, {}, {"messages": [{"role": "user"}], "tools": [{"x": 1}]}]
)
def test_an_object_that_holds_no_rows_is_one(tmp_path: Path, row: dict[str, Any]) -> None:
    put(tmp_path, "d.json", json.dumps(row))
    assert read(tmp_path, "d.json") == [row]


@pytest.mark.parametrize("row", [{"messages": [{"role": "user"}]}, {"data": [{"x": 1}]}, {"a": [1], "b": [2]}])
def test_a_single_line_of_json_lines_is_a_row_whatever_it_holds(tmp_path: Path, row: dict[str, Any]) -> None:
    put(tmp_path, "d.jsonl", json.dumps(row))
    put(tmp_path, "d.json", json.dumps(row))
    assert read(tmp_path, "d.jsonl") == [row]
    assert read(tmp_path, "d.json", format="jsonl") == [row]


ARTICLE = {
    "title": "t",
    "paragraphs": [
        {
            "context": "c",
            "qas": [
                {"id": "1", "question": "q1", "answers": [{"text": "x", "answer_start": 3}, {"text": "y"}]},
                {"id": "2", "question": "q2", "is_impossible": True, "answers": []},
            ],
        }
    ],
}


def test_rows_of_squad_are_its_questions_or_the_articles_that_a_template_names(tmp_path: Path) -> None:
    put(tmp_path, "d.json", json.dumps({"version": "v2.0", "data": [ARTICLE]}))
    notes: list[str] = []
    assert read(tmp_path, "d.json", needed=frozenset({"paragraphs"}), notes=notes) == [ARTICLE]
    assert notes == []
    assert read(tmp_path, "d.json", notes=notes) == read(tmp_path, "d.json", layout="squad")
    assert notes == [
        "d.json: its rows are the questions of SQuAD's articles; the articles are if a template names 'paragraphs'"
    ]
    first = {"title": "t", "context": "c", "id": "1", "question": "q1"}
    second = {"title": "t", "context": "c", "id": "2", "question": "q2", "is_impossible": True}
    expected = [
        first | {"answers": {"text": ["x", "y"], "answer_start": [3]}},
        second | {"answers": {"text": [], "answer_start": []}},
    ]
    assert read(tmp_path, "d.json", layout="squad") == expected
    whole = {"title": "t", "paragraphs": [{"context": "c", "qas": expected}]}
    put(tmp_path, "answers.json", json.dumps([whole]))
    assert read(tmp_path, "answers.json", layout="squad") == expected
    put(tmp_path, "flat.jsonl", "".join(json.dumps(row) + "\n" for row in expected))
    assert read(tmp_path, "flat.jsonl", layout="squad") == expected


@pytest.mark.parametrize(
    "broken", [{"paragraphs": 1}, {"paragraphs": [{"qas": [{}]}]}, {"paragraphs": [{"context": ""}]}]
)
def test_an_article_of_another_shape_is_named(tmp_path: Path, broken: dict[str, Any]) -> None:
    put(tmp_path, "d.jsonl", json.dumps(ARTICLE) + "\n" + json.dumps(broken))
    assert "row 2 of d.jsonl is no article of SQuAD" in refusal(tmp_path, "d.jsonl", layout="squad")
