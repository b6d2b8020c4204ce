"""The routes of NeMo's stored targets and configs, which its first version has."""

from typing import Final

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from api.http.fields import JsonDict, PathText
from api.http.state import CurrentState, State
from api.lists.pages import Asked, Page, to_page
from api.nemo import references, stored
from api.nemo.lists import AskedConfigs, AskedTargets
from api.nemo.present import jobs as present
from api.nemo.schema import entities as schema_entity
from api.nemo.schema import responses as wire
from api.nemo.schema.entities import ConfigCreate, EntityCreate, Patch, TargetCreate
from store.db.entities import Entity, EntityKind
from store.secrets import MASK, STORED, seal

FORMS: Final[dict[EntityKind, TypeAdapter[EntityCreate]]] = {
    "target": schema_entity.TARGET,
    "config": schema_entity.CONFIG,
}

router = APIRouter(prefix="/v1/evaluation", tags=["NeMo v1"])


@router.post("/targets")
def create_target(asked: TargetCreate, state: CurrentState) -> JsonDict:
    """Store a target."""
    return _create(state, "target", asked)


@router.get("/targets")
def list_targets(asked: AskedTargets, state: CurrentState) -> Page[JsonDict]:
    """List targets, the oldest first unless asked otherwise."""
    return _list(state, "target", asked)


@router.get("/targets/{namespace}/{name}")
def get_target(namespace: PathText, name: PathText, state: CurrentState) -> JsonDict:
    """Return a target."""
    return stored.to_wire(state.targets.get(namespace, name))


@router.patch("/targets/{namespace}/{name}")
def update_target(namespace: PathText, name: PathText, change: Patch, state: CurrentState) -> JsonDict:
    """Change a target, which keeps its name."""
    kept_names = {field: value for field, value in change.sent.items() if field not in {"name", "namespace"}}
    return _update(state, "target", (namespace, name), kept_names)


@router.delete("/targets/{namespace}/{name}")
def delete_target(namespace: PathText, name: PathText, state: CurrentState) -> wire.Deleted:
    """Delete a target; jobs keep what they have of it."""
    return present.to_deleted(state.targets.delete(namespace, name).id)


@router.post("/configs")
def create_config(asked: ConfigCreate, state: CurrentState) -> JsonDict:
    """Store a config."""
    return _create(state, "config", asked)


@router.get("/configs")
def list_configs(asked: AskedConfigs, state: CurrentState) -> Page[JsonDict]:
    """List configs, the oldest first unless asked otherwise."""
    return _list(state, "config", asked)


@router.get("/configs/{namespace}/{name}")
def get_config(namespace: PathText, name: PathText, state: CurrentState) -> JsonDict:
    """Return a config."""
    return stored.to_wire(state.configs.get(namespace, name))


@router.patch("/configs/{namespace}/{name}")
def update_config(namespace: PathText, name: PathText, change: Patch, state: CurrentState) -> JsonDict:
    """Change a config; a new name or namespace moves it."""
    return _update(state, "config", (namespace, name), change.sent)


@router.delete("/configs/{namespace}/{name}")
def delete_config(namespace: PathText, name: PathText, state: CurrentState) -> wire.Deleted:
    """Delete a config; jobs keep what they have of it."""
    return present.to_deleted(state.configs.delete(namespace, name).id)


def _create(state: State, kind: EntityKind, asked: EntityCreate) -> JsonDict:
    stored.keep_masked(asked.sealed, _masked(asked.keys), None)
    entity = stored.new_entity(kind, asked, asked.sealed)
    return stored.to_wire(references.entities(state, kind).add(entity, state.vault.encrypt(asked.keys)))


def _list(state: State, kind: EntityKind, asked: Asked) -> Page[JsonDict]:
    found, total = references.entities(state, kind).page(asked.listing)
    return to_page([stored.to_wire(entity) for entity in found], total, asked)


def _update(state: State, kind: EntityKind, place: tuple[str, str], change: JsonDict) -> JsonDict:
    sealed, keys = seal(change)
    masked = _masked(keys)
    new = {key_id: clear for key_id, clear in keys.items() if clear != MASK}

    def revise(entity: Entity) -> Entity:
        before = stored.as_sent(entity)
        kept = stored.keep_masked(sealed, masked, before)
        changed = {**before, **kept}
        stored.refuse_moved(changed, before)
        _check(FORMS[kind], changed)
        return stored.revised(entity, kept)

    return stored.to_wire(references.entities(state, kind).update(*place, revise, state.vault.encrypt(new)))


def _check(form: TypeAdapter[EntityCreate], body: JsonDict) -> None:
    try:
        form.validate_python(body)
    except ValidationError as error:
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(errors, body=body) from None


def _masked(keys: dict[str, str]) -> set[str]:
    """Return the references to the keys that were sent as the mask under which they are shown."""
    return {f"{STORED}{key_id}" for key_id, clear in keys.items() if clear == MASK}
