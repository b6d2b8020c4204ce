"""What Prefect's server, as `assay serve` runs it, makes of the events of runs: what it keeps, and what it records."""

from typing import Any, Final

from prefect.server.events.schemas.events import Event, ReceivedEvent
from prefect.server.events.services import event_persister
from prefect.server.events.storage.database import write_events
from prefect.server.services import task_run_recorder
from sqlalchemy.exc import IntegrityError

FLOW: Final = "evaluate"
ROUTINE: Final = (
    "prefect.task-run.",
    "prefect.artifact",
    *(f"prefect.flow-run.{state}" for state in ("Scheduled", "Pending", "Running", "Completed", "heartbeat")),
)
"""How the names of events begin of which each run has its share: with their index 13 kB each."""


def is_routine(event: Event) -> bool:
    """Tell whether an event says no more of a run of ours than the run itself does: that it goes on, or is done."""
    if not event.event.startswith(ROUTINE):
        return False
    about = (event.resource, *event.related)
    return any(each.get("prefect.resource.role") == "flow" and each.name == FLOW for each in about)


def keep_what_matters() -> None:
    """Have the events of runs that go well heard by automations and pages, and not kept: see docs/decisions/017."""

    async def write(session: Any, events: list[ReceivedEvent]) -> None:
        await write_events(session, [event for event in events if not is_routine(event)])

    event_persister.write_events = write  # type: ignore[attr-defined]  # it is imported there


def record_despite_others() -> None:
    """Have the states of task runs recorded though one of another run, which was deleted meanwhile, cannot be.

    Prefect records those of a second in one transaction, tries that six times, and then drops them all.
    """
    together = task_run_recorder.record_bulk_task_run_events

    async def record(events: list[ReceivedEvent]) -> None:
        try:
            await together(events)
        except IntegrityError as error:
            if len(events) == 1:
                task_run_recorder.logger.warning("A state was not recorded: %s: %s", events[0].resource.id, error.orig)
                return
            half = len(events) // 2
            await record(events[:half])
            await record(events[half:])

    task_run_recorder.record_bulk_task_run_events = record
