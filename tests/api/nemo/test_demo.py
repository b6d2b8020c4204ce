from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from api.http.state import State
from api.nemo.complete import complete
from api.nemo.demo import store_demo
from core.settings import Settings
from flows.form import Asked
from flows.register import register
from store.workspace import Workspace


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(Workspace.open(Settings(home=tmp_path), migrating=True)) as workspace:
        yield State.over(workspace, wake=lambda: None, ready=lambda: True)


def test_the_demo_pair_is_what_quick_run_asks_for_and_needs_no_model(state: State) -> None:
    store_demo(state)
    job = register(state, uuid4(), Asked())
    complete(state, job)
    spec = state.jobs.get(job.id).spec
    assert spec is not None
    assert (spec.targets[0].kind, spec.model) == ("recorded", None)
    assert [(task.name, task.metrics[0].name) for task in spec.tasks] == [("qa", "correct")]


def test_what_was_deleted_of_the_demo_pair_stays_away_and_what_is_there_stays(state: State) -> None:
    store_demo(state)
    state.targets.delete("demo", "model")
    store_demo(state)
    assert (state.targets.known(9), state.configs.known(9)) == ([], ["demo/qa"])
    (state.settings.home / "demo-stored").unlink()
    kept = state.configs.get("demo", "qa")
    store_demo(state)
    assert state.targets.known(9) == ["demo/model"]
    assert state.configs.get("demo", "qa") == kept


def test_a_name_that_is_not_stored_is_answered_with_those_that_are(state: State) -> None:
    store_demo(state)
    job = register(state, uuid4(), Asked(config="no/such"))
    complete(state, job)
    failure = state.jobs.get(job.id).failure
    assert failure is not None
    assert (failure.blame, failure.code) == ("user", "not_found")
    assert failure.message == (
        "Config 'no/such' not found; stored targets: demo/model; stored configs: demo/qa; "
        "POST /v1/evaluation/targets and /v1/evaluation/configs store more"
    )
