"""The routes of containers: a model, how it is asked, and what was logged of it."""

from fastapi import APIRouter

from api.http.state import CurrentState
from api.maniac import stored
from api.maniac.lists import find_container, part
from api.maniac.schema import responses as wire
from api.maniac.schema.fields import Label, Limit, Offset
from api.maniac.schema.stored import ContainerCreate, ContainerPatch

router = APIRouter(prefix="/v1/containers", tags=["Maniac"])


@router.get("")
def list_containers(state: CurrentState, limit: Limit = 20, offset: Offset = 0) -> wire.Listed[wire.Container]:
    """List containers, the newest first."""
    found, total = state.containers.page(part(limit, offset))
    return wire.Listed(data=[stored.to_container(each) for each in found], total=total)


@router.post("")
def create_container(asked: ContainerCreate, state: CurrentState) -> wire.Container:
    """Make a container, which is empty."""
    return stored.to_container(state.containers.add(stored.new_container(asked)))


@router.get("/{label:path}")
def get_container(label: Label, state: CurrentState) -> wire.Container:
    """Return a container."""
    return stored.to_container(find_container(state, label))


@router.patch("/{label:path}")
def update_container(label: Label, change: ContainerPatch, state: CurrentState) -> wire.Container:
    """Change a container's model, and how it is asked."""
    found = find_container(state, label)
    revised = state.containers.update(
        found.namespace, found.name, lambda entity: stored.revised_container(entity, change)
    )
    return stored.to_container(revised)


@router.delete("/{label:path}")
def delete_container(label: Label, state: CurrentState) -> wire.ContainerDeleted:
    """Delete a container with what was logged in it; datasets and runs keep what they have of it."""
    found = find_container(state, label)
    return wire.ContainerDeleted(label=state.containers.delete(found.namespace, found.name).name)
