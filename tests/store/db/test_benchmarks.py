from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import NotFound
from store.db.benchmarks import Benchmarks

QUESTIONS: list[dict[str, Any]] = [{"question": "2 + 2?", "answer": "4"}, {"question": "\u0000{ü", "answer": "?"}]


@pytest.fixture
def benchmarks(engine: sa.Engine) -> Benchmarks:
    return Benchmarks(engine)


def test_what_is_added_is_what_is_found(benchmarks: Benchmarks) -> None:
    added = benchmarks.add(QUESTIONS, name="sums", description="d", documents=["doc_1"], filename="sums.json")
    assert benchmarks.get(added.id) == added
    assert benchmarks.questions(added.id) == QUESTIONS
    assert (added.num_questions, added.documents, added.id[:10]) == (2, ["doc_1"], "benchmark_")


def test_the_newest_is_listed_first(benchmarks: Benchmarks) -> None:
    added = [benchmarks.add(QUESTIONS, name=f"b{n}") for n in range(3)]
    assert benchmarks.all() == added[::-1]
    benchmarks.delete(added[1].id)
    assert [each.name for each in benchmarks.all()] == ["b2", "b0"]


def test_the_same_questions_have_the_same_digest_and_others_another(benchmarks: Benchmarks) -> None:
    turned = [dict(reversed(question.items())) for question in QUESTIONS]
    same, again = benchmarks.add(QUESTIONS, name="a"), benchmarks.add(turned, name="b")
    other = benchmarks.add(QUESTIONS[::-1], name="a")
    assert same.sha256 == again.sha256 != other.sha256
    assert same.id != again.id


def test_what_is_not_there_is_not_found(benchmarks: Benchmarks) -> None:
    gone = benchmarks.add(QUESTIONS, name="a").id
    benchmarks.delete(gone)
    for ask in (benchmarks.get, benchmarks.questions, benchmarks.delete):
        with pytest.raises(NotFound, match="Benchmark not found"):
            ask(gone)
    assert benchmarks.all() == []
