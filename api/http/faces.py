"""What the application and its errors need to know of a face, and which face a path belongs to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.types import Scope


@dataclass(frozen=True, kw_only=True, slots=True)
class Face:
    """A protocol: its paths, the routers that serve them, and how it says what is wrong.

    `also_below` is a prefix at which its routes are found as well. Errors are `{"detail"}`, `{"error": {...}}`, both,
    or a page; the statuses are those of a request that is invalid, asks for what is not supported, or has no key.
    """

    name: str
    paths: re.Pattern[str]
    routers: Sequence[APIRouter] = ()
    also_below: str | None = None
    errors: Literal["detail", "error", "both", "page"] = "detail"
    invalid: int = 422
    unsupported: int = 422
    no_key: int = 401


NOBODY: Final = Face(name="nobody", paths=re.compile(r"/(api/)?v1(/|$)"), errors="both")
"""Of the paths of vendors those that no face has."""

ELSE: Final = Face(name="else", paths=re.compile(""))
"""Of all other paths."""


def face_of(scope: Scope) -> Face:
    """Return the face that a request's path belongs to."""
    faces: Sequence[Face] = getattr(scope["app"].state, "faces", ())
    return owner(faces, scope["path"])


def is_for_people(scope: Scope) -> bool:
    """Tell whether a request is answered by a page: it asks for one, or a browser asks for what no protocol has."""
    face = face_of(scope)
    asks = face is ELSE and not scope["path"].startswith("/api/")
    return face.errors == "page" or (asks and "text/html" in Headers(scope=scope).get("accept", ""))


def owner(faces: Sequence[Face], path: str) -> Face:
    """Return whose a path is, the first of `faces` whose it may be."""
    return next((face for face in (*faces, NOBODY) if face.paths.match(path)), ELSE)
