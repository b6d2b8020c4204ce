"""What a run names, looked up once: from then on nothing that is changed or deleted concerns it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.http.state import State
from api.maniac.lists import find_container, find_evaluator
from api.maniac.models import Called, called
from api.maniac.schema.runs import RunCreate
from api.maniac.sources import Sides, find_dataset, sides_of
from store.db.datasets import Dataset
from store.db.entities import Entity


@dataclass(frozen=True)
class Grading:
    """An evaluator, and the name of the model that judges; None if it is code."""

    evaluator: Entity
    model: str | None


@dataclass(frozen=True)
class Plan:
    """What a run does: it asks models, by their slugs, for one side or none, and has evaluators grade the sample.

    A model without a container of its own is asked as `container` says.
    """

    container: Entity
    gradings: Sequence[Grading]
    sides: Sides
    dataset: Dataset | None
    models: Mapping[str, Called]


def plan_of(state: State, asked: RunCreate) -> Plan:
    """Return what is asked for. Raises SpecInvalid, and NotFound for what is not there."""
    container = find_container(state, asked.container)
    evaluators = {each.id: each for each in (find_evaluator(state, name) for name in asked.evaluators)}
    sides = sides_of(asked)
    return Plan(
        container=container,
        gradings=[_grading(state, each) for each in evaluators.values()],
        sides=sides,
        dataset=find_dataset(state, sides),
        models={slug: called(state, slug) for slug in sides.models},
    )


def _grading(state: State, evaluator: Entity) -> Grading:
    is_judge = evaluator.type == "judge"
    return Grading(evaluator, called(state, evaluator.body["model"]).model if is_judge else None)
