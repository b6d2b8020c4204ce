"""Real engines over a workspace in a temporary folder, with a scripted model and without Prefect."""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from core.job import Job, NewJob, Progress, random_id
from core.plan import Shard
from core.result import Score, Summary
from core.settings import Settings
from core.spec import EvaluationSpec
from store.workspace import Workspace
from tasks.aggregate import aggregate
from tasks.engine.engine import Engine, Visit
from tasks.generate import generate_shard
from tasks.judge import judge_shard
from tasks.resolve import resolve_job
from tests.scripted import ScriptedEndpoint, last_content


@dataclass
class Lab:
    """A workspace, a model, and what the engines said."""

    workspace: Workspace
    model: ScriptedEndpoint
    said: list[str] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """The prompts that came, in their order."""
        return [last_content(call["body"]) for call in self.model.calls]

    def add(self, spec: EvaluationSpec, keys: Mapping[str, str] = {}) -> Job:
        job_id = random_id("job-")
        job = NewJob(id=job_id, face="nemo-v2", spec=spec, request={}, name=job_id)
        return self.workspace.jobs.add(job, self.workspace.vault.encrypt(keys))

    @contextmanager
    def engaged(self, job: Job, attempt: int = 1) -> Iterator[Engine]:
        engine = Engine(self.workspace, job, attempt=attempt, worker="lab", tell=self.said.append)
        with engine.engaged():
            resolve_job(engine)
            yield engine

    def carry_out(self, job: Job) -> list[Summary]:
        """Take a job through all its stages, each shard at its last attempt."""
        with self.engaged(job) as engine, engine.failing():
            for shard in engine.manifest.shards:
                generate_shard(engine, shard, final=True)
                judge_shard(engine, shard, final=True)
            return aggregate(engine)

    def visit(self, engine: Engine) -> Engine:
        """Visit an engine, as another process does that a task runner sends it to."""
        visit: Visit = pickle.loads(pickle.dumps(engine))
        guest = Engine(self.workspace, engine.job, attempt=1, worker="guest", tell=self.said.append, hold=visit.hold)
        guest.visit(visit.lease)
        return guest

    def progress(self, job: Job) -> Progress:
        return self.workspace.jobs.progress([job.id])[job.id]

    def shards(self, job: Job) -> tuple[Shard, ...]:
        manifest = self.workspace.folder(job.id).read_manifest()
        assert manifest is not None
        return manifest.shards

    def scores(self, job: Job) -> list[Score]:
        folder = self.workspace.folder(job.id)
        return [score for shard in self.shards(job) for score in folder.read_scores(shard) or []]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(Settings(home=tmp_path_factory.mktemp("home")), migrating=True)


@pytest.fixture
def lab(workspace: Workspace, endpoint: ScriptedEndpoint) -> Lab:
    return Lab(workspace, endpoint)
