"""Evaluators and containers as they are stored: from Maniac's requests, and back."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from api.http.fields import JsonDict
from api.maniac.lists import PROJECT, to_time
from api.maniac.schema import responses as wire
from api.maniac.schema.stored import ContainerCreate, ContainerPatch, EvaluatorCreate, EvaluatorPatch
from core.errors import SpecInvalid, Unsupported
from store.db.entities import Entity, NewEntity
from store.secrets import mask, seal

NEEDED: Final[Mapping[str, tuple[str, ...]]] = {"judge": ("model", "prompt"), "code": ("source",)}
FOREIGN: Final[Mapping[str, tuple[str, ...]]] = {
    "judge": ("source", "requirements"),
    "code": ("model", "prompt", "inference_parameters"),
}


def without_keys(body: Mapping[str, Any]) -> JsonDict:
    """Return a copy of a body that is kept or shown; a key in it is a mask from now on."""
    return mask(seal(body)[0])


def new_evaluator(asked: EvaluatorCreate, container: Entity | None) -> NewEntity:
    """Return the evaluator that is asked for; without a name it is called by its id.

    Raises SpecInvalid and Unsupported.
    """
    evaluator_id = str(uuid.uuid4())
    return NewEntity(
        id=evaluator_id,
        namespace="default",
        name=asked.name or evaluator_id,
        type=asked.type,
        body=_definition(asked),
        project=container.id if container else None,
        description=asked.description,
    )


def revised_evaluator(evaluator: Entity, change: EvaluatorPatch, container: Entity | None) -> Entity:
    """Return an evaluator with the fields that were sent in the place of its own; null takes one away.

    `container` is the one that was sent. Raises SpecInvalid and Unsupported.
    """
    own = {"name": evaluator.name, "description": evaluator.description}
    sent = {field: getattr(change, field) for field in change.model_fields_set}
    asked = EvaluatorCreate.model_validate({**evaluator.body, **own, **sent, "type": evaluator.type})
    return replace(
        evaluator,
        name=asked.name or evaluator.id,
        body=_definition(asked),
        project=(container.id if container else None) if "container" in sent else evaluator.project,
        description=asked.description,
    )


def digest(evaluator: Entity) -> str:
    """Return what tells this version of an evaluator from others: the sha256 of all that its grades depend on."""
    grading = {name: value for name, value in evaluator.body.items() if name != "metadata" and value is not None}
    return hashlib.sha256(orjson.dumps({"type": evaluator.type, **grading}, option=orjson.OPT_SORT_KEYS)).hexdigest()


def to_evaluator(evaluator: Entity, labels: Mapping[str, str]) -> wire.Evaluator:
    """Return an evaluator as it is shown; `labels` are those of containers, by id."""
    kind = wire.JudgeEvaluator if evaluator.type == "judge" else wire.CodeEvaluator
    fields = {name: value for name, value in evaluator.body.items() if name in kind.model_fields}
    return kind(
        **fields,
        id=evaluator.id,
        project_id=PROJECT,
        container_id=evaluator.project,
        container=labels.get(evaluator.project or ""),
        name=evaluator.name,
        description=evaluator.description,
        created_at=to_time(evaluator.created_at),
    )


def new_container(asked: ContainerCreate) -> NewEntity:
    """Return the container that is asked for."""
    return NewEntity(
        id=str(uuid.uuid4()),
        namespace="default",
        name=asked.label,
        type="container",
        body=asked.model_dump(exclude={"label"}),
    )


def revised_container(container: Entity, change: ContainerPatch) -> Entity:
    """Return a container with the fields that were sent in the place of its own; null takes one away.

    It keeps its model unless there is another.
    """
    sent = {field: getattr(change, field) for field in change.model_fields_set}
    model = sent.pop("default_model", None) or container.body["initial_model"]
    return replace(container, body={**container.body, **sent, "initial_model": model})


def to_container(container: Entity) -> wire.Container:
    """Return a container as it is shown."""
    return wire.Container(
        **container.body,
        id=container.id,
        project_id=PROJECT,
        created_at=to_time(container.created_at),
        label=container.name,
    )


def _definition(asked: EvaluatorCreate) -> JsonDict:
    """Return an evaluator's body, once it is whole for its type."""
    for field in NEEDED[asked.type]:
        if not getattr(asked, field):
            raise SpecInvalid(f"a {asked.type} evaluator needs a {field}", field=field)
    for field in FOREIGN[asked.type]:
        if getattr(asked, field):
            raise SpecInvalid(f"a {asked.type} evaluator has no {field}", field=field)
    if asked.requirements:
        raise Unsupported("requirements cannot be installed: the source must do with the language alone")
    body = asked.model_dump(exclude={"type", "name", "description", "container"})
    return {**body, "mode": asked.mode or "pointwise", "metadata": asked.metadata and without_keys(asked.metadata)}
