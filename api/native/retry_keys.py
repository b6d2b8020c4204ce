"""The keys of a retry: those that came with the job before it were deleted at its end."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from core.endpoint import Endpoint, SecretRef
from core.errors import NotFound, SpecInvalid
from core.job import Job, random_id
from core.metric import Judge
from core.spec import EvaluationSpec, FilesDataset, ModelTarget, TaskSpec
from store.db.entities import Entities
from store.secrets import STORED, is_reference, is_url_field
from store.workspace import Workspace

Model = ModelTarget | Judge
Keyed = TypeVar("Keyed", ModelTarget, Judge)


@dataclass(frozen=True)
class Keys:
    """What the models of a retry are asked with, by the names of targets and judges.

    `given` are references to keys that came with the request, whose ids are among the `new`. `owned` are the endpoints
    for which the job that this one goes back to had keys; those that are still `kept` with the target and config that
    it named are used again, as `copied`, by id.
    """

    given: Mapping[str, SecretRef]
    new: frozenset[str]
    owned: Mapping[str, Endpoint]
    kept: Mapping[str, str]
    copied: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, workspace: Workspace, first: Job, given: Mapping[str, SecretRef], new: frozenset[str]) -> "Keys":
        """Look for the keys of the job that `first` goes back to."""
        root = _root(workspace, first)
        models = list(_models(root.spec)) if root.spec else []
        owned = {each.name: each.endpoint for each in models if is_reference(each.endpoint.api_key)}
        stored = dict(_stored_keys(workspace, root))
        kept = {name: stored[key] for name, endpoint in owned.items() if (key := endpoint.api_key or "") in stored}
        return cls(given, new, owned, kept)

    def give(self, spec: EvaluationSpec, needs: Callable[[Model], bool], job_id: str) -> EvaluationSpec:
        """Return a specification with its keys; no key is where a model is not asked.

        Raises SpecInvalid for a key that is needed and not there, and one that is given for nothing.
        """

        def keyed(model: Keyed) -> Keyed:
            key = self._key(model, needed=needs(model))
            return model.model_copy(update={"endpoint": model.endpoint.model_copy(update={"api_key": key})})

        def of_task(task: TaskSpec) -> TaskSpec:
            metrics = tuple(keyed(metric) if isinstance(metric, Judge) else metric for metric in task.metrics)
            dataset = task.dataset
            if isinstance(dataset, FilesDataset):  # it is read no more
                dataset = dataset.model_copy(update={"token": None})
            return task.model_copy(update={"metrics": metrics, "dataset": dataset})

        self._refuse_gone(spec, needs, job_id)
        if unknown := sorted(self.given.keys() - {model.name for model in _models(spec)}):
            raise SpecInvalid(f"job {job_id} asks no target or judge {unknown[0]!r}", field="api_keys")
        targets = tuple(keyed(target) if isinstance(target, ModelTarget) else target for target in spec.targets)
        return spec.model_copy(update={"targets": targets, "tasks": tuple(map(of_task, spec.tasks))})

    def _refuse_gone(self, spec: EvaluationSpec, needs: Callable[[Model], bool], job_id: str) -> None:
        """Raise SpecInvalid naming all keys that are needed and not there."""
        there = self.given.keys() | self.kept.keys()
        gone = [each for each in _models(spec) if each.name not in there and self._is_gone(each) and needs(each)]
        names = list(dict.fromkeys(each.name for each in gone))
        if names:
            named = ", ".join(map(repr, names))
            keys, them = (f"key of {named} was", "it") if len(names) == 1 else (f"keys of {named} were", "them")
            options = " ".join(f"--key {name}=env:VARIABLE" for name in names)
            raise SpecInvalid(
                f"the {keys} deleted as job {job_id} ended: send {them} again ({options}, or api_keys)",
                field="api_keys",
            )

    def _key(self, model: Model, *, needed: bool) -> SecretRef | None:
        name, key = model.name, model.endpoint.api_key
        if name in self.given:
            return self.given[name]
        if not self._is_gone(model):
            return key
        if not needed:
            return None
        key_id = random_id("")
        self.copied[key_id] = self.kept[name]
        return STORED + key_id

    def _is_gone(self, model: Model) -> bool:
        """Tell whether a model had a key that was deleted; an earlier retry may have done without it."""
        key, owned = model.endpoint.api_key, self.owned.get(model.name)
        if key is None:
            return owned is not None and owned.model_copy(update={"api_key": None}) == model.endpoint
        return is_reference(key) and key.removeprefix(STORED) not in self.new


def _models(spec: EvaluationSpec) -> Iterator[Model]:
    yield from (target for target in spec.targets if isinstance(target, ModelTarget))
    yield from (metric for task in spec.tasks for metric in task.metrics if isinstance(metric, Judge))


def _root(workspace: Workspace, job: Job) -> Job:
    """Return the job that a chain of retries goes back to, as far as it is still there."""
    while job.retry_of:
        try:
            job = workspace.jobs.get(job.retry_of)
        except NotFound:
            break
    return job


def _stored_keys(workspace: Workspace, job: Job) -> Iterator[tuple[SecretRef, str]]:
    """Yield the keys of the stored target and config that a job named, by the references to its own copies of them."""
    request = job.request.get("spec", job.request)
    for kind, entities, name in (
        ("target", workspace.targets, job.target),
        ("config", workspace.configs, job.config),
    ):
        for copy, reference in _same(request.get(kind), _stored(entities, name or "")):
            yield copy, workspace.vault.reveal(reference)


def _stored(entities: Entities, name: str) -> Any:
    namespace, _, own = name.rpartition("/")
    try:
        return entities.get(namespace or "default", own).body
    except NotFound:
        return None


def _same(then: Any, now: Any) -> Iterator[tuple[SecretRef, SecretRef]]:
    """Yield the references to keys in the same place, beside the same URL and all else: the key goes where it went."""
    if isinstance(then, list) and isinstance(now, list):
        for each in zip(then, now, strict=False):
            yield from _same(*each)
    if not (isinstance(then, dict) and isinstance(now, dict)):
        return
    is_unchanged = _without_keys(then) == _without_keys(now) and any(map(is_url_field, then))
    for name, value in then.items():
        if not is_reference(value):
            yield from _same(value, now.get(name))
        elif is_unchanged and is_reference(now.get(name)):
            yield value, now[name]


def _without_keys(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if not is_reference(value)}
