"""Targets and configs as they are stored: from NeMo's requests, and back."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from api.http.fields import JsonDict
from api.nemo.present.jobs import to_time, without_nulls
from api.nemo.schema.entities import EntityCreate
from core.errors import SpecInvalid
from core.job import base58_id, utcnow
from store.db.entities import Entity, EntityKind, NewEntity
from store.secrets import MASK, is_reference, is_url_field, mask

DESCRIBING: Final = ("name", "namespace", "type", "project", "description", "custom_fields", "ownership")
SERVERS: Final = ("id", "created_at", "updated_at", "schema_version", "type_prefix")
"""The fields that the service fills in, whatever a client sends."""

VERSION: Final = {"schema_version": "1.0"}
MAIN: Final = {"version_id": "main", "version_tags": []}


def new_entity(kind: EntityKind, asked: EntityCreate, sealed: JsonDict) -> NewEntity:
    """Return the entity that a sealed request describes; without a name it is called by its id."""
    entity_id = base58_id(f"eval-{kind}-")
    return NewEntity(
        id=entity_id,
        namespace=asked.namespace or "default",
        name=asked.name or entity_id,
        body=filled(_parts(sealed), utcnow()),
        **_described(sealed),
    )


def revised(entity: Entity, change: JsonDict) -> Entity:
    """Return the entity with the fields of a sealed request in the place of its own; null takes one away."""
    changed = _described({**as_sent(entity), **change})
    body = filled({**entity.body, **_parts(change)}, utcnow())
    names = {field: change[field] for field in ("name", "namespace") if change.get(field)}
    return replace(entity, body=body, **names, **changed)


def to_wire(entity: Entity) -> JsonDict:
    """Return an entity as it is shown, without nulls, its keys masked."""
    return mask(_with_times(without_nulls(_description(entity)) | entity.body, entity))


def whole(kind: EntityKind, entity: Entity) -> JsonDict:
    """Return an entity as it stands in a job, still sealed."""
    return _with_times({**VERSION, "type_prefix": f"eval-{kind}", **_description(entity), **entity.body}, entity)


def whole_inline(kind: EntityKind, given: Mapping[str, Any]) -> JsonDict:
    """Return a target or config that was given in a job's request, as it stands in the job."""
    entity_id, now = base58_id(f"eval-{kind}-"), utcnow()
    times = {"created_at": to_time(now), "updated_at": to_time(now)}
    names = {"name": given.get("name") or entity_id, "namespace": given.get("namespace") or "default"}
    own: JsonDict = {"id": entity_id, "type_prefix": f"eval-{kind}", **times, **names}
    return {**VERSION, "custom_fields": {}, **filled(dict(given), now), **own}


def filled(parts: JsonDict, now: datetime) -> JsonDict:
    """Return the parts of an entity without nulls, its inline model and datasets with ids, times and versions."""
    body = without_nulls(parts)
    match body.get("model"):
        case dict(model):
            body["model"] = _filled_part("model", model, now)
            match model.get("api_endpoint"):
                case dict(endpoint):
                    body["model"]["api_endpoint"] = {"format": "nim", **endpoint}
    match body.get("tasks"):
        case dict(tasks):
            body["tasks"] = {name: _with_dataset(task, now) for name, task in tasks.items()}
    whole_body: JsonDict = _with_dataset(body, now)
    return whole_body


def keep_masked(sealed: Any, masked: Collection[str], old: Any, field: str = "") -> Any:
    """Return a sealed body with the old references in the place of those in `masked`.

    Those are keys that were sent as the mask under which they are shown.
    Raises SpecInvalid where there is no old one.
    """
    match sealed:
        case dict():
            before = old if isinstance(old, dict) else {}
            return {
                key: keep_masked(value, masked, before.get(key), f"{field}.{key}".lstrip("."))
                for key, value in sealed.items()
            }
        case list():
            parts = dict(enumerate(old)) if isinstance(old, list) else {}
            return [
                keep_masked(value, masked, parts.get(index), f"{field}.{index}") for index, value in enumerate(sealed)
            ]
        case str() if sealed in masked:
            if not isinstance(old, str):
                raise SpecInvalid(f"{MASK} stands for a key that is kept, and there is none; send the key", field=field)
            return old
    return sealed


def refuse_moved(new: Any, old: Any, field: str = "") -> None:
    """Raise SpecInvalid where a key that is kept would go to another host than the one that it was given for."""
    match new, old:
        case dict(), dict():
            kept = [value for name, value in new.items() if is_reference(value) and value == old.get(name)]
            if kept and _origins(new) != _origins(old):
                remedy = "send the key with the new URL"
                raise SpecInvalid(f"a key that is kept goes to no other host; {remedy}", field=field or None)
            for name, value in new.items():
                refuse_moved(value, old.get(name), f"{field}.{name}".lstrip("."))
        case list(), list():
            for index, (value, before) in enumerate(zip(new, old, strict=False)):
                refuse_moved(value, before, f"{field}.{index}")


def _origins(part: JsonDict) -> dict[str, tuple[str, str]]:
    """Return where the URLs of a part of a body lead, by field."""
    texts = {name: value for name, value in part.items() if isinstance(value, str) and is_url_field(name)}
    return {name: _origin(value) for name, value in texts.items()}


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:  # it leads nowhere, and so not to where another does
        return "", url
    return parts.scheme.lower(), parts.netloc.lower()


def as_sent(entity: Entity) -> JsonDict:
    """Return an entity as a request would describe it, still sealed."""
    return {**_description(entity), **entity.body}


def named(entity: Entity) -> JsonDict:
    """Return what an entity is, under its name, still sealed."""
    return {"name": entity.name, "namespace": entity.namespace, "type": entity.type, **entity.body}


def _description(entity: Entity) -> JsonDict:
    return {name: getattr(entity, name) for name in DESCRIBING}


def _described(sealed: JsonDict) -> JsonDict:
    model = sealed.get("model")
    endpoint = model.get("api_endpoint") if isinstance(model, dict) else None
    return {
        "type": sealed["type"],
        "model": endpoint["model_id"] if endpoint else model if isinstance(model, str) else None,
        "project": sealed.get("project"),
        "description": sealed.get("description"),
        "custom_fields": sealed.get("custom_fields") or {},
        "ownership": sealed.get("ownership"),
    }


def _parts(sealed: JsonDict) -> JsonDict:
    return {name: part for name, part in sealed.items() if name not in {*DESCRIBING, *SERVERS}}


def _with_times(shown: JsonDict, entity: Entity) -> JsonDict:
    return {
        "created_at": to_time(entity.created_at),
        "updated_at": to_time(entity.updated_at),
        **shown,
        "id": entity.id,
    }


def _with_dataset(holder: Any, now: datetime) -> Any:
    match holder:
        case {"dataset": dict(dataset)}:
            return {**holder, "dataset": _filled_part("dataset", dataset, now)}
    return holder


def _filled_part(prefix: str, given: JsonDict, now: datetime) -> JsonDict:
    part_id = given.get("id") or base58_id(f"{prefix}-")
    times = {"created_at": to_time(now), "updated_at": to_time(now)}
    own: JsonDict = {
        "id": part_id,
        "type_prefix": prefix,
        "namespace": "default",
        **times,
        "custom_fields": {},
        "name": part_id,
    }
    return {**VERSION, **own, **MAIN, **given}
