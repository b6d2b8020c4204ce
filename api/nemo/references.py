"""The names of stored targets and configs in requests for jobs, replaced by what they name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.http.fields import JsonDict
from api.http.state import State
from api.nemo import stored
from api.nemo.schema.jobs import JobInput
from core.errors import NotFound
from store.db.entities import Entities, Entity, EntityKind
from store.secrets import seal

KINDS: Final[tuple[EntityKind, ...]] = ("target", "config")


@dataclass(frozen=True)
class Whole:
    """A target and config in full, sealed, as they were read; and the keys of those that were named."""

    parts: JsonDict
    read: JobInput
    keys: dict[str, str]


def expand(state: State, asked: JobInput, given: Mapping[str, Any]) -> Whole:
    """Return the target and config of a sealed request of the first version, in full.

    Sealed anew, it has references of its own to the keys of what is stored, which outlive that.
    Raises NotFound for a name that nothing has.
    """
    whole = _named(state, asked, given, stored.whole)
    described = [kind for kind in KINDS if not isinstance(given[kind], str)]
    parts = whole.parts | {kind: stored.whole_inline(kind, given[kind]) for kind in described}
    return Whole(parts, whole.read, whole.keys)


def inline(state: State, asked: JobInput, given: Mapping[str, Any]) -> Whole:
    """Return a sealed `spec` of the second version with what is stored in the place of names.

    Raises NotFound for a name that nothing has.
    """
    return _named(state, asked, given, lambda _, entity: stored.named(entity))


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


def _named(
    state: State, asked: JobInput, given: Mapping[str, Any], shown: Callable[[EntityKind, Entity], JsonDict]
) -> Whole:
    """Put what is stored in the place of names; the rest of what was asked is not read again."""
    names = {kind: name for kind in KINDS if isinstance(name := getattr(asked, kind), str)}
    clear: JsonDict = {kind: state.vault.unseal(shown(kind, find(state, kind, name))) for kind, name in names.items()}
    sealed, keys = seal(clear)
    read = {kind: sealed.get(kind, getattr(asked, kind)) for kind in KINDS}
    return Whole({**given, **sealed}, JobInput.model_validate(read), keys)
