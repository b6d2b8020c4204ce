"""Benchmarks: questions with their expected answers, kept whole, and known by what they hold."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from core.errors import NotFound
from core.job import ulid, utcnow
from store.db.connect import reading, writing
from store.db.tables import benchmarks

Question = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What is known of a benchmark; `sha256` is that of its questions, whatever the order of their keys."""

    id: str
    name: str
    description: str | None
    documents: list[str]
    filename: str | None
    sha256: str
    num_questions: int
    created_at: datetime


_RECORD: Final = [column for column in benchmarks.c if column.name != "questions"]


class Benchmarks:
    """The benchmarks of a database; one that is stored never changes. Each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(
        self,
        questions: Sequence[Question],
        *,
        name: str,
        description: str | None = None,
        documents: Sequence[str] = (),
        filename: str | None = None,
    ) -> Benchmark:
        """Store the questions as a new benchmark."""
        added = Benchmark(
            id=ulid("benchmark_"),
            name=name,
            description=description,
            documents=list(documents),
            filename=filename,
            sha256=hashlib.sha256(orjson.dumps(questions, option=orjson.OPT_SORT_KEYS)).hexdigest(),
            num_questions=len(questions),
            created_at=utcnow(),
        )
        with writing(self._engine) as connection:
            connection.execute(sa.insert(benchmarks).values(**asdict(added), questions=questions))
        return added

    def get(self, benchmark_id: str) -> Benchmark:
        """Return what is known of a benchmark. Raises NotFound."""
        return Benchmark(**self._find(benchmark_id, *_RECORD)._mapping)

    def questions(self, benchmark_id: str) -> list[Question]:
        """Return the questions of a benchmark, in the order in which they came. Raises NotFound."""
        questions: list[Question] = self._find(benchmark_id, benchmarks.c.questions).questions
        return questions

    def all(self) -> list[Benchmark]:
        """Return all benchmarks, the newest first."""
        newest = sa.select(*_RECORD).order_by(benchmarks.c.created_at.desc(), benchmarks.c.id.desc())
        with reading(self._engine) as connection:
            return [Benchmark(**row._mapping) for row in connection.execute(newest)]

    def delete(self, benchmark_id: str) -> None:
        """Delete a benchmark; evaluations have their own copy of it. Raises NotFound."""
        with writing(self._engine) as connection:
            if not connection.execute(sa.delete(benchmarks).where(benchmarks.c.id == benchmark_id)).rowcount:
                raise _not_found()

    def _find(self, benchmark_id: str, *columns: sa.Column[Any]) -> sa.Row[Any]:
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(*columns).where(benchmarks.c.id == benchmark_id)).one_or_none()
        if row is None:
            raise _not_found()
        return row


def _not_found() -> NotFound:
    return NotFound("Benchmark not found")
