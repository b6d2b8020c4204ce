"""The names of stored targets and configs in requests for jobs, replaced by what they name."""

from collections.abc import Mapping
from typing import Any

from api.http.state import State
from api.nemo import stored
from api.nemo.schema.fields import JsonDict
from core.errors import NotFound
from store.db.entities import Entities, Entity, EntityKind


def expand(state: State, asked: Mapping[str, Any]) -> JsonDict:
    """Return a copy of a request of the first version with its target and config in full, keys in clear.

    Sealed anew, it has references of its own to the keys, which outlive the stored entity's.
    Raises NotFound for a name that nothing has.
    """
    return {**asked, "target": _whole(state, "target", asked), "config": _whole(state, "config", asked)}


def inline(state: State, spec: Mapping[str, Any]) -> JsonDict:
    """Return a copy of a `spec` of the second version with what is stored in the place of names, keys in clear.

    Raises NotFound for a name that nothing has.
    """
    kinds: tuple[EntityKind, ...] = ("target", "config")
    named = {kind: find(state, kind, spec[kind]) for kind in kinds if isinstance(spec.get(kind), str)}
    return {**spec, **{kind: state.vault.unseal(stored.named(entity)) for kind, entity in named.items()}}


def find(state: State, kind: EntityKind, name: str) -> Entity:
    """Return the entity with the name `namespace/name`, or `name` in the default namespace. Raises NotFound."""
    namespace, _, own = name.rpartition("/")
    try:
        return entities(state, kind).get(namespace or "default", own)
    except NotFound:
        raise NotFound(f"{kind.capitalize()} {name!r} not found") from None


def entities(state: State, kind: EntityKind) -> Entities:
    """Return the stored entities of a kind."""
    return state.targets if kind == "target" else state.configs


def _whole(state: State, kind: EntityKind, asked: Mapping[str, Any]) -> JsonDict:
    given = asked[kind]
    if isinstance(given, str):
        return state.vault.unseal(stored.whole(kind, find(state, kind, given)))
    return stored.whole_inline(kind, given)
