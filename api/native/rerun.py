"""From a job to another that makes all of it again, and pays for it."""

from api.native.retry_keys import Keys
from core.errors import Conflict, SpecInvalid
from core.job import TERMINAL, Job, NewJob, random_id, renamed
from core.spec import EvaluationSpec, FilesDataset
from store.secrets import is_reference
from store.workspace import Workspace


def to_rerun(workspace: Workspace, first: Job) -> tuple[NewJob, dict[str, str]]:
    """Return the job that makes again all that `first` does, and its keys, by id.

    Raises Conflict for a job that has not ended or has no specification, and SpecInvalid where a key is needed that was
    deleted.
    """
    if first.status not in TERMINAL:
        raise Conflict(f"job {first.id} is {first.status}: run it again once it has ended")
    if first.spec is None:
        raise Conflict(f"job {first.id} has no specification that could be run again")
    keys = Keys.of(workspace, first, {}, frozenset())
    spec = _with_datasets(keys.give(first.spec, lambda _: True, first.id), first.spec, first.id)
    return successor(first, spec), keys.copied


def successor(first: Job, spec: EvaluationSpec, *, name: str | None = None) -> NewJob:
    """Return a job in the place of another; unless it is given a name it has that one's, with the end of its own id."""
    job_id = random_id("job-")
    is_unnamed = name is None and first.name == first.id
    job = NewJob(
        id=job_id,
        face="nemo-v2",
        spec=spec,
        request={"spec": spec.model_dump(mode="json")},
        name=job_id if is_unnamed else name or first.name,
        namespace=first.namespace,
        project=first.project,
        description=first.description,
        target=first.target,
        config=first.config,
        model=spec.model,
    )
    return job if name or is_unnamed else renamed(job)


def _with_datasets(spec: EvaluationSpec, first: EvaluationSpec, job_id: str) -> EvaluationSpec:
    """Return a specification that reads its datasets anew."""
    for task in first.tasks:
        if isinstance(task.dataset, FilesDataset) and is_reference(task.dataset.token):
            raise SpecInvalid(
                f"the key of the dataset of {task.name!r} was deleted as job {job_id} ended: send it again"
            )
    tasks = (
        task.model_copy(update={"dataset": old.dataset}) for task, old in zip(spec.tasks, first.tasks, strict=True)
    )
    return spec.model_copy(update={"tasks": tuple(tasks)})
