from dataclasses import replace

import pytest

from core.errors import ResultsMissing
from core.result import Call, CallKey
from store.results.folder import JobFolder
from store.results.scan import read_details, read_figures, read_keys, read_responses, read_texts, read_values
from tests.store.results.conftest import CALLS, OUTPUTS, SCORES, SHARD

FIRST = SHARD.model_copy(update={"stop": 51})


def test_scores_are_read_without_what_was_said_of_them(folder: JobFolder) -> None:
    said = [replace(each, label="good", feedback="x" * 100, detail="{}") for each in SCORES]
    folder.finish_judge(SHARD, said, [])
    assert list(read_figures(folder, SHARD)) == [replace(each, detail="{}") for each in SCORES]
    assert list(read_figures(folder, FIRST)) == [replace(SCORES[0], detail="{}")]


def test_values_details_and_texts_are_those_of_all_trials_or_of_one(folder: JobFolder) -> None:
    folder.finish_generate(SHARD, [replace(each, trial=trial) for trial in (0, 1) for each in OUTPUTS[:1]], CALLS)
    folder.finish_judge(
        SHARD, [replace(SCORES[0], trial=trial, value=float(trial), detail=str(trial)) for trial in (0, 1)], []
    )
    assert list(read_texts(folder, SHARD)) == [(50, "target", "yes é")] * 2
    assert list(read_texts(folder, SHARD, 1)) == [(50, "target", "yes é")]
    values = [(50, "target", "exact", "exact", 0.0), (50, "target", "exact", "exact", 1.0)]
    assert list(read_values(folder, SHARD)) == values
    assert list(read_values(folder, SHARD, 1)) == values[1:]
    assert list(read_details(folder, SHARD)) == [(50, "target", "exact", "0"), (50, "target", "exact", "1")]
    assert list(read_details(folder, SHARD, 0)) == [(50, "target", "exact", "0")]


def test_responses_are_those_of_calls_that_had_one(folder: JobFolder) -> None:
    assert list(read_responses(folder, SHARD)) == []
    unanswered = Call(CallKey("qa", 51, "target", 0, "target", "", 0), "error", "{}")
    folder.finish_generate(SHARD, OUTPUTS, [replace(CALLS[0], response='{"model":"m"}'), unanswered])
    assert list(read_responses(folder, SHARD)) == [("target", '{"model":"m"}')]


def test_rows_have_their_task_and_number(folder: JobFolder) -> None:
    folder.write_samples(SHARD, ["{}", "{}"])
    assert list(read_keys(folder, SHARD)) == [("qa", 50), ("qa", 51)]


def test_a_shard_that_is_not_finished_is_named(folder: JobFolder) -> None:
    with pytest.raises(ResultsMissing, match=r"scores/00003\.parquet is missing"):
        list(read_figures(folder, SHARD))
    with pytest.raises(ResultsMissing, match=r"outputs/00003\.parquet is missing"):
        list(read_texts(folder, SHARD))
