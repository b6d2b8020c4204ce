"""Whose results a database knows of: those of one home, so that no worker writes what nobody reads."""

from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

import sqlalchemy as sa

from core.errors import Misconfigured
from core.setting_origin import origin
from store.db.connect import insert_into, reading, writing
from store.db.tables import home
from store.objects.objects import Objects

ID_FILE: Final = ".id"
"""Among the results, with which it is backed up and restored."""


class Home(NamedTuple):
    """The id of the results, and where they were when the database first heard of them."""

    id: str
    path: str


def belong_together(engine: sa.Engine, objects: Objects, results: Path) -> None:
    """Note whose database this is; raises Misconfigured if it is that of results that lie elsewhere."""
    file, owner = results / ID_FILE, _owner(engine)
    if owner is None:
        owner = _claim(engine, Home(_id_in(objects, file, str(uuid4())), objects.name(results)))
    elif Path(engine.url.database or "") == results.parent / "assay.db":
        _id_in(objects, file, owner.id)  # in a home that has lost its results, the database tells its id
    if _known(objects, file) != owner.id:
        said_by = origin(["database_url"]) or "ASSAY_DATABASE_URL"
        raise Misconfigured(
            f"The database that {said_by} names is that of the results in {owner.path}, and those of this service lie "
            f"in {objects.name(results)}: name another database, or those results. If they are the same, moved or "
            f"restored, write {owner.id} into {objects.name(file)}"
        )


def _owner(engine: sa.Engine) -> Home | None:
    with reading(engine) as connection:
        row = connection.execute(sa.select(home.c.id, home.c.path)).one_or_none()
    return None if row is None else Home(*row)


def _claim(engine: sa.Engine, claimed: Home) -> Home:
    """Return whose the database is, of those who claim it at once."""
    with writing(engine) as connection:
        connection.execute(insert_into(connection, home).values(place=1, **claimed._asdict()).on_conflict_do_nothing())
        return Home(*connection.execute(sa.select(home.c.id, home.c.path)).one())


def _known(objects: Objects, file: Path) -> str | None:
    try:
        return objects.latest(file).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def _id_in(objects: Objects, file: Path, new: str) -> str:
    """Return the id that results have, and from now on have if they had none."""
    if (known := _known(objects, file)) is not None:
        return known
    objects.create(file, lambda draft: draft.write_text(f"{new}\n", encoding="utf-8"))  # another may be first
    return _known(objects, file) or new
