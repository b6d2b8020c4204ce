"""What Maniac's requests are made of, whatever they ask for.

They are read leniently: keys that are not named here are left alone, a wrong type is refused.
"""

from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    JsonValue,
    StringConstraints,
)

from api.http.body import refuse_unportable
from api.http.fields import NO_NUL, JsonDict, Text
from store.secrets import seal

RESERVED: Final = frozenset({"model", "messages", "prompt", "stream"})
"""The fields of a request to a model that no parameter may change."""

HEADERS: Final = frozenset({"headers", "extra_headers", "default_headers"})
"""How clients call the headers of their own requests; in a body they mean nothing."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=255), NO_NUL]
Tags = list[str] | None
Metadata = dict[str, JsonValue] | None
Reference = Annotated[str, Path(description="An id or a name."), NO_NUL]
Label = Annotated[str, Path(description="A container's id or label."), NO_NUL]
InContainer = Annotated[Text | None, Query(description="A container's id or label.")]
Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=2**31)]


def portable(body: Any) -> Any:
    """Return a body as it is. Raises ValueError if it holds what cannot be kept."""
    refuse_unportable(body)
    return body


def refuse_keys(parameters: JsonDict) -> JsonDict:
    """Raise ValueError for what holds a key, or headers, which are for keys: it would have to be sent on as it is."""
    if seal(parameters)[1] or HEADERS & parameters.keys():
        raise ValueError("a key has no place here: the endpoints of models, and their keys, are in the settings")
    return parameters


def refuse_reserved(parameters: JsonDict) -> JsonDict:
    """Raise ValueError for parameters that would change what is asked, or of whom."""
    if taken := sorted(RESERVED & parameters.keys()):
        raise ValueError(f"{', '.join(taken)} cannot be among the parameters of a model")
    return parameters


Parameters = Annotated[dict[str, JsonValue], AfterValidator(refuse_reserved), AfterValidator(refuse_keys)]
