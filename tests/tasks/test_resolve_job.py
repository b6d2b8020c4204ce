from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from core.errors import AssayError
from core.metric import StringCheck
from core.spec import EvaluationSpec, FilesDataset, RecordedTarget, TaskSpec
from tests.tasks.conftest import Lab

ALONE = RecordedTarget()
EQUAL = StringCheck(name="equal", left="{{ n }}", operator="equals", right="{{ item.n }}")


def file_task(url: str, **fields: Any) -> TaskSpec:
    return TaskSpec(name="qa", dataset=FilesDataset(url=url, **fields), metrics=(EQUAL,))


def test_a_job_reads_an_upload_and_a_dataset_below_the_root(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "org" / "ds").mkdir(parents=True)
    (tmp_path / "org" / "ds" / "d.jsonl").write_text('{"n": 1}\n')
    settings = lab.workspace.settings.model_copy(update={"datasets": tmp_path})
    lab = replace(lab, workspace=replace(lab.workspace, settings=settings))
    upload = lab.workspace.files.save([b'{"n": 2}\n{"n": 3}\n'], filename="d.jsonl", purpose="eval", file_type="jsonl")
    for url, expected in ((f"file:{upload.id}", [{"n": 2}, {"n": 3}]), ("hf://datasets/org/ds", [{"n": 1}])):
        job = lab.add(EvaluationSpec(targets=(ALONE,), tasks=(file_task(url, format="jsonl"),)))
        with lab.engaged(job) as engine:
            assert engine.folder.read_samples(engine.manifest.shards[0]) == expected
            assert engine.manifest == engine.folder.read_manifest()
            assert (engine.manifest.job_id, engine.manifest.code_version) == (job.id, version("assay-evals"))
    assert lab.said == ["task 'qa': 2 rows, templates checked", "task 'qa': 1 rows, templates checked"]


def test_an_upload_that_is_gone_is_named(lab: Lab) -> None:
    job = lab.add(EvaluationSpec(targets=(ALONE,), tasks=(file_task("file:file-none"),)))
    with pytest.raises(AssayError) as refused, lab.engaged(job):
        pass
    assert refused.value.blame == "user"
    assert not lab.workspace.folder(job.id).read_manifest()


def test_a_dataset_s_key_that_is_no_longer_kept_is_named_by_its_reference(lab: Lab) -> None:
    job = lab.add(EvaluationSpec(targets=(ALONE,), tasks=(file_task("hf://datasets/org/ds", token="store:gone"),)))
    with pytest.raises(AssayError, match="store:gone is no longer kept"), lab.engaged(job):
        pass
    assert lab.said == []
