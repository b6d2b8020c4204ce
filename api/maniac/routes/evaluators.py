"""The routes of stored evaluators."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from api.http.state import CurrentState, State
from api.maniac import stored
from api.maniac.lists import find_container, find_evaluator, in_container, part
from api.maniac.schema import responses as wire
from api.maniac.schema.fields import InContainer, Limit, Offset, Reference
from api.maniac.schema.stored import EvaluatorCreate, EvaluatorPatch
from store.db.entities import Entity
from tasks.sandbox.shared import check

_checkers: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="check-source")
"""Check sources, each of which may take seconds; the threads that answer all else are not theirs to hold."""

router = APIRouter(prefix="/v1/evaluators", tags=["Maniac"])


@router.get("")
def list_evaluators(
    state: CurrentState, container: InContainer = None, limit: Limit = 20, offset: Offset = 0
) -> wire.Listed[wire.Evaluator]:
    """List evaluators, the newest first."""
    found, total = state.evaluators.page(part(limit, offset, *in_container(state, "project", container)))
    return wire.Listed(data=_all_shown(state, found), total=total)


@router.post("")
async def create_evaluator(asked: EvaluatorCreate, state: CurrentState) -> wire.Evaluator:
    """Store an evaluator, whose code is checked first."""
    container = await run_in_threadpool(_container, state, asked)
    evaluator = stored.new_evaluator(asked, container)
    await _check(asked)
    return await run_in_threadpool(lambda: _shown(state, state.evaluators.add(evaluator)))


@router.get("/{evaluator:path}")
def get_evaluator(evaluator: Reference, state: CurrentState) -> wire.Evaluator:
    """Return an evaluator by its id or name."""
    return _shown(state, find_evaluator(state, evaluator))


@router.patch("/{evaluator:path}")
async def update_evaluator(evaluator: Reference, change: EvaluatorPatch, state: CurrentState) -> wire.Evaluator:
    """Change an evaluator; runs keep what they have of it."""
    found = await run_in_threadpool(find_evaluator, state, evaluator)
    container = await run_in_threadpool(_container, state, change)

    def revised(entity: Entity) -> Entity:
        return stored.revised_evaluator(entity, change, container)

    revised(found)
    await _check(change)
    return await run_in_threadpool(lambda: _shown(state, state.evaluators.update(found.namespace, found.name, revised)))


@router.delete("/{evaluator:path}")
def delete_evaluator(evaluator: Reference, state: CurrentState) -> wire.EvaluatorDeleted:
    """Delete an evaluator; runs keep what they have of it."""
    found = find_evaluator(state, evaluator)
    return wire.EvaluatorDeleted(id=state.evaluators.delete(found.namespace, found.name).id)


def _container(state: State, asked: EvaluatorPatch) -> Entity | None:
    return find_container(state, asked.container) if asked.container else None


async def _check(asked: EvaluatorPatch) -> None:
    """Raise SpecInvalid for a source that cannot be run."""
    if asked.source:
        await asyncio.wrap_future(_checkers.submit(check, asked.source))


def _shown(state: State, evaluator: Entity) -> wire.Evaluator:
    return _all_shown(state, [evaluator])[0]


def _all_shown(state: State, evaluators: Sequence[Entity]) -> list[wire.Evaluator]:
    labels = state.containers.names({each.project for each in evaluators if each.project})
    return [stored.to_evaluator(each, labels) for each in evaluators]
