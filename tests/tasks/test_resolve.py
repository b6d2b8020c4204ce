import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.endpoint import Endpoint, Prompt
from core.errors import DatasetUnreadable, InvalidInput, TemplateInvalid
from core.metric import StringCheck
from core.plan import Manifest
from core.spec import EvaluationSpec, FilesDataset, ModelTarget, Params, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from tasks.datasets.found import Sources
from tasks.engine.calls import Stopped
from tasks.resolve import freeze, resolve
from tests.tasks.datasets.given import no_upload

ALONE = RecordedTarget()
MODEL = ModelTarget(endpoint=Endpoint(url="http://127.0.0.1:1/v1", model="m"))
EQUAL = StringCheck(name="equal", left="{{ n }}", operator="equals", right="{{ item.n }}")
QUESTION = Prompt(body={"messages": [{"role": "user", "content": "{{ n }}"}]})


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "results", "job-1")


def run(
    folder: JobFolder, spec: EvaluationSpec, root: Path | None = None, report: Callable[[str], None] = lambda _: None
) -> Manifest:
    return resolve("job-1", spec, folder, Sources(root, no_upload, str), code_version="1.0", report=report)


def rows_task(count: int, name: str = "qa", **fields: Any) -> TaskSpec:
    return TaskSpec(name=name, dataset=RowsDataset(rows=[{"n": i} for i in range(count)]), metrics=(EQUAL,), **fields)


def test_the_rows_are_frozen_in_shards_before_the_manifest(folder: JobFolder) -> None:
    said: list[str] = []
    spec = EvaluationSpec(targets=(ALONE,), tasks=(rows_task(60), rows_task(3, name="small")))
    manifest = run(folder, spec, report=said.append)
    assert [(shard.task, shard.start, shard.stop) for shard in manifest.shards] == [
        ("qa", 0, 25),
        ("qa", 25, 50),
        ("qa", 50, 60),
        ("small", 0, 3),
    ]
    assert [row["n"] for shard in manifest.shards for row in folder.read_samples(shard)] == [*range(60), 0, 1, 2]
    assert [(digest.task, digest.rows) for digest in manifest.datasets] == [("qa", 60), ("small", 3)]
    assert folder.read_manifest() == manifest
    assert said == ["task 'qa': 60 rows, templates checked", "task 'small': 3 rows, templates checked"]


def test_the_rows_that_are_read_are_told_as_they_come(folder: JobFolder) -> None:
    told: list[tuple[str, int]] = []
    spec = EvaluationSpec(targets=(ALONE,), tasks=(rows_task(3), rows_task(1, name="small")))
    sources = Sources(None, no_upload, str)
    resolve(
        "job-1",
        spec,
        folder,
        sources,
        code_version="1.0",
        report=lambda _: None,
        read=lambda task, rows: told.append((task, rows)),
    )
    assert told == [("qa", 1), ("qa", 2), ("qa", 3), ("small", 1)]


def test_a_job_that_is_to_stop_does_so_at_its_next_row(folder: JobFolder) -> None:
    spec = EvaluationSpec(targets=(ALONE,), tasks=(rows_task(60),))
    rows_left = iter(range(9))

    def heed() -> None:
        if next(rows_left, None) is None:
            raise Stopped

    with pytest.raises(Stopped):
        resolve("job-1", spec, folder, Sources(None, no_upload, str), code_version="1.0", report=print, heed=heed)
    assert folder.read_manifest() is None
    assert [(digest.task, digest.rows) for digest in run(folder, spec).datasets] == [("qa", 60)]


def test_a_manifest_that_exists_is_returned_as_it_is(folder: JobFolder, tmp_path: Path) -> None:
    data = tmp_path / "org" / "ds" / "d.jsonl"
    data.parent.mkdir(parents=True)
    data.write_text('{"n": 1}\n{"n": 2}\n')
    dataset = FilesDataset(url="hf://datasets/org/ds/d.jsonl")
    spec = EvaluationSpec(targets=(ALONE,), tasks=(TaskSpec(name="qa", dataset=dataset, metrics=(EQUAL,)),))
    first = run(folder, spec, tmp_path)
    data.unlink()
    assert run(folder, spec, tmp_path) == first
    assert folder.read_samples(first.shards[0]) == [{"n": 1}, {"n": 2}]


def test_what_was_not_taken_as_it_is_stays_in_the_notes(folder: JobFolder, tmp_path: Path) -> None:
    data = tmp_path / "org" / "ds" / "d.json"
    data.parent.mkdir(parents=True)
    asked = {"id": "1", "question": "Which?", "answers": []}
    data.write_text(json.dumps({"data": [{"title": "t", "paragraphs": [{"context": "c", "qas": [asked]}]}] * 2}))
    task = TaskSpec(name="qa", dataset=FilesDataset(url="hf://datasets/org/ds/d.json"))
    said: list[str] = []
    manifest = run(folder, EvaluationSpec(targets=(ALONE,), tasks=(task,)), tmp_path, report=said.append)
    assert manifest.notes == (
        "task 'qa': d.json: its rows are the questions of SQuAD's articles; the articles are if a template names "
        "'paragraphs'",
    )
    assert said == [*manifest.notes, "task 'qa': 2 rows, templates checked"]


@pytest.mark.parametrize(
    ("of_job", "of_task", "expected"),
    [(None, None, 9), (4, None, 4), (None, 5, 5), (4, 5, 4), (5, 4, 4), (99, 99, 9)],
)
def test_the_smaller_limit_holds_from_the_first_row(
    folder: JobFolder, of_job: int | None, of_task: int | None, expected: int
) -> None:
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[{"n": i} for i in range(9)]), limit=of_task)
    spec = EvaluationSpec(targets=(ALONE,), tasks=(task,), params=Params(limit_samples=of_job))
    manifest = run(folder, spec)
    assert manifest.datasets[0].rows == expected
    assert folder.read_samples(manifest.shards[0]) == [{"n": i} for i in range(expected)]


def test_the_shards_of_a_large_job_allow_for_its_stages(folder: JobFolder, tmp_path: Path) -> None:
    data = tmp_path / "org" / "ds" / "d.jsonl"
    data.parent.mkdir(parents=True)
    data.write_text('{"n": 1}\n' * 46_000)
    task = TaskSpec(name="qa", dataset=FilesDataset(url="hf://datasets/org/ds"), prompts={"target": QUESTION})
    asking = run(folder, EvaluationSpec(targets=(MODEL,), tasks=(task,)), tmp_path)
    assert len(asking.shards[0]) == 512  # 46,000 samples in two stages, in at most 180 task runs
    assert asking.datasets[0].rows == 46_000
    assert folder.read_samples(asking.shards[-1])[-1] == {"n": 1}


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        (TaskSpec(name="qa", dataset=RowsDataset(rows=[])), DatasetUnreadable),
        (TaskSpec(name="qa", dataset=RowsDataset(rows=[{"m": 1}]), metrics=(EQUAL,)), TemplateInvalid),
        (TaskSpec(name="qa", dataset=FilesDataset(url="hf://datasets/org/none")), DatasetUnreadable),
    ],
)
def test_what_is_refused_leaves_nothing_behind(
    folder: JobFolder, tmp_path: Path, task: TaskSpec, kind: type[InvalidInput]
) -> None:
    with pytest.raises(kind) as refused:
        run(folder, EvaluationSpec(targets=(ALONE,), tasks=(rows_task(30, name="fine"), task)), tmp_path)
    assert refused.value.blame == "user"
    assert folder.read_manifest() is None
    assert not folder.path.exists()


def test_the_digest_is_that_of_the_rows_as_canonical_json_lines() -> None:
    rows: list[dict[str, Any]] = [{"b": "é", "a": [1, None]}, {"a": 2.5}]
    texts: list[bytes] = []
    digest = freeze("qa", rows, texts.append)
    canonical = "".join(
        json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows
    )
    assert digest.sha256 == hashlib.sha256(canonical.encode()).hexdigest()
    assert [text.decode() for text in texts] == ['{"b":"é","a":[1,null]}', '{"a":2.5}']
    assert freeze("qa", [{"a": [1, None], "b": "é"}, {"a": 2.5}], texts.append) == digest


def test_a_row_too_deep_to_keep_is_named() -> None:
    row: dict[str, Any] = {}
    for _ in range(500):
        row = {"n": row}
    with pytest.raises(DatasetUnreadable, match=r"task 'qa', row 2 cannot be kept as JSON: .*ecursion") as refused:
        freeze("qa", [{}, row], str)
    assert len(refused.value.message) < 100


@given(
    st.lists(st.dictionaries(st.text(), st.none() | st.integers(-(2**63), 2**63) | st.text(), max_size=4), min_size=1)
)
def test_frozen_rows_are_the_rows(rows: list[dict[str, Any]]) -> None:
    texts: list[bytes] = []
    digest = freeze("qa", rows, texts.append)
    assert [json.loads(text) for text in texts] == rows
    assert digest.rows == len(rows)


def test_a_dataset_in_which_nothing_weighs_anything_is_refused(folder: JobFolder) -> None:
    rows: list[dict[str, Any]] = [{"n": 1, "share": 0}, {"n": 2, "share": "0"}]
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=rows), metrics=(EQUAL,), weight="share")
    with pytest.raises(DatasetUnreadable, match=r"^task 'qa': no row weighs anything: 'share' is 0 in all of them$"):
        run(folder, EvaluationSpec(targets=(ALONE,), tasks=(task,)))
    assert folder.read_manifest() is None
