"""Specifications of older releases in the words of this one: a pure function for each version.

A specification says its version; one that says none is of the first, or so new that there is nothing to do: an upgrade
leaves alone what is not as it was before it. What is stored is never rewritten.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

Json = dict[str, Any]
Upgrade = Callable[[Json], Json]


def spec_v1_to_v2(spec: Json) -> Json:
    """Move the limits of datasets to the tasks that they limit."""
    tasks = spec.get("tasks")
    if not isinstance(tasks, list | tuple):
        return spec
    return spec | {"tasks": [_limited(task) if isinstance(task, dict) else task for task in tasks]}


UPGRADES: Final[tuple[Upgrade, ...]] = (spec_v1_to_v2,)
SPEC_VERSION: Final = 1 + len(UPGRADES)


def upgraded(spec: Json, upgrades: Sequence[Upgrade] = UPGRADES) -> Json:
    """Return a specification of any version as one of the newest. Raises ValueError for one of a newer release."""
    newest = 1 + len(upgrades)
    version = spec.get("version", 1)
    if version not in range(1, newest + 1):
        raise ValueError(f"version {version!r} of a specification; this release reads 1 to {newest}")
    for upgrade in upgrades[int(version) - 1 :]:  # JSON may write 1.0
        spec = upgrade(spec)
    return spec | {"version": newest}


def _limited(task: Json) -> Json:
    dataset = task.get("dataset")
    if not isinstance(dataset, dict) or "limit" not in dataset:
        return task
    rest = {name: value for name, value in dataset.items() if name != "limit"}
    return {"limit": dataset["limit"]} | task | {"dataset": rest}
