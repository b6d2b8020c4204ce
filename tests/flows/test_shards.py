"""Shards as a task run carries them out, without Prefect's server."""

from pathlib import Path

import pytest
from prefect.client.schemas import State

from core.job import STAGES
from core.settings import Settings
from core.spec import RowsDataset, TaskSpec
from flows.shards import UNANSWERED, both
from store.workspace import Workspace
from tasks.calls import ShardIncomplete
from tests.scripted import ScriptedEndpoint, failure, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, chat, model, spec


def test_another_attempt_tells_what_shards_came_to_in_the_ones_before(tmp_path: Path) -> None:
    with ScriptedEndpoint() as endpoint:
        lab = Lab(Workspace.open(Settings(home=tmp_path), migrating=True), endpoint)
        statuses = {"gone": 404, "busy": 503}
        endpoint.script = lambda call: (
            failure(statuses[said]) if (said := last_content(call["body"])) in statuses else text("x")
        )
        tasks = tuple(
            TaskSpec(
                name=name,
                dataset=RowsDataset(rows=[{"answer": "x"}]),
                prompts={"target": chat(name)},
                metrics=(CORRECT,),
            )
            for name in statuses
        )
        wanted = spec(model(endpoint.url), [{"answer": "x"}], CORRECT).model_copy(update={"tasks": tasks})
        with lab.engaged(lab.add(wanted)) as engine:
            shards = engine.manifest.shards
            with pytest.raises(ShardIncomplete):
                both.fn(engine, shards, STAGES)
            del statuses["busy"]
            state: State[None] = both.fn(engine, shards, STAGES)
        assert state.name == UNANSWERED
        assert state.message == (
            "generate: 2 samples · calls: 1 answered, 1 error; judge: 2 samples · scores: 1 scored, 1 target_error"
        )
        assert len(endpoint.calls) == 3
