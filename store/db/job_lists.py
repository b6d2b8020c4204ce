"""What lists of jobs are narrowed by, and where it is kept."""

from dataclasses import fields
from typing import Final, get_args

import sqlalchemy as sa

from core.job import Face, ListedJob
from core.queries.lists import Field, Listing, OneOf
from store.db.lists import Kept, columns_of, part_of, position
from store.db.tables import jobs, results


def _places() -> dict[Field, Kept]:
    """Return where the fields of jobs are kept that lists are narrowed by."""
    label = {
        part: sa.func.substr(jobs.c[part], position(jobs.c[part], sa.literal("/")) + 1) for part in ("target", "config")
    }
    unnamed = (sa.case((jobs.c.name == jobs.c.id, each)) for each in label.values())
    names = ("id", "face", "name", "namespace", "project", "description", "status", "created_at", "updated_at")
    result = sa.select(results.c.id).where(results.c.job == jobs.c.id).order_by(results.c.created_at, results.c.id)
    return {
        **columns_of(jobs, *names, "custom_fields", "ownership"),
        # A job that was given no name goes by those of its target and config.
        ("known_as",): Kept((jobs.c.name, *unnamed)),
        # What a person may look for a job by.
        ("text",): Kept((*(jobs.c[each] for each in ("name", "id", "model", "target", "config", "project")),)),
        ("target",): Kept((jobs.c.target,), jobs.c.request, ("target",)),
        ("target", "model"): Kept((jobs.c.model,)),
        ("config",): Kept((jobs.c.config,), jobs.c.request, ("config",)),
        ("result",): Kept((result.limit(1).scalar_subquery(),)),
        ("output_files_url",): Kept(document=jobs.c.request, path=("output_files_url",)),
        ("status_details",): Kept((jobs.c.note, sa.type_coerce(jobs.c.failure, sa.Text()))),
        # Empty for a job that has not failed.
        ("blame",): Kept((sa.func.replace(sa.func.coalesce(part_of(jobs.c.failure, "blame"), ""), '"', ""),)),
    }


PLACES: Final = _places()
LISTED: Final = [jobs.c[field.name] for field in fields(ListedJob)]


def of_face(face: Face | None, listing: Listing) -> sa.ColumnElement[bool]:
    """Return what is true of the jobs of a face, or of all, so that the database has an index for the list."""
    if face is not None:
        return jobs.c.face == face
    # The list over all faces has one index of its own; by what narrows others it is found if all faces are named.
    own_index = listing.sort.endswith("created_at") and not any(isinstance(term, OneOf) for term in listing.terms)
    return sa.true() if own_index else jobs.c.face.in_(get_args(Face))
