"""The routes of datasets: completions of a container, as they were when the dataset was made."""

from collections.abc import Iterator
from itertools import islice

from fastapi import APIRouter

from api.http.fields import JsonDict, PathText
from api.http.state import CurrentState, State
from api.maniac import chats, filters
from api.maniac.lists import PROJECT, find_container, in_container, part, to_time
from api.maniac.schema import responses as wire
from api.maniac.schema.chats import DatasetCreate
from api.maniac.schema.fields import InContainer, Limit, Offset
from api.maniac.stored import without_keys
from core.errors import SpecInvalid
from store.db.datasets import Dataset, NewDataset
from store.db.entities import Entity

router = APIRouter(prefix="/v1/datasets", tags=["Maniac"])


@router.get("")
def list_datasets(
    state: CurrentState, container: InContainer = None, limit: Limit = 100, offset: Offset = 0
) -> wire.Listed[wire.Dataset]:
    """List datasets, the newest first."""
    found, total = state.datasets.page(part(limit, offset, *in_container(state, "container", container)))
    return wire.Listed(data=[_shown(each) for each in found], total=total)


@router.post("")
def create_dataset(asked: DatasetCreate, state: CurrentState) -> wire.DatasetCreated:
    """Keep the oldest completions of a container that the filters hold for, at most so many as asked."""
    container = find_container(state, asked.container)
    filters.refuse_unusable(asked.filters or ())
    dataset = NewDataset(
        name=asked.name,
        container=container.id,
        requested_size=asked.size,
        description=asked.description,
        filters=None if asked.filters is None else [each.model_dump() for each in asked.filters],
        tags=asked.tags,
        metadata=asked.metadata and without_keys(asked.metadata),
    )
    added = state.datasets.add(dataset, _rows(state, container, asked))
    return wire.DatasetCreated(id=added.id, message=f"Dataset {added.name} holds {added.size} completions")


@router.get("/{dataset_id}")
def get_dataset(dataset_id: PathText, state: CurrentState) -> wire.Dataset:
    """Return a dataset."""
    return _shown(state.datasets.get(dataset_id))


def _rows(state: State, container: Entity, asked: DatasetCreate) -> Iterator[JsonDict]:
    """Yield the rows of a dataset. Raises SpecInvalid if there is none."""
    taken = (
        {"input": each.input, "output": each.output}
        for each in state.completions.logged(container.id)
        if all(filters.holds(given, chats.to_record(each)) for given in asked.filters or ())
    )
    first = next(taken, None)
    if first is None:
        what = "that the filters hold for" if asked.filters else "yet"
        raise SpecInvalid(f"container {container.name!r} has no completion {what}", field="container")
    yield first
    yield from islice(taken, asked.size - 1)


def _shown(dataset: Dataset) -> wire.Dataset:
    return wire.Dataset(
        id=dataset.id,
        name=dataset.name,
        description=dataset.description,
        project_id=PROJECT,
        container_id=dataset.container,
        requested_size=dataset.requested_size,
        size=dataset.size,
        filters=dataset.filters,
        created_at=to_time(dataset.created_at),
        tags=dataset.tags,
        metadata=dataset.metadata,
        digest=dataset.sha256,
    )
