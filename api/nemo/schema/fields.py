"""What NeMo's requests are made of, whatever they ask for.

They are read leniently: keys that are not named here are left alone, a wrong type is refused.
"""

from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
)

from api.http.fields import NO_NUL, Text
from api.http.wire import SealedBody
from core.patterns import Like


def refuse_dots(name: str) -> str:
    """Raise ValueError for a name that clients take out of a URL's path before they send it."""
    if name in (".", ".."):
        raise ValueError(f"{name!r} cannot stand in a URL's path; choose another name")
    return name


FilledText = Annotated[str, StringConstraints(min_length=1), NO_NUL]
EntityName = Annotated[
    str,
    StringConstraints(max_length=255),
    Like(r"^[\w\-\+.@:]*$", "a name has letters, digits and - + . @ : _ alone"),
    AfterValidator(refuse_dots),
]
Key = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Filled = Annotated[str, StringConstraints(min_length=1)]
Limit = Annotated[int, Field(ge=1)]

Inline = TypeVar("Inline")


def _form(value: object) -> str:
    return "text" if isinstance(value, str) else "inline"


TextOr = Annotated[
    Annotated[FilledText, Tag("text")] | Annotated[Inline, Tag("inline")],
    Discriminator(_form),
]
"""An object, or a text in its place: the name of a stored one, or a template."""

Template = TextOr[dict[str, JsonValue]]


class Described(SealedBody):
    """What is said of a job, or of a stored entity, beside what it is."""

    name: EntityName | None = None
    namespace: EntityName | None = None
    project: Text | None = None
    description: Text | None = None
    custom_fields: dict[str, JsonValue] | None = None
    ownership: dict[str, JsonValue] | None = None


def type_of(value: object) -> str:
    """Return the type that a part of a request says it has; an empty text if it says none."""
    given = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return given if isinstance(given, str) else ""
