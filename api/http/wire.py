"""What the requests of all faces are made of: values that do not change, and bodies kept as they were sent."""

from typing import Any, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)
from pydantic_core import CoreSchema

from api.http.body import refuse_unportable
from api.http.fields import JsonDict
from store.secrets import seal

MANY: Final = frozenset({"list", "set", "frozenset", "tuple", "dict"})


def fail_fast(schema: Any) -> None:
    """Have what a schema says of lists and mappings end at the first error."""
    parts: list[Any] = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            kind = part.get("type")  # of a schema, or a field of that name
            if isinstance(kind, str) and kind in MANY:
                part["fail_fast"] = True
            parts.extend(value for name, value in part.items() if name not in ("metadata", "default", "serialization"))
        elif isinstance(part, list | tuple):
            parts.extend(part)


class Wire(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Have each list and mapping end at its first error: a body may hold millions."""
        schema = handler(source)
        fail_fast(schema)
        return schema


class Body(Wire):
    """A request's whole body, which is kept as it was sent; it holds nothing that cannot be kept."""

    _sent: JsonDict = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, body: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        refuse_unportable(body)
        request = cls._read(body, read)
        request._sent = body
        return request

    @classmethod
    def _read(cls, body: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        return read(body)

    @property
    def sent(self) -> JsonDict:
        """The body as it was sent, with all its keys."""
        return self._sent


class SealedBody(Body):
    """A body whose keys are taken out before it is read, so that all its parts have references only."""

    _sealed: JsonDict = PrivateAttr(default_factory=dict)
    _keys: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def _read(cls, body: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        sealed, keys = seal(body) if isinstance(body, dict) else (body, {})
        request = read(sealed)
        request._sealed, request._keys = sealed, keys
        return request

    @property
    def sealed(self) -> JsonDict:
        """The body with references in the place of its keys."""
        return self._sealed

    @property
    def keys(self) -> dict[str, str]:
        """The keys that came with the body, by the ids of their references."""
        return self._keys
