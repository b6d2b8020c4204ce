"""What NeMo's lists can be asked, by resource and version."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final, get_args

from fastapi import Depends

from api.lists.grammar import Exact, Filter, Grammar, Keyed, Named, Search, Span, Text, Time, Word, asking
from api.lists.pages import Asked
from api.lists.times import Operator
from api.nemo.present import jobs as present
from core.job import JobStatus

ALL_OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)

V1_HINTS: Final = {"error": "failed", **dict.fromkeys(("active", "paused", "pausing", "resuming"), "running")}
V2_HINTS: Final = {"running": "active", "failed": "error", "unknown": "error", "ready": "completed"}


def words(shown: Mapping[JobStatus, str]) -> dict[str, tuple[JobStatus, ...]]:
    """Return the statuses that each word stands for: what a job shows is what finds it."""
    return {word: tuple(status for status in shown if shown[status] == word) for word in shown.values()}


def exact(*names: str) -> dict[str, Filter]:
    """Return filters by texts that hold no comma."""
    return {name: Exact(name) for name in names}


def texts(*names: str) -> dict[str, Search]:
    """Return searches in texts."""
    return {name: Text(name) for name in names}


def objects(*names: str) -> dict[str, Search]:
    """Return searches in objects, of which a part can be named."""
    return {name: Text(name, deep=True) for name in names}


V1_STATUS: Final = Word("status", {**words(present.STATUS_V1), "pending": (), "ready": ()}, V1_HINTS)
"""`pending` and `ready` are documented, but no job shows them."""

V2_STATUS: Final = Word("status", words(present.STATUS), V2_HINTS)

V1_TIMES: Final[dict[str, Filter]] = {name: Time(name, ALL_OPERATORS) for name in ("created_at", "updated_at")}
V2_TIMES: Final[dict[str, Filter]] = {name: Time(name, ("gte", "lte")) for name in ("created_at", "updated_at")}
SPANS: Final[dict[str, Search]] = {name: Span(name) for name in ("created_at", "updated_at")}

ENTITY: Final[dict[str, Filter]] = {
    **exact("namespace", "name", "type", "id"),
    "project": Exact("project", commas=True),
    "custom_fields": Keyed("custom_fields"),
    **V1_TIMES,
}
TARGET: Final[dict[str, Filter]] = {**ENTITY, "model": Exact("model", commas=True)}

EVERY_TEXT: Final = ("id", "namespace", "description", "project")
EVERY_OBJECT: Final = ("custom_fields", "ownership")

V1_JOBS: Final = Grammar(
    filters={
        **exact("id", "namespace", "name"),
        "project": Exact("project", commas=True),
        "status": V1_STATUS,
        "target": Named("target", TARGET),
        "config": Named("config", ENTITY),
        "custom_fields": Keyed("custom_fields"),
        **V1_TIMES,
    },
    searches={
        **texts(*EVERY_TEXT, "result", "output_files_url", "status_details"),
        "name": Text("known_as"),
        "status": V1_STATUS,
        **objects(*EVERY_OBJECT, "target", "config"),
        **SPANS,
    },
    sort="created_at",
    lenient=True,
)
V2_JOBS: Final = Grammar(
    filters={
        **exact("namespace", "name"),
        "project": Exact("project", commas=True),
        "status": V2_STATUS,
        **V2_TIMES,
    },
    searches={**texts("name", "project"), "status": V2_STATUS},
    sort="-created_at",
    lenient=False,
)
SOURCE: Final = Word("face", {"evaluation": ("nemo-v2",)}, {})
PLATFORM_JOBS: Final = replace(V2_JOBS, filters={**V2_JOBS.filters, "source": SOURCE})
TARGETS: Final = Grammar(
    filters=TARGET,
    searches={
        **texts(*EVERY_TEXT, "name", "type"),
        **objects(*EVERY_OBJECT, "model", "dataset", "rows", "retriever", "rag", "cached_outputs"),
        **SPANS,
    },
    sort="created_at",
    lenient=True,
)
CONFIGS: Final = Grammar(
    filters=ENTITY,
    searches={
        **texts(*EVERY_TEXT, "name", "type"),
        **objects(*EVERY_OBJECT, "tasks", "params", "groups"),
        **SPANS,
    },
    sort="created_at",
    lenient=True,
)
RESULTS: Final = Grammar(
    filters={
        **exact("job_id", "job", "id", "namespace"),
        "project": Exact("project", commas=True),
        "custom_fields": Keyed("custom_fields"),
        **V1_TIMES,
    },
    searches={
        **texts(*EVERY_TEXT, "job", "files_url"),
        **objects(*EVERY_OBJECT, "tasks", "groups"),
        **SPANS,
    },
    sort="created_at",
    lenient=True,
)

AskedV1Jobs = Annotated[Asked, Depends(asking(V1_JOBS))]
AskedV2Jobs = Annotated[Asked, Depends(asking(V2_JOBS))]
AskedPlatformJobs = Annotated[Asked, Depends(asking(PLATFORM_JOBS))]
AskedTargets = Annotated[Asked, Depends(asking(TARGETS))]
AskedConfigs = Annotated[Asked, Depends(asking(CONFIGS))]
AskedResults = Annotated[Asked, Depends(asking(RESULTS))]
