import io
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.nemo.present.archive import TOP, Entry, entries, log_entry, samples_json, tar_stream, zip_stream
from core.job import Job
from core.plan import Manifest, Shard, cut_shards
from core.result import Call, CallKey, Output, Score
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from store.results.folder import JobFolder
from store.results.log import JobLog, read_log

TIME = datetime.fromisoformat("2025-08-11T08:51:05.305123")
NAMES = st.text("abc/._-", min_size=1, max_size=20).filter(lambda name: name.strip("/."))
CONTENTS = st.dictionaries(NAMES, st.lists(st.binary(max_size=2_000), max_size=4), max_size=4)


def spec(*tasks: str) -> EvaluationSpec:
    dataset = RowsDataset(rows=[{"a": 1}])
    return EvaluationSpec(
        targets=(RecordedTarget(),), tasks=tuple(TaskSpec(name=name, dataset=dataset) for name in tasks)
    )


def judged(results: Path, samples: dict[str, int], *, pad: str = "", trials: int = 1) -> JobFolder:
    """The folder of a job whose every sample was generated, judged once, and scored, in each of its trials."""
    folder = JobFolder(results, "eval-Job1")
    shards = cut_shards(samples, 2)
    for shard in shards:
        numbers = range(shard.start, shard.stop)
        folder.write_samples(shard, [orjson.dumps({"n": n, "pad": pad}).decode() for n in numbers])
        asked = [(n, trial, f"out {n}{' again' * trial}") for n in numbers for trial in range(trials)]
        calls = [
            call(shard, n, "target", {"choices": [{"message": {"content": said}}], "pad": pad}, trial)
            for n, trial, said in asked
        ]
        outputs = [Output(shard.task, n, "target", trial, text=said) for n, trial, said in asked]
        folder.finish_generate(shard, outputs, calls)
        scores = [
            Score(shard.task, n, "target", trial, "judge", "grade", "scored", value=n + trial / 2)
            for n, trial, _ in asked
        ]
        folder.finish_judge(shard, scores, [call(shard, n, "judge", {"grade": n}, trial) for n, trial, _ in asked])
    manifest = Manifest(job_id=folder.job_id, code_version="1", spec=spec(*samples), shards=shards, datasets=())
    folder.write_manifest(manifest)
    return folder


def call(shard: Shard, sample: int, role: Any, response: dict[str, Any], trial: int = 0) -> Call:
    key = CallKey(shard.task, sample, "target", trial, role, "judge" if role == "judge" else "", 0)
    return Call(key, "answered", orjson.dumps({"ask": role}).decode(), orjson.dumps(response).decode(), 200)


def test_each_trial_of_a_sample_stands_with_what_is_its_own(tmp_path: Path) -> None:
    folder = judged(tmp_path, {"qa": 2}, trials=2)
    (samples,) = orjson.loads(b"".join(samples_json(folder))).values()
    assert [
        (each["item"]["n"], each["sample"]["output_text"], each["metrics"]["judge"]["scores"]["grade"]["value"])
        for each in samples
    ] == [(0, "out 0", 0.0), (0, "out 0 again", 0.5), (1, "out 1", 1.0), (1, "out 1 again", 1.5)]
    assert [len(each["requests"]) for each in samples] == [2] * 4


def test_the_samples_of_every_task_stand_with_scores_and_calls_in_order(tmp_path: Path) -> None:
    whole = orjson.loads(b"".join(samples_json(judged(tmp_path, {"qa": 60, 'q"b': 1}))))
    assert {task: len(samples) for task, samples in whole.items()} == {"qa": 60, 'q"b': 1}
    response = {"choices": [{"message": {"content": "out 59"}}], "pad": ""}
    assert whole["qa"][59] == {
        "item": {"n": 59, "pad": ""},
        "sample": {"output_text": "out 59", "response": response},
        "metrics": {"judge": {"scores": {"grade": {"value": 59.0, "stats": None}}}},
        "requests": [
            {"request": {"ask": "target"}, "response": response},
            {"request": {"ask": "judge"}, "response": {"grade": 59}},
        ],
    }


def test_what_could_not_be_had_is_said_and_no_answer_is_taken_as_it_came(tmp_path: Path) -> None:
    folder = judged(tmp_path, {"qa": 2})
    manifest = folder.read_manifest()
    assert manifest is not None
    (shard,) = manifest.shards
    lost = Call(CallKey("qa", 0, "target", 0, "target", "", 0), "error", "{}", "<html>", 500, "HTTP 500")
    refused = Call(CallKey("qa", 1, "target", 0, "target", "", 0), "error", "{}", '{"error": "no"}', 400, "HTTP 400")
    folder.finish_generate(shard, [Output("qa", 0, "target", outcome="target_error")], [lost, refused])
    folder.finish_judge(shard, [Score("qa", 0, "target", 0, "m", "s", "target_error", error="HTTP 500")], [])
    first, second = orjson.loads(b"".join(samples_json(folder)))["qa"]
    assert first["sample"] == {"output_text": None, "response": None}
    assert first["metrics"] == {"m": {"scores": {"s": {"value": "NaN", "stats": None}}}}
    assert first["requests"] == [{"request": {}, "response": "<html>"}]
    assert second["requests"] == [{"request": {}, "response": {"error": "no"}}]
    assert second["metrics"] == {}


def test_a_running_job_shows_the_shards_that_are_judged(tmp_path: Path) -> None:
    folder = judged(tmp_path, {"qa": 60})
    (folder.path / "scores" / "00001.parquet").unlink()
    samples = orjson.loads(b"".join(samples_json(folder)))["qa"]
    assert [sample["item"]["n"] for sample in samples] == [*range(25), *range(50, 60)]
    assert list(samples_json(JobFolder(tmp_path, "eval-none"))) == [b"{", b"}"]


def test_an_archive_has_the_job_its_scores_its_log_and_its_samples(tmp_path: Path) -> None:
    folder = judged(tmp_path, {"qa": 1})
    log = JobLog(folder.log_path)
    log.write("Running task qa")
    log.close()
    job = Job(id="eval-Job1", face="nemo-v1", spec=spec("qa"), request={}, name="j", created_at=TIME, updated_at=TIME)
    files = entries(job, folder, b'{"id": 1}', b'{"tasks": {}}')
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_stream(files, TIME)))) as archive:
        assert sorted(archive.namelist()) == ["eval-job1.log", "evaluation_results.json", "job.json", "results.json"]
        assert archive.read("job.json") == b'{"id": 1}'
        assert len(orjson.loads(archive.read("results.json"))["qa"]) == 1
        line = archive.read("eval-job1.log").decode()
    assert line.endswith(" - INFO - Running task qa\n")
    assert datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f")  # noqa: DTZ007 - the log says no zone


@given(CONTENTS)
def test_what_goes_into_an_archive_comes_out_of_it(contents: dict[str, list[bytes]]) -> None:
    files = [Entry(name, content) for name, content in contents.items()]
    whole = {name: b"".join(content) for name, content in contents.items()}
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_stream(files, TIME)))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == whole
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar_stream(files, TIME))), mode="r:gz") as tar:
        members = {member.name: tar.extractfile(member) for member in tar}
        assert {name: file.read() for name, file in members.items() if file} == {
            TOP + name: content for name, content in whole.items()
        }


@pytest.mark.thorough
@pytest.mark.parametrize("stream", [zip_stream, tar_stream])
def test_an_archive_is_never_whole_in_memory(tmp_path: Path, stream: Any) -> None:
    folder = judged(tmp_path, {"qa": 8_000}, pad="x" * 2_000)  # 16 MB of items, and as much of responses, twice

    def sizes(parts: Iterator[bytes]) -> Iterator[int]:
        tracemalloc.start()
        yield from map(len, parts)

    sum(sizes(stream([Entry("results.json", samples_json(folder))], TIME)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000


FORGED = "done\n2025-08-11 08:51:05,305 - ERROR - forged\r\x1b[2Jx\u2028y\x85z"


def test_a_message_is_one_line_of_the_log_whatever_it_holds(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path, "eval-Job1")
    log = JobLog(folder.log_path)
    log.write(FORGED)
    log.close()
    job = Job(id="eval-Job1", face="nemo-v1", spec=spec("qa"), request={}, name="j", created_at=TIME, updated_at=TIME)
    (line,) = b"".join(log_entry(job, folder).content).decode().splitlines()
    assert line.endswith(r"done\n2025-08-11 08:51:05,305 - ERROR - forged\r\x1b[2Jx\u2028y\x85z")
    assert len(folder.log_path.read_text().splitlines()) == 1
    assert read_log(folder.log_path).lines[0].message == FORGED
