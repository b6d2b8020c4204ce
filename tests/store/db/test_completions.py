from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import NotFound
from core.queries.lists import Listing, OneOf
from store.db.completions import Completions, NewCompletion
from store.db.entities import Entities, NewEntity


@pytest.fixture
def log(engine: sa.Engine) -> Completions:
    for name in ("c", "other"):
        Entities(engine, "container").add(NewEntity(id=name, namespace="default", name=name, type="container", body={}))
    return Completions(engine)


def completion(n: int = 0, **fields: Any) -> NewCompletion:
    parts: dict[str, Any] = {"input": {"n": n}, "output": {"choices": [n]}, **fields}
    return NewCompletion(**parts)


def numbers(found) -> list[int]:
    return [each.input["n"] for each in found]


def test_what_is_added_is_what_is_found(log: Completions) -> None:
    asked = completion(1, model="m", tags=["t"], metadata={"k": 1})
    (added,) = log.add("c", [asked])
    assert log.get(added.id) == added
    assert (added.container, added.model, added.tags, added.metadata) == ("c", "m", ["t"], {"k": 1})
    with pytest.raises(NotFound, match="Completion not found"):
        log.get("none")


def test_a_batch_is_in_its_order_after_those_before(log: Completions) -> None:
    for start in (0, 1000):
        log.add("c", [completion(start + n) for n in range(1000)])
    log.add("other", [completion(-1)])
    assert numbers(log.logged("c")) == list(range(2000))
    assert numbers(
        log.page(Listing((OneOf(("container",), ("c",)),), sort="created_at", page_size=3, offset=2))[0]
    ) == [
        2,
        3,
        4,
    ]


@given(start=st.integers(0, 12), size=st.integers(0, 12), block=st.integers(1, 5))
# Nothing is written, so one log serves all examples.
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_part_of_a_log_is_that_part_whatever_the_size_of_blocks(
    ten: Completions, start: int, size: int, block: int
) -> None:
    assert numbers(ten.logged("c", start, start + size, block_rows=block)) == list(range(10))[start : start + size]
    assert numbers(ten.logged("c", start, block_rows=block)) == list(range(10))[start:]


@pytest.fixture
def ten(log: Completions) -> Completions:
    log.add("c", [completion(n) for n in range(10)])
    return log


def test_a_list_is_narrowed_by_model_and_parts_of_the_metadata(log: Completions) -> None:
    log.add("c", [completion(n, model=f"m{n % 2}", metadata={"n": n, "topic": "x"}) for n in range(4)])
    model = OneOf(("model",), ("m1",))
    assert numbers(log.page(Listing((model,)))[0]) == [3, 1]
    assert log.page(Listing((model, OneOf(("metadata", "n"), ("3",)))))[1] == 1
    assert log.page(Listing((OneOf(("metadata", "topic"), ("x",)),)))[1] == 4
    assert log.page(Listing((OneOf(("metadata", "topic"), ("y",)),))) == ([], 0)


def test_completions_go_with_their_container_and_come_to_no_other(log: Completions, engine: sa.Engine) -> None:
    (added,) = log.add("c", [completion()])
    Entities(engine, "container").delete("default", "c")
    with pytest.raises(NotFound, match="Completion not found"):
        log.get(added.id)
    with pytest.raises(NotFound, match="Container not found"):
        log.add("c", [completion()])
    assert list(log.logged("c")) == []
