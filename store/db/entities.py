"""What users store by name: targets, configs and the like, and the results of evaluations by id."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from core.errors import Conflict, NotFound
from core.job import utcnow
from core.queries.lists import Field, Listing
from store.db.connect import insert_into, reading, writing
from store.db.lists import Kept, columns_of, page_of
from store.db.tables import configs, containers, evaluators, results, targets
from store.secrets import references
from store.vault import forget, keep

EntityKind = Literal["target", "config", "evaluator", "container"]
JsonDict = dict[str, Any]

COMMON: Final = ("id", "namespace", "name", "type", "project", "description", "created_at", "updated_at")
PARTS: Final[Mapping[EntityKind, tuple[str, ...]]] = {
    "target": ("cached_outputs", "dataset", "rag", "retriever", "rows"),
    "config": ("groups", "params", "tasks"),
    "evaluator": (),
    "container": (),
}
TABLES: Final[Mapping[EntityKind, sa.Table]] = {
    "target": targets,
    "config": configs,
    "evaluator": evaluators,
    "container": containers,
}


@dataclass(frozen=True, slots=True)
class NewEntity:
    """A target, config, evaluator or container as its user describes it; `body` has references in place of keys.

    `model` is that of a target, by which it is found.
    """

    id: str
    namespace: str
    name: str
    type: str
    body: JsonDict
    model: str | None = None
    project: str | None = None
    description: str | None = None
    custom_fields: JsonDict = field(default_factory=dict)
    ownership: JsonDict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity(NewEntity):
    """What is stored by name."""

    created_at: datetime
    updated_at: datetime


class Entities:
    """The stored targets of a database, or what else is stored by name. Each method is one transaction."""

    def __init__(self, engine: sa.Engine, kind: EntityKind) -> None:
        self._engine = engine
        self._kind = kind
        self._table = TABLES[kind]
        self._places = _entity_places(self._table, kind)

    def add(self, entity: NewEntity, secrets: Mapping[str, bytes] = {}) -> Entity:
        """Store an entity together with its keys' ciphertexts, by id.

        Raises Conflict if there is one of that name in its namespace.
        """
        now = utcnow()
        added = Entity(**asdict(entity), created_at=now, updated_at=now)
        with writing(self._engine) as connection:
            insert = insert_into(connection, self._table).values(self._columns(added))
            insert = insert.on_conflict_do_nothing(index_elements=["namespace", "name"])
            if connection.scalar(insert.returning(self._table.c.id)) is None:
                raise self._taken(added)
            keep(connection, self._kind, added.id, secrets)
        return added

    def get(self, namespace: str, name: str) -> Entity:
        """Return an entity. Raises NotFound."""
        with reading(self._engine) as connection:
            return self._find(connection, self._named(namespace, name))

    def find(self, reference: str) -> Entity:
        """Return the entity with this id, or of this name in the default namespace. Raises NotFound."""
        table = self._table
        named = (table.c.namespace == "default") & (table.c.name == reference)
        wanted = sa.select(table).where((table.c.id == reference) | named)
        with reading(self._engine) as connection:
            return self._find(connection, wanted.order_by(table.c.id != reference).limit(1))

    def known(self, limit: int) -> list[str]:
        """Return the names of the newest entities, each behind its namespace."""
        newest = self._table.c.created_at.desc()
        wanted = sa.select(self._table.c.namespace, self._table.c.name).order_by(newest, self._table.c.id).limit(limit)
        with reading(self._engine) as connection:
            return [f"{namespace}/{name}" for namespace, name in connection.execute(wanted).all()]

    def names(self, ids: Collection[str]) -> dict[str, str]:
        """Return the names of those of the entities that there are, by id."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(self._table.c.id, self._table.c.name).where(self._table.c.id.in_(ids)))
            return {row.id: row.name for row in rows}

    def update(
        self, namespace: str, name: str, revise: Callable[[Entity], Entity], secrets: Mapping[str, bytes] = {}
    ) -> Entity:
        """Put what `revise` makes of an entity in its place, and return it.

        `secrets` are the ciphertexts of new keys; those that the body no longer refers to are deleted.
        Raises NotFound, and Conflict if its new name is taken.
        """
        with writing(self._engine) as connection:
            found = self._find(connection, self._named(namespace, name).with_for_update())
            revised = replace(revise(found), updated_at=utcnow())
            try:
                change = sa.update(self._table).where(self._table.c.id == found.id)
                connection.execute(change.values(self._columns(revised)))
            except sa.exc.IntegrityError as error:
                raise self._taken(revised) from error
            keep(connection, self._kind, found.id, secrets)
            forget(connection, self._kind, found.id, but=references(asdict(revised)))
        return revised

    def delete(self, namespace: str, name: str) -> Entity:
        """Delete an entity and its keys, and return what it was. Raises NotFound."""
        with writing(self._engine) as connection:
            found = self._find(connection, self._named(namespace, name).with_for_update())
            forget(connection, self._kind, found.id)
            connection.execute(sa.delete(self._table).where(self._table.c.id == found.id))
        return found

    def page(self, listing: Listing) -> tuple[list[Entity], int]:
        """Return the page that is asked for, and how many entities are on all its pages."""
        with reading(self._engine) as connection:
            rows, total = page_of(connection, self._table, self._places, listing)
        return [Entity(**row._mapping) for row in rows], total

    def _named(self, namespace: str, name: str) -> sa.Select[Any]:
        return sa.select(self._table).where(self._table.c.namespace == namespace, self._table.c.name == name)

    def _find(self, connection: sa.Connection, wanted: sa.Select[Any]) -> Entity:
        row = connection.execute(wanted).one_or_none()
        if row is None:
            raise NotFound(f"{self._kind.capitalize()} not found")
        return Entity(**row._mapping)

    def _columns(self, entity: Entity) -> dict[str, Any]:
        return {column.name: getattr(entity, column.name) for column in self._table.columns}

    def _taken(self, entity: Entity) -> Conflict:
        article = "An" if self._kind[0] in "aeiou" else "A"
        return Conflict(
            f"{article} {self._kind} named {entity.namespace}/{entity.name} exists already; choose another name"
        )


@dataclass(frozen=True, slots=True)
class NewResult:
    """A result as it is sent, or that of a job, whose `tasks` are None: its scores tell them."""

    id: str
    job: str
    namespace: str = "default"
    project: str | None = None
    description: str | None = None
    tasks: JsonDict | None = None
    groups: JsonDict | None = None
    files_url: str | None = None
    custom_fields: JsonDict = field(default_factory=dict)
    ownership: JsonDict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult(NewResult):
    """A stored result."""

    created_at: datetime
    updated_at: datetime


class Results:
    """The results of a database, by their ids. Each method is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        names = [column.name for column in results.columns if column.name != "job"]
        self._places = columns_of(results, "job", *names) | {("job_id",): Kept((results.c.job,))}

    def add(self, result: NewResult) -> StoredResult:
        """Store a result; where there is one of that id already, return that."""
        now = utcnow()
        added = StoredResult(**asdict(result), created_at=now, updated_at=now)
        with writing(self._engine) as connection:
            insert = insert_into(connection, results).values(asdict(added))
            connection.execute(insert.on_conflict_do_nothing(index_elements=["id"]))
            return _result(connection, added.id)

    def get(self, result_id: str) -> StoredResult:
        """Return a result. Raises NotFound."""
        with reading(self._engine) as connection:
            return _result(connection, result_id)

    def of_jobs(self, job_ids: list[str]) -> dict[str, StoredResult]:
        """Return the oldest result of each of the jobs that has one, by job id."""
        rows = sa.select(results).where(results.c.job.in_(job_ids))
        newest_first = rows.order_by(results.c.created_at.desc(), results.c.id.desc())
        with reading(self._engine) as connection:
            return {row.job: StoredResult(**row._mapping) for row in connection.execute(newest_first)}

    def update(self, result_id: str, changes: Mapping[str, Any]) -> StoredResult:
        """Change the given fields of a result, and return it. Raises NotFound."""
        with writing(self._engine) as connection:
            change = sa.update(results).where(results.c.id == result_id)
            connection.execute(change.values({**changes, "updated_at": utcnow()}))
            return _result(connection, result_id)

    def delete(self, result_id: str) -> StoredResult:
        """Delete a result, and return what it was. Raises NotFound."""
        with writing(self._engine) as connection:
            found = _result(connection, result_id)
            connection.execute(sa.delete(results).where(results.c.id == result_id))
        return found

    def page(self, listing: Listing) -> tuple[list[StoredResult], int]:
        """Return the page that is asked for, and how many results are on all its pages."""
        with reading(self._engine) as connection:
            rows, total = page_of(connection, results, self._places, listing)
        return [StoredResult(**row._mapping) for row in rows], total


def _result(connection: sa.Connection, result_id: str) -> StoredResult:
    row = connection.execute(sa.select(results).where(results.c.id == result_id)).one_or_none()
    if row is None:
        raise NotFound("Result not found")
    return StoredResult(**row._mapping)


def _entity_places(table: sa.Table, kind: EntityKind) -> dict[Field, Kept]:
    places = columns_of(table, *COMMON, "custom_fields", "ownership")
    places |= {(name,): Kept(document=table.c.body, path=(name,)) for name in PARTS[kind]}
    if kind == "target":
        places["model",] = Kept((table.c.model,), table.c.body, ("model",))
    return places
