from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from api.lists.grammar import Exact, Grammar, Keyed, Named, Span, Text, Time, Word, read_query
from api.lists.pages import Asked, PageQuery
from core.queries.lists import Contains, Listing, OneOf, Within

WORDS = Word("status", {"on": ("running", "paused"), "off": ("done",)}, {"active": "on"})
FILTERS: dict[str, Exact | Word] = {"name": Exact("name"), "project": Exact("project", commas=True), "status": WORDS}
GRAMMAR = Grammar(
    filters={
        **FILTERS,
        "at": Time("created_at", ("eq", "gt")),
        "fields": Keyed("custom_fields"),
        "target": Named("target", FILTERS),
    },
    searches={"name": Text("known_as"), "tasks": Text("tasks", deep=True), "status": WORDS, "at": Span("created_at")},
    sort="-created_at",
    lenient=False,
)
MIDNIGHT = datetime.fromisoformat("2025-03-18")

keys = st.one_of(
    st.text(max_size=12),
    st.builds(
        lambda kind, path: kind + "".join(f"[{part}]" for part in path),
        st.sampled_from(["filter", "search"]),
        st.lists(
            st.sampled_from(
                ["name", "status", "target", "config", "created_at", "custom_fields", "gte", "end", "tasks"]
            )
            | st.text(max_size=4),
            max_size=4,
        ),
    ),
)
values = st.text(max_size=12) | st.sampled_from(
    ["a/b", "completed", "2025-03-18", "9999-12-31", "0001-01-01", "%", "a,b", ""]
)


def read(*items: tuple[str, str], **query: Any) -> Asked:
    return read_query(GRAMMAR, PageQuery(**query), items)


def test_a_query_is_read_into_terms_and_repeated() -> None:
    asked = read(
        ("filter[target][name]", "t"),
        ("filter[project]", "a,b"),
        ("filter[status]", "on"),
        ("filter[fields][k]", "v"),
        ("filter[at][gt]", "2025-03-18"),
        ("search[name]", "x, y,"),
        ("search[name]", "z"),
        ("search[tasks][qa][type]", "chat"),
        ("search[status]", "O"),
    )
    assert asked.listing == Listing(
        (
            OneOf(("target", "name"), ("t",)),
            OneOf(("project",), ("a,b",)),
            OneOf(("status",), ("running", "paused")),
            OneOf(("custom_fields", "k"), ("v",)),
            Within(("created_at",), MIDNIGHT + timedelta(microseconds=1)),
            Contains(("known_as",), ("x", "y", "z")),
            Contains(("tasks", "qa", "type"), ("chat",)),
            OneOf(("status",), ("running", "paused", "done")),
        )
    )
    assert asked.filter == {
        "target": {"name": "t"},
        "project": "a,b",
        "status": "on",
        "fields": {"k": "v"},
        "at": {"gt": "2025-03-18T00:00:00"},
    }
    assert asked.search == {"name": ["x", "y", "z"], "tasks": {"qa": {"type": ["chat"]}}, "status": ["O"]}


def test_without_a_query_the_list_has_its_own_order() -> None:
    assert read().listing == Listing(sort="-created_at")
    assert read(sort="updated_at", page=3).listing == Listing(sort="updated_at", page=3)


def test_each_parameter_that_is_wrong_is_named() -> None:
    with pytest.raises(RequestValidationError) as caught:
        read(("filter[status]", "active"), ("filter[name]", "fine"), ("search[project]", "x"))
    assert [(each["loc"], each["msg"]) for each in caught.value.errors()] == [
        (("query", "filter[status]"), "'active' is no status of this version; use on"),
        (("query", "search[project]"), "cannot search by 'project'; search by one of: name, tasks, status, at"),
    ]


@pytest.mark.thorough
@given(st.lists(st.tuples(keys, values), max_size=4), st.sampled_from(["v1/evaluation/jobs", "v2/evaluation/jobs"]))
@settings(max_examples=150, deadline=None)
def test_no_query_breaks_a_list(service, items: list[tuple[str, str]], path: str) -> None:
    response = service.http.get(path, params=[(key, value.encode("utf-8", "replace")) for key, value in items])
    assert response.status_code in {200, 422}
    assert response.json().keys() >= ({"data"} if response.status_code == 200 else {"detail"})
