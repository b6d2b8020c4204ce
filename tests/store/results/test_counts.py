from dataclasses import replace

import pytest

from core.errors import ResultsMissing
from core.result import Call, CallKey, Outcome
from store.results.counts import CallEnd, ScoreOf, call_ends, count_passed, unscored_errors
from store.results.folder import JobFolder
from tests.store.results.conftest import CALLS, OUTPUTS, SCORES, SHARD


def test_each_way_in_which_calls_have_ended_is_told_once(folder: JobFolder) -> None:
    assert call_ends(folder) == []
    judged = Call(CallKey("qa", 50, "target", 0, "judge", "graded", 0), "error", "{}", status=401, error="HTTP 401")
    folder.finish_generate(SHARD, OUTPUTS, CALLS)
    folder.finish_judge(SHARD, SCORES, [judged, judged])
    assert set(call_ends(folder)) == {
        CallEnd("qa", "target", "", "answered", None),
        CallEnd("qa", "target", "graded", "error", "HTTP 401", 401),
    }
    (folder.path / "calls" / "judge-00003.parquet").write_bytes(b"PAR1")
    with pytest.raises(ResultsMissing, match=r"judge-00003\.parquet is damaged"):
        call_ends(folder)


def test_scores_that_passed_are_counted_over_all_shards(folder: JobFolder) -> None:
    assert count_passed(folder) == {}
    for start in (50, 52):
        shard = SHARD.model_copy(update={"index": start, "start": start, "stop": start + 2})
        passed = [replace(score, sample=start + n, passed=n == 0) for n, score in enumerate(SCORES)]
        unknown = [replace(score, name="other") for score in SCORES]
        folder.finish_judge(shard, passed + unknown, [])
    counts = count_passed(folder)
    assert counts[ScoreOf("qa", "target", "exact", "exact")] == 2
    assert counts[ScoreOf("qa", "target", "exact", "other")] == 0


def test_what_has_no_score_says_why_for_each_outcome(folder: JobFolder) -> None:
    assert unscored_errors(folder) == {}
    ends: list[tuple[Outcome, str | None]] = [("judge_error", "b"), ("judge_error", "a"), ("refused", None)]
    for index, (outcome, error) in enumerate(ends):
        shard = SHARD.model_copy(update={"index": index, "start": index, "stop": index + 1})
        lost = replace(SCORES[0], sample=index, outcome=outcome, value=None, error=error)
        folder.finish_judge(shard, [lost, replace(lost, name="other", outcome="scored", value=1.0)], [])
    errors = unscored_errors(folder)
    assert {key.name for key in errors} == {SCORES[0].name}
    assert list(errors.values()) == [{"judge_error": "b", "refused": None}]
