"""What is to be asked of a model: the request, where it goes, and what the call is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.result import Call, CallKey, CallOutcome
from tasks.endpoint.adjust import SCHEMA
from tasks.endpoint.loop import Route
from tasks.templates.rendering import Rendered, Unrendered

ANSWERS: Final[frozenset[CallOutcome]] = frozenset({"answered", "refused"})
"""The outcomes that show that an endpoint works."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A call to be made: `request` is its JSON body, of which `may_drop` are fields that nobody asked for."""

    key: CallKey
    route: Route
    request: bytes
    may_drop: frozenset[str] = frozenset()


class ShardIncomplete(Exception):
    """Some calls of a shard met an error that a later attempt may not meet."""


def prepare(
    key: CallKey,
    route: Route,
    body: Rendered,
    *,
    defaults: Mapping[str, Any],
    reply_schema: Mapping[str, Any] | None = None,
) -> Ask | Call:
    """Return a request with the body over the `defaults` of its fields, or as a call why there is none.

    The reply is asked to keep to `reply_schema`.
    """
    if isinstance(body, Unrendered):
        return Call(key, body.outcome, request="{}", error=body.error)
    fields = {"model": route.model, **defaults, **body}
    may_drop: frozenset[str] = frozenset()
    if reply_schema is not None and SCHEMA not in fields:
        schema = {"name": "verdict", "strict": True, "schema": reply_schema}
        fields |= {SCHEMA: {"type": "json_schema", "json_schema": schema}}
        may_drop = frozenset({SCHEMA})
    try:
        return Ask(key, route, orjson.dumps(fields), may_drop)
    except TypeError as error:  # such as half of a surrogate pair, or a number of more than 64 bits
        return Call(key, "error", request="{}", error=f"the request cannot be written as JSON: {error}")
