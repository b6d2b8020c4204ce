"""The keys of a retry: those that came with the job before it were deleted at its end."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from core.endpoint import SecretRef
from core.errors import SpecInvalid
from core.metric import Judge
from core.spec import EvaluationSpec, FilesDataset, ModelTarget, TaskSpec
from store.secrets import STORED

Keyed = TypeVar("Keyed", ModelTarget, Judge)


def with_keys(
    spec: EvaluationSpec,
    given: Mapping[str, SecretRef],
    new: set[str],
    needs: Callable[[ModelTarget | Judge], bool],
    job_id: str,
) -> EvaluationSpec:
    """Return a specification with the keys that were given, by the names of targets and judges.

    Those that came with the first job were deleted at its end: where one is needed, SpecInvalid is raised.
    """

    def keyed(model: Keyed) -> Keyed:
        key = given.get(model.name, model.endpoint.api_key)
        if key and key.startswith(STORED) and key.removeprefix(STORED) not in new:
            if needs(model):
                raise SpecInvalid(
                    f"the key of {model.name!r} was deleted as job {job_id} ended: send it again "
                    f"(--key {model.name}=env:VARIABLE, or api_keys)",
                    field="api_keys",
                )
            key = None
        return model.model_copy(update={"endpoint": model.endpoint.model_copy(update={"api_key": key})})

    def of_task(task: TaskSpec) -> TaskSpec:
        metrics = tuple(keyed(metric) if isinstance(metric, Judge) else metric for metric in task.metrics)
        dataset = task.dataset
        if isinstance(dataset, FilesDataset):  # it is read no more
            dataset = dataset.model_copy(update={"token": None})
        return task.model_copy(update={"metrics": metrics, "dataset": dataset})

    names = {each.name for each in spec.targets} | {each.name for task in spec.tasks for each in task.metrics}
    if unknown := sorted(given.keys() - names):
        raise SpecInvalid(f"job {job_id} has no target or judge {unknown[0]!r}", field="api_keys")
    targets = tuple(keyed(target) if isinstance(target, ModelTarget) else target for target in spec.targets)
    return spec.model_copy(update={"targets": targets, "tasks": tuple(map(of_task, spec.tasks))})
