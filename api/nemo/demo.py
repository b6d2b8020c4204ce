"""The pair that Quick run and the nightly example evaluate on a fresh service: recorded answers, no model is asked."""

from contextlib import suppress
from typing import Any, Final

from api.nemo import stored
from api.nemo.schema import entities as schema
from core.errors import Conflict
from flows.demo import ROWS
from flows.form import DEMO_CONFIG, DEMO_TARGET
from store.files.atomic import make_private
from store.workspace import Workspace

TARGET: Final[dict[str, Any]] = {
    "type": "rows",
    "rows": ROWS,
    "description": "Eight questions and what a made-up model said; no model is asked. Delete it, and it stays away.",
}
CONFIG: Final[dict[str, Any]] = {
    "type": "custom",
    "tasks": {
        "qa": {
            "type": "data",
            "metrics": {
                "correct": {
                    "type": "string-check",
                    "params": {"check": ["{{item.said}}", "contains", "{{item.answer}}"]},
                }
            },
        }
    },
    "description": "Whether what was said has the right answer in it. Delete it, and it stays away.",
}


def store_demo(workspace: Workspace) -> None:
    """Store the demo pair when a home is served for the first time; what is there under its names stays."""
    note = workspace.settings.home / "demo-stored"
    if note.exists():
        return
    asked = {
        "target": schema.TARGET.validate_python({**_named(DEMO_TARGET), **TARGET}),
        "config": schema.CONFIG.validate_python({**_named(DEMO_CONFIG), **CONFIG}),
    }
    with suppress(Conflict):
        workspace.targets.add(stored.new_entity("target", asked["target"], asked["target"].sealed))
    with suppress(Conflict):
        workspace.configs.add(stored.new_entity("config", asked["config"], asked["config"].sealed))
    make_private(note, f"{DEMO_TARGET} and {DEMO_CONFIG} were stored at the first start; without this file, again.\n")


def _named(name: str) -> dict[str, str]:
    namespace, _, own = name.partition("/")
    return {"namespace": namespace, "name": own}
