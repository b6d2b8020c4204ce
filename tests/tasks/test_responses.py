from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import ResultsMissing
from core.metric import StringCheck
from core.plan import Shard
from core.result import Call, CallKey, Output
from store.results.folder import JobFolder
from tasks.responses import responses_in, responses_of, without_copies
from tests.scripted import text
from tests.tasks.conftest import Lab
from tests.tasks.specs import model, rows, spec

CALLS = [Call(CallKey("qa", 0, "target", trial, "target", "", 0), "answered", "{}", f"[{trial}]") for trial in (0, 1)]
OUTPUTS = [Output("qa", 0, "target", trial, text=str(trial)) for trial in (0, 1)]


def test_a_metric_reads_an_answer_as_it_came_which_is_kept_with_its_call_alone(lab: Lab) -> None:
    lab.model.script = lambda _: text("Paris", finish_reason="length")
    ended = StringCheck(
        name="ended", left="{{ sample.response.choices[0].finish_reason }}", operator="equals", right="length"
    )
    job = lab.add(spec(model(lab.model.url), rows(2), ended))
    lab.carry_out(job)
    assert [score.value for score in lab.scores(job)] == [1.0, 1.0]
    (shard,) = lab.shards(job)
    folder = lab.workspace.folder(job.id)
    assert [output.response for output in folder.read_outputs(shard) or []] == [None, None]
    assert ["Paris" in (call.response or "") for call in folder.read_calls("generate", shard)] == [True, True]


def test_the_answer_behind_an_output_is_that_of_its_trial_unless_it_has_one_of_its_own() -> None:
    find = responses_in(CALLS)
    assert list(map(find, OUTPUTS)) == ["[0]", "[1]"]
    assert find(replace(OUTPUTS[0], response="its own")) == "its own"
    assert find(replace(OUTPUTS[0], target="another")) is None


def test_answers_whose_calls_are_gone_are_missed_and_not_taken_for_none(tmp_path: Path) -> None:
    folder, shard = JobFolder(tmp_path, "eval-1"), Shard(index=0, task="qa", start=0, stop=1)
    find = responses_of(folder, shard)
    assert find(replace(OUTPUTS[0], response="its own")) == "its own"
    with pytest.raises(ResultsMissing, match=r"generate-00000\.parquet is missing"):
        find(OUTPUTS[0])


def test_what_came_in_the_place_of_an_answer_is_none() -> None:
    assert responses_in([replace(CALLS[0], outcome="error")])(OUTPUTS[0]) is None


def test_outputs_of_earlier_releases_are_the_same_without_their_answers_unless_those_differ() -> None:
    former = [replace(output, response=call.response) for output, call in zip(OUTPUTS, CALLS, strict=True)]
    assert without_copies(former, CALLS) == OUTPUTS
    assert without_copies(OUTPUTS, CALLS) == OUTPUTS
    damaged = [replace(former[0], response="[7]"), OUTPUTS[1]]
    assert without_copies(damaged, CALLS) == damaged
