import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import NotFound
from core.job import Job, JobStatus, utcnow
from core.metric import Bleu, Code
from core.plan import DatasetDigest
from core.result import Call, Output, Score
from store.results.folder import JobFolder
from store.results.journal import Journal, read_journal
from tasks.fsck.results import Difference, fsck
from tasks.generate import generate_shard
from tests.scripted import Answer, Received, failure, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, recorded, rows, spec

ROWS = 30


def answering(call: Received) -> Answer:
    if call["body"]["model"] == "j":
        return text("no grade" if "a4" in last_content(call["body"]) else '{"score": 3}')
    answer = last_content(call["body"]).rpartition("ANSWER:")[2].strip()
    return failure(400, "not this one") if answer == "a9" else text(answer)


def end(lab: Lab, job: Job, status: JobStatus = "completed") -> JobFolder:
    folder = lab.workspace.folder(job.id)
    folder.write_job(replace(job, status=status, finished_at=utcnow()))
    return folder


@pytest.fixture
def done(lab: Lab) -> JobFolder:
    """A completed job of two shards, with failures of its target and its judge."""
    lab.model.script = answering
    metrics = (CORRECT, Bleu(name="bleu", references=("{{ item.answer }}",)), judge(lab.model.url))
    job = lab.add(spec(model(lab.model.url), rows(ROWS), *metrics, parallelism=8))
    lab.carry_out(job)
    return end(lab, job)


def difference(folder: JobFolder) -> Difference:
    found = fsck(folder).difference
    assert found is not None
    return found


# What is whole.


def test_nothing_differs_in_a_job_as_it_was_carried_out_and_everything_is_counted(lab: Lab, done: JobFolder) -> None:
    report = fsck(done)
    assert report.difference is None
    assert (report.job_id, report.status) == (done.job_id, "completed")
    assert (report.samples, report.outputs, report.scores) == (ROWS, ROWS, 3 * ROWS)
    assert report.calls == report.attempts == len(lab.model.calls) == 2 * ROWS - 1
    assert report.total_tokens == report.prompt_tokens + report.completion_tokens == 10 * (2 * ROWS - 2)


def test_a_job_of_recorded_outputs_and_users_code_is_whole_too(lab: Lab) -> None:
    code = Code(name="code", source="def run_evaluation(item):\n    return 1", item={"text": "{{ item.answer }}"})
    given: list[dict[str, Any]] = [{"first": "a", "answer": "a"}, {"first": None, "answer": "b"}]
    job = lab.add(spec(recorded("first"), given, CORRECT, code))
    lab.carry_out(job)
    report = fsck(end(lab, job))
    assert report.difference is None
    assert (report.outputs, report.scores, report.calls) == (2, 4, 0)


def test_a_job_that_has_not_ended_may_lack_what_it_has_not_come_to(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(ROWS), CORRECT))
    folder = lab.workspace.folder(job.id)
    with pytest.raises(NotFound, match="has no results"):
        fsck(folder)
    with lab.engaged(job) as engine:
        assert fsck(folder).difference is None
        generate_shard(engine, engine.manifest.shards[0], final=True)
        report = fsck(folder)
        assert (report.status, report.samples, report.outputs, report.scores) == (None, ROWS, 25, 0)
        assert report.difference is None
    end(lab, job)
    assert str(difference(folder)) == "scores/00000.parquet, shard 0: the file is missing"
    end(lab, job, "cancelled")
    assert fsck(folder).difference is None


# What is damaged.


def flips(data: bytes, count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    chance = random.Random(seed)
    for at in sorted(chance.sample(range(len(data)), min(count, len(data)))):
        yield at, data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def test_a_flipped_bit_in_any_parquet_file_is_found_wherever_it_is(done: JobFolder) -> None:
    paths = done.parquet_files()
    assert {path.parent.name for path in paths} >= {"samples", "calls", "outputs", "scores", "summaries"}
    for seed, path in enumerate(paths):
        data = path.read_bytes()
        for at, damaged in flips(data, 40, seed):
            path.write_bytes(damaged)
            assert difference(done).file == str(path.relative_to(done.path)), at
        path.write_bytes(data)
    assert fsck(done).difference is None


@pytest.fixture
def halfway(lab: Lab) -> Path:
    """The journal of a shard whose engine has died."""
    lab.model.script = answering
    job = lab.add(spec(model(lab.model.url), rows(3), CORRECT))
    folder = lab.workspace.folder(job.id)
    lab.carry_out(job)
    (shard,) = lab.shards(job)
    calls = folder.read_calls("generate", shard)
    for path in folder.parquet_files():
        if path.parent.name != "samples":
            path.unlink()
    with Journal(folder.journals.path("generate", shard)) as journal:
        for call in calls:
            journal.append(call)
    return journal.path


def test_a_flipped_bit_in_a_journal_is_found_wherever_it_is(halfway: Path) -> None:
    folder, data = JobFolder(halfway.parent.parent.parent, halfway.parent.parent.name[7:]), halfway.read_bytes()
    assert fsck(folder).difference is None
    for at, damaged in flips(data, 40, seed=1):
        halfway.write_bytes(damaged)
        found = difference(folder)
        assert (found.file, found.shard) == ("journal/generate-00000.journal", 0), at
        assert "is damaged" in found.problem
    halfway.write_bytes(data)
    assert fsck(folder).difference is None


def test_a_torn_end_is_no_damage_until_the_job_is_completed(lab: Lab, halfway: Path) -> None:
    folder, data = JobFolder(halfway.parent.parent.parent, halfway.parent.parent.name[7:]), halfway.read_bytes()
    for size in (1, len(data) // 2, len(data) - 1):
        halfway.write_bytes(data[:size])
        assert fsck(folder).difference is None, size
    assert len(read_journal(halfway).calls) == 2
    end(lab, lab.workspace.jobs.get(folder.job_id))
    assert difference(folder).problem == "the job is completed, and yet there is a journal"


# What was written, and is wrong.


def rewritten(rows: list[Score], sample: int, **fields: object) -> list[Score]:
    return [replace(row, **fields) if row.sample == sample and row.metric == "correct" else row for row in rows]  # type: ignore[arg-type]


def test_a_wrong_score_is_named_with_what_it_should_be(lab: Lab, done: JobFolder) -> None:
    _, shard = lab.shards(lab.workspace.jobs.get(done.job_id))
    scores, calls = done.read_scores(shard) or [], done.read_calls("judge", shard)
    done.finish_judge(shard, rewritten(scores, 27, value=0.0), calls)
    found = difference(done)
    assert (found.file, found.shard, found.sample) == ("scores/00001.parquet", 1, 27)
    assert (found.stored, found.recomputed) == (0.0, 1.0)
    assert str(found).endswith("value of qa / 27 / target / 0 / correct / string-check: stored 0.0, recomputed 1.0")
    done.finish_judge(shard, rewritten(scores, 27, outcome="judge_error"), calls)
    assert "value of a score that is 'judge_error'" in difference(done).problem


def test_a_row_too_few_or_too_many_is_named(lab: Lab, done: JobFolder) -> None:
    shard, _ = lab.shards(lab.workspace.jobs.get(done.job_id))
    scores, calls = done.read_scores(shard) or [], done.read_calls("judge", shard)
    outputs, paid = done.read_outputs(shard) or [], done.read_calls("generate", shard)

    def wrong(outputs: list[Output], paid: list[Call], scores: list[Score], calls: list[Call]) -> tuple[object, ...]:
        done.finish_generate(shard, outputs, paid)
        done.finish_judge(shard, scores, calls)
        found = difference(done)
        return found.file.split("/")[0], found.sample, found.stored, found.recomputed

    assert wrong(outputs[1:], paid, scores, calls) == ("outputs", 0, 0, 1)
    assert wrong(outputs, [*paid, paid[3]], scores, calls) == ("calls", 3, 2, 1)
    assert wrong(outputs, paid, scores[:-1], calls) == ("scores", 24, 0, 1)
    assert wrong(outputs, paid, [*scores, replace(scores[0], name="other")], calls) == ("scores", 0, 1, 0)
    assert wrong(outputs, paid, scores, calls[1:]) == ("calls", 0, 0, 1)


def test_a_summary_that_is_not_that_of_its_scores_is_named(done: JobFolder) -> None:
    summaries = done.read_summaries() or []
    mean = summaries[0].mean
    done.write_summaries([replace(summaries[0], mean=0.5), *summaries[1:]])
    found = difference(done)
    assert (found.file, found.sample, found.stored, found.recomputed) == ("summaries/00000.parquet", None, 0.5, mean)
    assert found.problem == "mean of qa / target / correct / string-check"


Change = Callable[[JobFolder], None]


def without_summaries(folder: JobFolder) -> None:
    folder.file("summaries", 0).unlink()


def with_other_samples(folder: JobFolder) -> None:
    manifest = folder.read_manifest()
    assert manifest is not None
    shard = manifest.shards[0]
    items = ['{"question":"q","answer":"a"}'] * len(shard)
    folder.write_samples(shard, items)


def with_another_digest(folder: JobFolder) -> None:
    manifest = folder.read_manifest()
    assert manifest is not None
    digest = DatasetDigest(task="qa", sha256="0" * 64, rows=ROWS)
    folder.write_manifest(manifest.model_copy(update={"datasets": (digest,)}))


def with_a_lost_shard(folder: JobFolder) -> None:
    manifest = folder.read_manifest()
    assert manifest is not None
    folder.write_manifest(manifest.model_copy(update={"shards": manifest.shards[:1]}))


def with_a_file_of_no_shard(folder: JobFolder) -> None:
    path = folder.file("scores", 1)
    path.with_name("00007.parquet").write_bytes(path.read_bytes())


def without_a_manifest(folder: JobFolder) -> None:
    (folder.path / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("change", "file", "problem"),
    [
        (without_summaries, "summaries/00000.parquet", "the file is missing"),
        (without_a_manifest, "manifest.json", "the file is missing"),
        (with_other_samples, "scores/00000.parquet", "value of"),
        (with_another_digest, "manifest.json", "sha256 of the samples of task 'qa'"),
        (with_a_lost_shard, "manifest.json", "the shards of task 'qa' are not its 30 rows"),
        (with_a_file_of_no_shard, "scores/00007.parquet", "the file belongs to no shard"),
    ],
)
def test_what_else_does_not_fit_is_named(done: JobFolder, change: Change, file: str, problem: str) -> None:
    change(done)
    found = difference(done)
    assert found.file == file
    assert problem in found.problem


def test_of_a_job_of_another_release_values_are_not_computed_again_but_rows_and_sums_are(
    lab: Lab, done: JobFolder
) -> None:
    manifest = done.read_manifest()
    assert manifest is not None
    shard = manifest.shards[1]
    scores, calls = done.read_scores(shard) or [], done.read_calls("judge", shard)
    done.write_manifest(manifest.model_copy(update={"code_version": "0.0.1"}))
    assert fsck(done).difference is None
    done.finish_judge(shard, rewritten(scores, 27, value=0.0), calls)
    assert difference(done).file == "summaries/00000.parquet"
    done.finish_judge(shard, scores[1:], calls)
    assert difference(done).file == "scores/00001.parquet"
