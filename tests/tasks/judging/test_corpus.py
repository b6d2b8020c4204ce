"""Replies as judges write them: none is taken for what it does not say, and hardly one is lost."""

from core.endpoint import Reasoning
from tasks.endpoint.thinking import split_thinking
from tasks.judging.prose import Unread
from tasks.judging.verdict import read_verdict
from tests.tasks.judging.corpus import ROWS, Row
from tests.tasks.judging.fresh import STRICT


def reading(row: Row) -> float | str | None:
    """Return the label, else the number, that is read from a reply, thinking left aside; None for a reason."""
    (verdict,) = read_verdict(row.scale, split_thinking(row.reply, Reasoning()).answer).values()
    return None if isinstance(verdict, Unread) else verdict.label or verdict.value


def shown(rows: list[Row]) -> str:
    """List rows with what was read from them."""
    return "".join(f"\n  {row.scale.kind} {row.reply!r}: {reading(row)!r} instead of {row.worth!r}" for row in rows)


def test_the_corpus_has_at_least_1000_replies() -> None:
    assert len(ROWS) >= 1000


def test_no_reply_is_taken_for_what_it_does_not_say() -> None:
    wrong = [row for row in ROWS if reading(row) not in (None, row.worth)]
    assert not wrong, shown(wrong)


def test_at_most_one_reply_in_a_hundred_is_lost() -> None:
    stated = [row for row in ROWS if row.worth not in (None, STRICT)]
    lost = [row for row in stated if reading(row) is None]
    assert len(lost) <= len(stated) / 100, shown(lost)
