"""What Prefect says of flow runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import State
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from flows.control.status import RunState, run_state
from flows.control.troubles import is_outage

BATCH = 200


@dataclass(frozen=True)
class Run:
    """A flow run: its state, how often it has begun, and the deployment that it is of."""

    state: RunState
    attempt: int
    deployment: UUID | None


@dataclass(frozen=True)
class Found:
    """The flow runs that were found, and why others could not be read; the rest are gone."""

    runs: dict[UUID, Run] = field(default_factory=dict)
    unread: dict[UUID, Exception] = field(default_factory=dict)


async def read_runs(client: PrefectClient, ids: Sequence[UUID]) -> Found:
    """Read flow runs, one request for each `BATCH`; raises only if Prefect cannot be reached or is busy."""
    found = Found()
    for start in range(0, len(ids), BATCH):
        await _read(client, ids[start : start + BATCH], found)
    return found


async def _read(client: PrefectClient, ids: Sequence[UUID], found: Found) -> None:
    """Read a batch; where one run spoils the answer for all, it is looked for by halves."""
    try:
        flow_runs = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=list(ids))), limit=BATCH
        )
        for run in flow_runs:
            if run.state:
                found.runs[run.id] = Run(_state(run.state), run.run_count, run.deployment_id)
    except Exception as error:  # whatever it is, it is to be that of one run
        if is_outage(error):
            raise
        if len(ids) == 1:
            found.unread[ids[0]] = error
            return
        half = len(ids) // 2
        await _read(client, ids[:half], found)
        await _read(client, ids[half:], found)


async def set_state(client: PrefectClient, run_id: UUID, state: State) -> RunState:
    """Put a flow run in a state, whatever Prefect thinks of it; returns what it is then."""
    await client.set_flow_run_state(run_id, state, force=True)
    return _state(state)


def _state(state: State) -> RunState:
    return run_state(state.type.value, state.name or "", state.state_details.pause_key)
