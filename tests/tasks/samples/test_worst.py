from store.results.usage import usage_by_model, usage_by_role
from tasks.samples.worst import BadSample, worst_samples
from tests.scripted import Answer, Received, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, model, rows, spec


def first_wrong(call: Received) -> Answer:
    number = last_content(call["body"]).split()[0].removeprefix("q")
    return text("no" if number in "02" else f"a{number}")


def test_the_worst_samples_come_with_their_rows_and_outputs_and_the_best_are_none_of_them(lab: Lab) -> None:
    lab.model.script = first_wrong
    job = lab.add(spec(model(lab.model.url), rows(4), CORRECT))
    summaries = lab.carry_out(job)
    folder = lab.workspace.folder(job.id)
    manifest = folder.read_manifest()
    assert manifest is not None
    worst = worst_samples(folder, manifest, summaries, 5)
    assert worst is not None
    assert (worst.task, worst.metric, worst.name) == ("qa", "correct", "string-check")
    assert worst.samples == [BadSample(number, "target", 0.0, rows(4)[number], "no") for number in (0, 2)]
    assert len(worst_samples(folder, manifest, summaries, 1).samples) == 1  # type: ignore[union-attr]


def test_where_lower_is_better_the_highest_are_the_worst(lab: Lab) -> None:
    lab.model.script = first_wrong
    mistaken = CORRECT.model_copy(update={"lower_is_better": True})
    job = lab.add(spec(model(lab.model.url), rows(4), mistaken))
    summaries, folder = lab.carry_out(job), lab.workspace.folder(job.id)
    manifest = folder.read_manifest()
    assert manifest is not None
    worst = worst_samples(folder, manifest, summaries, 5)
    assert worst is not None
    assert [(bad.sample, bad.value) for bad in worst.samples] == [(1, 1.0), (3, 1.0)]


def test_where_all_samples_are_alike_none_is_the_worst(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    summaries, folder = lab.carry_out(job), lab.workspace.folder(job.id)
    manifest = folder.read_manifest()
    assert manifest is not None
    assert worst_samples(folder, manifest, summaries, 5) is None


def test_tokens_are_those_of_the_job_s_calls_by_who_was_asked(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(2), CORRECT))
    assert usage_by_role(usage_by_model(lab.workspace.folder(job.id))) == {}
    lab.carry_out(job)
    calls = [call for shard in lab.shards(job) for call in lab.workspace.folder(job.id).read_calls("generate", shard)]
    usage = calls[0].usage + calls[1].usage
    assert usage.prompt_tokens
    told = lab.progress(job).usage
    assert told == tuple(usage_by_model(lab.workspace.folder(job.id)))
    assert usage_by_role(told) == {"target": usage}
