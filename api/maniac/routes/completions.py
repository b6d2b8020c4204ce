"""The routes of chat completions: those that were made elsewhere, those that are made here, and all that is logged."""

import logging
import math
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, HTTPException, Query
from pydantic import JsonValue, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.http.fields import JsonDict, PathText, Text
from api.http.state import CurrentState, State
from api.maniac import chats
from api.maniac.lists import find_container, in_container, part
from api.maniac.models import Called, called
from api.maniac.schema import responses as wire
from api.maniac.schema.chats import Chat, Example, HavingMetadata, Register
from api.maniac.schema.fields import InContainer, Limit, Offset
from core.errors import NotFound, SpecInvalid, StorageFailed, Unsupported
from core.queries.lists import OneOf
from store.db.completions import Completion, NewCompletion
from tasks.endpoint.forward import PATIENCE_S
from tasks.endpoint.loop import Reply

EXAMPLE: Final[TypeAdapter[Example]] = TypeAdapter(Example)
OK: Final = 200
TOO_MANY_REQUESTS: Final = 429
PASSED_ON: Final = frozenset({400, 404, 413, 422})
"""What a model's endpoint says of a request that is for whoever made it to mend."""

MAX_WAIT_S: Final = 60

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/chat/completions", tags=["Maniac"])


@router.get("")
def list_completions(
    state: CurrentState,
    limit: Limit = 20,
    offset: Offset = 0,
    model: Annotated[Text | None, Query()] = None,
    container: InContainer = None,
    order: Literal["asc", "desc"] = "desc",
    metadata: HavingMetadata = None,
) -> wire.Listed[wire.Completion]:
    """List what is logged, the newest first unless asked otherwise; `metadata` is what its metadata shall hold."""
    terms = [*in_container(state, "container", container)]
    if model is not None:
        terms.append(OneOf(("model",), (model,)))
    terms += [OneOf(("metadata", key), (_as_text(value),)) for key, value in (metadata or {}).items()]
    listing = part(limit, offset, *terms, sort="created_at" if order == "asc" else "-created_at")
    found, total = state.completions.page(listing)
    return wire.Listed(data=_all_shown(state, found), total=total)


@router.post("/register")
def register_completions(asked: Register, state: CurrentState) -> wire.Registered:
    """Log chats that were completed elsewhere; those that cannot be read are named, and the others kept."""
    container = find_container(state, asked.container)
    examples: list[NewCompletion] = []
    errors: list[dict[str, JsonValue]] = []
    for index, item in enumerate(asked.sent["items"]):
        try:
            examples.append(chats.to_logged(EXAMPLE.validate_python(item), item))
        except ValidationError as error:
            errors.append({"index": index, "message": _complaint(error)})
    if not examples:
        raise SpecInvalid(f"no item can be read; the first: {errors[0]['message']}", field="items.0")
    state.completions.add(container.id, examples)
    summary = {"received": len(asked.items), "registered": len(examples), "failed": len(errors)}
    return wire.Registered(ok=not errors, container=container.name, summary=summary, errors=errors)


@router.post("", response_model=dict[str, Any])
async def create_completion(asked: Chat, state: CurrentState) -> Response:
    """Have a model answer, once, and log that in the container by which it was called."""
    if asked.stream:
        raise Unsupported("stream is not supported: leave it out, and the answer comes whole")
    model, container = await run_in_threadpool(_called, state, asked)
    request = orjson.dumps({**chats.to_request(asked, container), "model": model})
    reply = await state.forwarder.ask(state.forwarder.route(model), request)
    answer = _answer(reply)
    if container is not None and asked.store is not False:
        try:
            await run_in_threadpool(state.completions.add, container.id, [chats.to_log(asked, answer, model)])
        except NotFound:  # deleted meanwhile; the answer is paid for all the same
            pass
        except StorageFailed as error:
            log.warning("A completion is not logged in container %s: %s", container.id, error.message)
    return Response(reply.body, media_type="application/json", headers=_notes(reply))


@router.get("/{completion_id}")
def get_completion(completion_id: PathText, state: CurrentState) -> wire.Completion:
    """Return what is logged of a chat."""
    return _all_shown(state, [state.completions.get(completion_id)])[0]


def _called(state: State, asked: Chat) -> Called:
    """Return the model that a request is for: the one it names, or that of its container."""
    if asked.container is None:
        if asked.model is None:
            raise SpecInvalid("name a model, or a container that has one", field="model")
        return called(state, asked.model)
    container = find_container(state, asked.container)
    found = called(state, asked.model or container.body["initial_model"])
    return Called(found.model, container)


def _answer(reply: Reply) -> JsonDict:
    """Return a model's answer. Raises HTTPException if there is none."""
    if reply.body is not None and reply.status == OK and reply.outcome in ("answered", "refused"):
        answer: JsonDict = orjson.loads(reply.body)
        choices = answer.get("choices")
        if isinstance(choices, list) and choices and all(map(_has_message, choices)):
            return answer
    message = reply.error or "The model's endpoint gave no answer"
    if reply.outcome == "refused":
        raise HTTPException(400, message)
    if reply.status == TOO_MANY_REQUESTS or not reply.attempts:
        pause_s = reply.pause_s or (1.0 if reply.attempts else PATIENCE_S)
        wait_s = min(max(1, math.ceil(pause_s)), MAX_WAIT_S)
        raise HTTPException(TOO_MANY_REQUESTS, message, headers={"Retry-After": str(wait_s)})
    raise HTTPException(reply.status if reply.status in PASSED_ON else 502, message)


def _has_message(choice: JsonValue) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("message"), dict)


def _notes(reply: Reply) -> dict[str, str]:
    """Return as a header what the model was asked otherwise than whoever asked has it."""
    said = "; ".join(note for _, note in reply.notes)
    return {"X-Assay-Notes": " ".join(said.encode("ascii", "replace").decode().split())} if said else {}


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the item'}: {first['msg']}"


def _as_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _all_shown(state: State, logged: Sequence[Completion]) -> list[wire.Completion]:
    labels = state.containers.names({each.container for each in logged})
    return [chats.to_completion(each, labels) for each in logged]
