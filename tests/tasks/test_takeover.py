from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.errors import Conflict, ResultsMissing
from core.job import Job, NewJob, random_id
from core.metric import NumberCheck
from core.result import Call, Outcome
from core.retry import Retry
from core.spec import EvaluationSpec, FilesDataset, Target
from tasks.fsck.results import fsck
from tasks.generate import generate_shard
from tests.scripted import Answer, Received, failure, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, preferring, recorded, rows, spec

GRADE = text('{"score": 4}')


def retried(lab: Lab, first: Job, wanted: EvaluationSpec | None = None, **retry: Any) -> Job:
    asked = Retry(of=first.id, **retry)
    job_id = random_id("job-")
    request = {"retry": asked.model_dump(mode="json")}
    job = NewJob(id=job_id, face="nemo-v2", spec=wanted or first.spec, request=request, name=job_id, retry_of=first.id)
    lab.model.calls.clear()
    return lab.workspace.jobs.add(job)


def calls(lab: Lab, job: Job) -> list[Call]:
    folder = lab.workspace.folder(job.id)
    return [
        call for shard in lab.shards(job) for stage in ("generate", "judge") for call in folder.read_calls(stage, shard)
    ]


def outcomes(lab: Lab, job: Job) -> Counter[Outcome]:
    return Counter(score.outcome for score in lab.scores(job))


def is_whole(lab: Lab, job: Job) -> bool:
    return fsck(lab.workspace.folder(job.id)).difference is None


def broken(*prompts: str, answer: Answer | None = None) -> Callable[[Received], Answer]:
    """A model and a judge that answer all but some prompts."""

    def script(call: Received) -> Answer:
        asked = last_content(call["body"])
        if asked in prompts:
            return answer or failure(400, "no")
        return GRADE if call["body"]["model"] == "j" else text(asked.rpartition("ANSWER: ")[2])

    return script


def test_only_what_failed_is_paid_for_and_the_figures_are_over_all_samples(lab: Lab) -> None:
    lab.model.script = broken("q1 ANSWER: a1", "grade a2")
    first = lab.add(spec(model(lab.model.url), rows(4), CORRECT, judge(lab.model.url)))
    lab.carry_out(first)
    assert outcomes(lab, first) == {"scored": 5, "target_error": 2, "judge_error": 1}
    lab.model.script = broken()
    second = retried(lab, first)
    summaries = lab.carry_out(second)
    assert sorted(lab.asked) == ["grade a1", "grade a2", "q1 ANSWER: a1"]
    assert [summary.count for summary in summaries] == [4, 4]
    paid = Counter(call.paid_by for call in calls(lab, second))
    assert paid == {first.id: 3 + 2, None: 3}
    report = fsck(lab.workspace.folder(second.id))
    assert (report.difference, report.calls, report.taken_over, report.total_tokens) == (None, 8, 5, 3 * 10)


def test_a_retry_of_a_retry_names_the_job_that_paid(lab: Lab) -> None:
    lab.model.script = broken("q0 ANSWER: a0", "q1 ANSWER: a1")
    first = lab.add(spec(model(lab.model.url), rows(3), CORRECT))
    lab.carry_out(first)
    lab.model.script = broken("q1 ANSWER: a1")
    second = retried(lab, first)
    lab.carry_out(second)
    lab.model.script = broken()
    third = retried(lab, second)
    lab.carry_out(third)
    assert {call.key.sample: call.paid_by for call in calls(lab, third)} == {0: second.id, 1: None, 2: first.id}
    assert lab.asked == ["q1 ANSWER: a1"]


def test_the_input_is_there_when_its_source_is_gone(lab: Lab) -> None:
    lab.model.script = broken("q0 ANSWER: a0")
    first = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    lab.carry_out(first)
    lab.model.script = broken()
    second = retried(lab, first)
    assert second.spec
    dataset = second.spec.tasks[0].dataset
    assert isinstance(dataset, FilesDataset)
    lab.workspace.files.path(lab.workspace.files.get(dataset.url.removeprefix("file:"))).unlink()
    lab.carry_out(second)
    before, after = (lab.workspace.folder(job.id).read_manifest() for job in (first, second))
    assert before
    assert after
    assert (before.datasets, before.shards) == (after.datasets, after.shards)


def test_an_output_that_no_metric_could_read_is_asked_for_again_and_so_is_its_judge(lab: Lab) -> None:
    number = NumberCheck(name="number", left="{{ sample.output_text }}", operator="==", right="1")
    given = [{"question": f"q{i}"} for i in range(3)]
    lab.model.script = lambda call: (
        GRADE if call["body"]["model"] == "j" else text("?" if last_content(call["body"]) == "q1" else "1")
    )
    first = lab.add(spec(model(lab.model.url), given, number, judge(lab.model.url)))
    lab.carry_out(first)
    assert outcomes(lab, first) == {"scored": 5, "output_unparsable": 1}
    lab.model.script = lambda call: GRADE if call["body"]["model"] == "j" else text("1")
    second = retried(lab, first)
    lab.carry_out(second)
    assert lab.asked == ["q1", "grade 1"]
    assert outcomes(lab, second) == {"scored": 6}
    assert is_whole(lab, second)


def test_of_two_passes_only_the_one_without_a_verdict_is_made_again(lab: Lab) -> None:
    pairs = [{"x": f"x{i}", "y": f"y{i}"} for i in range(2)]
    choice = text('{"choice": "A"}')
    lab.model.script = lambda call: text("I cannot choose") if last_content(call["body"]).endswith("1") else choice
    first = lab.add(spec(recorded("x", "y"), pairs, preferring(lab.model.url)))
    lab.carry_out(first)
    assert outcomes(lab, first) == {"scored": 1, "judge_unparsable": 1}
    lab.model.script = lambda _: choice
    second = retried(lab, first, only=("judge_unparsable",))
    lab.carry_out(second)
    assert lab.asked == ["A=x1 B=y1", "A=y1 B=x1"]
    assert is_whole(lab, second)


def test_named_outcomes_are_made_again_and_failures_beside_them_are_taken_over_without_delay(lab: Lab) -> None:
    lab.model.script = broken("q0 ANSWER: a0", "grade a1", answer=failure(503))
    first = lab.add(spec(model(lab.model.url), rows(3), judge(lab.model.url)))
    lab.carry_out(first)
    lab.model.script = broken()
    second = retried(lab, first, only=("judge_error",))
    with lab.engaged(second) as engine:
        for shard in engine.manifest.shards:
            generate_shard(engine, shard, final=False)  # which raises if the failure should pass
    lab.carry_out(second)
    assert lab.asked == ["grade a1"]
    assert outcomes(lab, second) == {"scored": 2, "target_error": 1}


def test_a_changed_judge_is_asked_about_all_outputs_and_no_target(lab: Lab) -> None:
    lab.model.script = broken("q0 ANSWER: a0")
    first = lab.add(
        spec(
            model(lab.model.url),
            rows(3),
            CORRECT,
            judge(lab.model.url),
            judge(lab.model.url, "again {{ sample.output_text }}", name="other"),
        )
    )
    lab.carry_out(first)
    assert first.spec
    changed = judge(lab.model.url, "grade strictly {{ sample.output_text }}")
    (task,) = first.spec.tasks
    metrics = (task.metrics[0], changed, task.metrics[2])
    wanted = first.spec.model_copy(update={"tasks": (task.model_copy(update={"metrics": metrics}),)})
    second = retried(lab, first, wanted, only=(), targets=False, judges=("graded",))
    lab.carry_out(second)
    assert lab.asked == ["grade strictly a1", "grade strictly a2"]
    assert outcomes(lab, second) == {"scored": 6, "target_error": 3}
    assert is_whole(lab, second)


def test_a_job_that_was_cut_short_goes_on_from_its_journals(lab: Lab) -> None:
    first = lab.add(spec(model(lab.model.url), rows(60), CORRECT))
    with lab.engaged(first) as engine:
        generate_shard(engine, engine.manifest.shards[0], final=True)
        with engine.journals.opened("generate", engine.manifest.shards[1]) as journal:
            shard = engine.manifest.shards[1]
            answered = engine.folder.read_calls("generate", engine.manifest.shards[0])[0]
            journal.append(replace(answered, key=answered.key._replace(sample=shard.start)))
    done = len(lab.shards(first)[0]) + 1
    second = retried(lab, first)
    lab.carry_out(second)
    assert len(lab.asked) == 60 - done
    assert is_whole(lab, second)


def test_a_retry_that_is_cut_short_before_its_plan_is_written_begins_anew(lab: Lab) -> None:
    lab.model.script = broken("q0 ANSWER: a0")
    first = lab.add(spec(model(lab.model.url), rows(3), CORRECT))
    lab.carry_out(first)
    lab.model.script = broken()
    second = retried(lab, first)
    with lab.engaged(second):
        pass
    folder = lab.workspace.folder(second.id)
    (folder.path / "manifest.json").unlink()
    lab.carry_out(second)
    assert (lab.asked, is_whole(lab, second)) == (["q0 ANSWER: a0"], True)


def test_a_retry_that_is_killed_midway_goes_on_and_pays_for_nothing_twice(lab: Lab) -> None:
    lab.model.script = broken("q1 ANSWER: a1", "q30 ANSWER: a30")
    first = lab.add(spec(model(lab.model.url), rows(60), CORRECT))
    lab.carry_out(first)
    lab.model.script = broken()
    second = retried(lab, first)
    with lab.engaged(second) as engine:
        generate_shard(engine, engine.manifest.shards[0], final=True)
    summaries = lab.carry_out(second)
    assert lab.asked == ["q1 ANSWER: a1", "q30 ANSWER: a30"]
    assert (summaries[0].count, is_whole(lab, second)) == (60, True)


def test_a_pair_is_judged_again_once_either_of_its_outputs_is_asked_for_again(lab: Lab) -> None:
    choice = text('{"choice": "A"}')
    lab.model.script = lambda call: (
        choice if call["body"]["model"] == "j" else failure(400) if last_content(call["body"]) == "y1" else text("z")
    )
    targets: list[Target] = [*recorded("x"), model(lab.model.url, "asked")]
    first = lab.add(
        spec(
            targets,
            [{"x": f"x{i}", "y": f"y{i}"} for i in range(2)],
            preferring(lab.model.url, swap=False),
            prompt="{{ item.y }}",
        )
    )
    lab.carry_out(first)
    lab.model.script = lambda call: choice if call["body"]["model"] == "j" else text("z")
    second = retried(lab, first)
    lab.carry_out(second)
    assert lab.asked == ["y1", "A=x1 B=z"]
    assert is_whole(lab, second)


def test_a_retry_of_what_is_gone_or_damaged_says_so(lab: Lab) -> None:
    first = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    lab.carry_out(first)
    folder = lab.workspace.folder(first.id)
    second = retried(lab, first)
    folder.calls_file("generate", lab.shards(first)[0]).unlink()
    with pytest.raises(ResultsMissing, match=r"calls/generate-00000\.parquet is missing"), lab.engaged(second):
        pass
    folder.remove()
    with (
        pytest.raises(Conflict, match=f"job {first.id} was deleted before this retry of it began"),
        lab.engaged(second),
    ):
        pass
