import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SpecInvalid
from core.job import Failure, job_id_of
from core.settings import Settings
from core.spec import EvaluationSpec
from flows.form import Asked
from flows.local_files import with_uploads
from flows.register import register
from flows.spec_file import MOST_BYTES, FileBounds, keep_rows, read_spec
from store.workspace import Workspace
from tests.inputs import inline, rows_of

SPEC = """\
targets: [{kind: model, endpoint: {url: "http://host/v1", model: m, api_key: "env:KEY"}}]
tasks:
  - name: qa
    dataset: {kind: rows, rows: [{question: q, token: "not a key"}]}
    prompts: {target: {body: {prompt: "{{item.question}}"}}}
"""

ROWS = "{kind: files, url: ./rows.jsonl}"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with closing(Workspace.open(Settings(home=tmp_path), migrating=True)) as opened:
        yield opened


def no_rows(path: Path, _: str | None) -> str:
    pytest.fail(f"{path} is kept")


def read(tmp_path: Path, text: str, **overrides: int) -> EvaluationSpec:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    return read_spec(path, overrides, no_rows)


@given(st.uuids(), st.uuids())
def test_a_run_has_one_job_id_and_it_is_its_own(one: UUID, other: UUID) -> None:
    assert re.fullmatch("job-[a-z0-9]{22}", job_id_of(one))
    assert (job_id_of(one) == job_id_of(other)) == (one == other)


def test_a_run_registers_one_job_however_often_it_tries(workspace: Workspace) -> None:
    run_id, asked = uuid4(), Asked(target="ns/t", config="ns/c", limit_samples=3)
    first, again = (register(workspace, run_id, asked) for _ in range(2))
    assert first == again
    assert (first.flow_run_id, first.face, first.status) == (str(run_id), "nemo-v2", "created")
    assert first.request == {"spec": {"target": "ns/t", "config": "ns/c"}, "limit_samples": 3}
    assert [job.id for job in workspace.jobs.incomplete()] == [first.id]
    assert workspace.jobs.undispatched() == []


def test_a_name_that_is_taken_gets_the_end_of_the_id(workspace: Workspace) -> None:
    run_id = uuid4()
    assert register(workspace, uuid4(), Asked(name="nightly")).name == "nightly"
    second = register(workspace, run_id, Asked(name="nightly"))
    assert second.name == f"nightly-{second.id[-6:]}"
    assert register(workspace, run_id, Asked(name="nightly")) == second


def test_a_job_is_completed_once(workspace: Workspace, tmp_path: Path) -> None:
    job, spec = register(workspace, uuid4(), Asked()), read(tmp_path, SPEC)
    workspace.jobs.complete(job.id, spec=spec, model="m", request={"spec": {}})
    workspace.jobs.complete(job.id, failure=Failure(blame="user", code="c", message="too late"))
    completed = workspace.jobs.get(job.id)
    assert (inline(workspace.files, completed.spec), completed.model, completed.failure) == (spec, "m", None)
    assert workspace.jobs.incomplete() == []


def test_a_file_is_read_with_other_parameters(tmp_path: Path) -> None:
    spec = read(tmp_path, SPEC, limit_samples=5)
    assert spec.params.limit_samples == 5
    assert spec.params.parallelism is None
    assert read(tmp_path, spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"env:KEY"', '"sk-secret"'),
        ('"http://host/v1"', '"http://user:sk-secret@host/v1"'),
        ('"env:KEY"', '"store:sk-secret"'),
    ],
)
def test_a_key_in_a_file_is_refused_without_being_repeated(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(SpecInvalid, match="env:NAME") as refusal:
        read(tmp_path, SPEC.replace(old, new))
    assert "sk-secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("targets: [", "neither YAML nor JSON"),
        ("- a list", "no object"),
        ("targets: []\ntasks: []", "targets"),
        ("!!python/object/apply:os.system [true]", "neither YAML nor JSON"),
    ],
)
def test_a_file_that_is_no_specification_says_so(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecInvalid, match=message):
        read(tmp_path, text)
    with pytest.raises(SpecInvalid, match="cannot be read"):
        read_spec(tmp_path / "absent.yaml", {}, no_rows)


BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_a_file_whose_aliases_mean_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecInvalid, match="means more than"):
        read(tmp_path, BOMB)
    with pytest.raises(SpecInvalid):
        read(tmp_path, "a: &a [*a]")
    with pytest.raises(SpecInvalid):
        read(tmp_path, "[" * 5_000)


@pytest.mark.parametrize(
    "named",
    ["/dev/zero", "/dev/stdin", "/proc/self/environ", "/etc/passwd", "../spec.yaml", "link.yaml", "pipe", ".", "long"],
)
def test_a_deployment_reads_no_file_but_a_short_one_in_its_folders(tmp_path: Path, named: str) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (tmp_path / "spec.yaml").write_text(SPEC)
    (folder / "link.yaml").symlink_to(tmp_path / "spec.yaml")
    os.mkfifo(folder / "pipe")
    (folder / "long").write_bytes(b" " * (MOST_BYTES + 1))
    bounds = FileBounds.of_deployments(Settings(home=tmp_path, key_variables=("KEY",)))
    with pytest.raises(SpecInvalid):
        read_spec(folder / named, {}, no_rows, bounds)
    with pytest.raises(SpecInvalid):
        read_spec(folder / "pipe", {}, no_rows)


def test_rows_beside_the_file_are_kept_with_the_job_once_for_each_content(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "rows.jsonl").write_text('{"question": "a"}\n')
    (folder / "spec.yaml").write_text(SPEC.replace('{kind: rows, rows: [{question: q, token: "not a key"}]}', ROWS))
    job = register(workspace, uuid4(), Asked(spec_file="spec.yaml"))
    bounds = FileBounds.of_deployments(Settings(home=tmp_path, key_variables=("KEY",)))
    keep = keep_rows(workspace.files, job.id, bounds)
    first, again = (read_spec(folder / "spec.yaml", {}, keep, bounds) for _ in range(2))
    assert first == again
    assert rows_of(workspace.files, first) == [{"question": "a"}]
    workspace.jobs.remove(job.id)
    assert workspace.files.newest() == []


@pytest.mark.parametrize(
    ("named", "told"),
    [("../rows.jsonl", "is not below the folders of ASSAY_SPEC_FOLDERS"), ("none.jsonl", "cannot be read")],
)
def test_rows_that_may_not_be_read_are_refused_by_the_field(
    workspace: Workspace, tmp_path: Path, named: str, told: str
) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    keep = keep_rows(workspace.files, "job-1", FileBounds((tmp_path / "specs",)))
    with pytest.raises(SpecInvalid, match=rf"^tasks\.0\.dataset\.url: .*{told}") as refused:
        with_uploads({"tasks": [{"dataset": {"url": named}}]}, tmp_path / "specs", keep)
    assert refused.value.field == "tasks.0.dataset.url"


def test_a_file_of_a_deployment_names_only_the_variables_that_the_settings_list(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "spec.yaml").write_text(SPEC)
    listed = Settings(home=tmp_path, key_variables=("KEY",))
    assert read_spec(folder / "spec.yaml", {}, no_rows, FileBounds.of_deployments(listed))
    for settings in (Settings(home=tmp_path), Settings(home=tmp_path, key_variables=("KEY",), api_keys=("k",))):
        with pytest.raises(SpecInvalid, match="ASSAY_KEY_VARIABLES"):
            read_spec(folder / "spec.yaml", {}, no_rows, FileBounds.of_deployments(settings))
