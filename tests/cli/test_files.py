"""Files of the user's in specifications, and what is stored to be named: by the command line, over a real API."""

import json
from pathlib import Path

import pytest

from cli.client import Client
from cli.main import answer
from cli.specs import read_request, with_sent_files
from tests.api.conftest import Service

Capture = pytest.CaptureFixture[str]

SPEC = """\
targets: [{kind: recorded, column: said}]
tasks:
  - name: qa
    dataset: {kind: files, url: DATASET}
    metrics: [{type: string-check, name: correct, left: "{{said}}", operator: equals, right: "{{answer}}"}]
"""
TARGET = """\
type: model
model: {api_endpoint: {url: "http://127.0.0.1:1/v1", model_id: m, api_key: "env:MINE"}}
"""


def written(folder: Path, dataset: str) -> Path:
    (folder / "spec.yaml").write_text(SPEC.replace("DATASET", dataset))
    return folder / "spec.yaml"


@pytest.mark.parametrize("dataset", ["./rows.jsonl", "rows.csv", "data/rows.jsonl"])
def test_a_job_names_the_upload_of_a_file_that_is_sent_once(at: Service, tmp_path: Path, dataset: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / dataset).write_text('said,answer\na,"a"\n' if dataset.endswith("csv") else '{"said": "a"}\n')
    request, client = read_request(written(tmp_path, dataset)), Client()
    first, again = (with_sent_files(request.body, tmp_path, client) for _ in range(2))
    assert first == again
    record = at.state.files.get(first["spec"]["tasks"][0]["dataset"]["url"].removeprefix("file:"))
    assert record.filename == Path(dataset).name
    assert at.state.files.path(record).read_bytes() == (tmp_path / dataset).read_bytes()


@pytest.mark.parametrize(
    ("dataset", "content", "told"),
    [
        ("none.jsonl", None, "none.jsonl is not there"),
        (".", None, "is a folder: name a file in it"),
        ("rows.xlsx", b"PK\x03\x04", "is a ZIP archive or a workbook of Excel: unpack it"),
        ("rows.jsonl", b"", "rows.jsonl has no rows"),
        ("rows.jsonl", b'{"a": 1', "line 1 of rows.jsonl"),
    ],
)
def test_a_file_that_is_no_dataset_is_refused_before_there_is_a_job(
    at: Service, capsys: Capture, tmp_path: Path, dataset: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / dataset).write_bytes(content)
    jobs = at.http.get("/api/assay/v1/jobs").json()["pagination"]
    assert answer(["run", str(written(tmp_path, dataset))]) == 2
    assert at.http.get("/api/assay/v1/jobs").json()["pagination"] == jobs
    error = capsys.readouterr().err
    assert error.startswith("tasks.0.dataset.url: ")
    assert told in error


def test_a_file_is_uploaded_listed_and_deleted(at: Service, capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"a": 1}\n{"a": 2}\n')
    assert answer(["upload", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.err == "mine.jsonl: 18 bytes in 2 lines\n"
    url = printed.out.strip()
    assert answer(["files", "--json"]) == 0
    assert [each["filename"] for each in json.loads(capsys.readouterr().out) if f"file:{each['id']}" == url] == [
        "mine.jsonl"
    ]
    assert answer(["files", "delete", url]) == 0
    assert answer(["files", "delete", url]) == 2
    assert "there is no upload" in capsys.readouterr().err


def test_targets_are_stored_shown_and_deleted_and_their_keys_never_shown(
    at: Service, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "target.yaml"
    file.write_text(TARGET)
    assert answer(["targets", "create", str(file), "--name", "team/mine"]) == 2
    assert "api_key: the variable MINE is not set" in capsys.readouterr().err
    monkeypatch.setenv("MINE", "sk-clear-0123456789")
    assert answer(["targets", "create", str(file), "--name", "team/mine"]) == 0
    assert capsys.readouterr().out == "team/mine\n"
    assert answer(["targets", "list"]) == 0
    assert "team/mine" in capsys.readouterr().out
    for form in ([], ["--json"]):
        assert answer(["targets", "show", "team/mine", *form]) == 0
        shown = capsys.readouterr().out
        assert "model_id" in shown
        assert "sk-clear" not in shown
    assert answer(["targets", "create", str(file), "--name", "team/mine"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert answer(["targets", "delete", "team/mine"]) == 0
    assert answer(["targets", "show", "team/mine"]) == 2


def test_a_config_names_the_upload_of_its_dataset(at: Service, capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("question\nq\n")
    file = tmp_path / "config.yaml"
    file.write_text("type: custom\ntasks: {qa: {type: data, dataset: {files_url: rows.csv}}}\nname: qa\n")
    assert answer(["configs", "create", str(file)]) == 0
    assert capsys.readouterr().out == "default/qa\n"
    assert answer(["configs", "show", "qa", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["tasks"]["qa"]["dataset"]["files_url"].startswith("file:file-")


def test_a_name_that_is_none_is_refused(at: Service, capsys: Capture) -> None:
    assert answer(["configs", "show", "a/b/c"]) == 2
    assert "write NAMESPACE/NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("dataset", "row"),
    [
        ("{kind: rows, rows: [{said: a, reply: b}]}", None),
        ("{kind: files, url: rows.jsonl}", '{"said": "a", "reply": "b"}'),
    ],
)
def test_a_column_that_rows_at_hand_lack_is_refused_before_there_is_a_job(
    at: Service, capsys: Capture, tmp_path: Path, dataset: str, row: str | None
) -> None:
    if row is not None:
        (tmp_path / "rows.jsonl").write_text(f"{row}\n")
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC.replace("{kind: files, url: DATASET}", dataset))
    jobs = at.http.get("/api/assay/v1/jobs").json()["pagination"]
    assert answer(["run", str(file)]) == 2
    told = "task 'qa', metric 'correct' (right), row 1: no column 'answer'; columns: said, reply"
    assert capsys.readouterr().err.splitlines()[-1] == told
    assert at.http.get("/api/assay/v1/jobs").json()["pagination"] == jobs
