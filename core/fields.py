"""Fields that a value does not have: each is refused by its name, with the one that is meant, or those there are."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

MOST: Final = 20
"""Fields that are named at once."""


TAGS: Final = ("kind", "type")
"""The fields that tell which of several forms a value has."""


def require_tag(schema: dict[str, Any]) -> None:
    """Have a schema say that a tag must be there, which its default hides: without it the form is not known."""
    required = schema.get("required", [])
    tags = [tag for tag in TAGS if "const" in schema.get("properties", {}).get(tag, {}) and tag not in required]
    if tags:
        schema["required"] = [*tags, *required]


class KnownFields(BaseModel):
    """A value that takes no other fields than its own."""

    model_config = ConfigDict(json_schema_extra=require_tag)

    @model_validator(mode="before")
    @classmethod
    def _refuse_others(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            unknown = [name for name in given if name not in cls.model_fields]
            if unknown:
                raise ValidationError.from_exception_data(
                    cls.__name__, [_refusal(str(name), cls) for name in unknown[:MOST]], hide_input=True
                )
        return given


def _refusal(name: str, model: type[BaseModel]) -> InitErrorDetails:
    known = [*model.model_fields]
    near = get_close_matches(name, known, n=1)
    remedy = f"is {near[0]!r} meant?" if near else f"fields: {', '.join(known)}"
    error = PydanticCustomError("extra_forbidden", "there is no such field; {remedy}", {"remedy": remedy})
    return InitErrorDetails(type=error, loc=(name,), input=None)
