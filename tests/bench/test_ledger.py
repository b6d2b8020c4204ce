from pathlib import Path

from bench.ledger import Asked, Death, recorded_calls, repaid
from core.plan import Shard
from core.result import Call, CallKey
from store.results.folder import JobFolder
from store.results.journal import Journal

FIRST = Death(10.0, frozenset("abc"), frozenset("ab"))
BEFORE = [Asked(1.0, "a"), Asked(2.0, "b"), Asked(3.0, "c")]


def test_a_call_that_was_in_flight_at_a_death_may_be_paid_again_once() -> None:
    (found,) = repaid([FIRST], [*BEFORE, Asked(11.0, "c"), Asked(12.0, "d")])
    assert found == (1, [])
    (found,) = repaid([FIRST], [*BEFORE, Asked(11.0, "c"), Asked(12.0, "c")])
    assert found == (2, ["call c was paid again with no death between"])


def test_what_was_recorded_or_came_after_the_death_may_not_be_paid_again() -> None:
    (found,) = repaid([FIRST], [*BEFORE, Asked(11.0, "a"), Asked(12.0, "d"), Asked(13.0, "d")])
    assert found.calls == 2
    assert found.wrong == [
        "call a was paid again after it was recorded",
        "call d was paid again with no death between",
    ]


def test_each_death_has_what_was_paid_again_before_the_next() -> None:
    second = Death(20.0, frozenset("abcd"), frozenset("abc"))
    asked = [*BEFORE, Asked(11.0, "c"), Asked(19.0, "d"), Asked(21.0, "d")]
    assert repaid([FIRST, second], asked) == [(1, []), (1, [])]


def test_calls_are_recorded_in_journals_and_in_results(tmp_path: Path) -> None:
    folder, shard = JobFolder(tmp_path, "job-1"), Shard(index=0, task="qa", start=0, stop=1)
    assert recorded_calls([folder]) == frozenset()
    with Journal(folder.journals.path("generate", shard)) as journal:
        journal.append(Call(CallKey("qa", 0, "target", 0, "target", "", 0), "answered", "{}"))
    assert recorded_calls([folder]) == {"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}
