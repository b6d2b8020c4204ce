"""Jobs whose shards are held in many small parts come to what they come to as a whole."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.queries.samples import Selection
from core.result import Call, Output, Score, Summary
from core.spec import EvaluationSpec
from store.results import columns, parquet
from store.results.samples import Samples
from tasks import paid
from tasks.fsck.results import fsck
from tests.scripted import Answer, Received, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, preferring, recorded, rows, spec

Results = tuple[list[Summary], list[Output], list[Score], list[Call], list[dict[str, Any]]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def cut() -> None:
        for module in (columns, parquet, paid):
            monkeypatch.setattr(module, "GROUP_BYTES", 2_000)

    return cut


@pytest.fixture(autouse=True)
def graded(lab: Lab) -> Iterator[None]:
    def answer(call: Received) -> Answer:
        said = last_content(call["body"])
        return text('{"score": 3, "feedback": "good"}' if said.startswith("grade") else said[-3:])

    before, lab.model.script = lab.model.script, answer
    yield
    lab.model.script = before


def results(lab: Lab, asked: EvaluationSpec) -> tuple[int, Results]:
    job = lab.add(asked)
    summaries = lab.carry_out(job)
    folder, shards = lab.workspace.folder(job.id), lab.shards(job)
    assert fsck(folder).difference is None
    parts = sum(len(list(folder.parts(shard))) for shard in shards)
    outputs = [each for shard in shards for each in folder.read_outputs(shard) or []]
    scores = [each for shard in shards for each in folder.read_scores(shard) or []]
    calls = [call for shard in shards for stage in ("generate", "judge") for call in folder.read_calls(stage, shard)]
    with Samples.open(folder) as samples:
        sent = [row for block in samples.blocks(Selection(), size=7) for row in block.to_pylist()]
    return parts, (
        summaries,
        outputs,
        sorted(scores, key=lambda score: (score.sample, score.target, score.trial, score.metric)),
        sorted((timeless(call) for call in calls), key=lambda call: call.key),
        sent,
    )


def timeless(call: Call) -> Call:
    return Call(call.key, call.outcome, call.request, call.response, call.status, usage=call.usage)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["judged trials", "a preference", "what is recorded"])
def test_a_job_that_is_held_in_many_parts_comes_to_the_same(lab: Lab, small: Callable[[], None], kind: str) -> None:
    url = lab.model.url
    asked = {
        "judged trials": spec(model(url), rows(30), CORRECT, judge(url), trials=2),
        "a preference": spec([model(url), model(url, "other")], rows(30), preferring(url)),
        "what is recorded": spec(recorded("question", "answer"), rows(30), CORRECT),
    }[kind]
    few, whole = results(lab, asked)
    small()
    many, parts = results(lab, asked)
    assert few < many
    assert parts == whole
