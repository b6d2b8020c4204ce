import pytest

from core.errors import Conflict, NotFound
from core.metric import Code
from core.spec import Target
from tasks.samples.sample import sample_detail
from tests.scripted import failure, last_content, text
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, judge, model, preferring, recorded, rows, spec

GRADE = '{"score": 3, "feedback": "close"}'


def test_a_sample_has_its_conversation_and_what_each_metric_compared_and_each_judge_said(lab: Lab) -> None:
    lab.model.script = lambda call: text(GRADE if call["body"]["model"] == "j" else "a1 ")
    trimmed = CORRECT.model_copy(update={"name": "trimmed", "left": "{{ sample.output_text | trim }}"})
    code = Code(name="coded", source="def run_evaluation(item):\n    return 1", item={"said": "{{ output_text }}"})
    job = lab.add(spec(model(lab.model.url), rows(2), trimmed, judge(lab.model.url), code))
    lab.carry_out(job)
    found = sample_detail(lab.workspace.folder(job.id), "qa", 1)
    (output,) = found.outputs
    computed, graded, coded = output.metrics
    assert found.item == rows(2)[1]
    assert output.exchange
    assert (output.model, output.exchange.sent[0].text, output.output.text) == ("m", "q1 ANSWER: a1", "a1 ")
    assert computed.compared == {"left": "a1", "right": "a1"}
    assert [score.value for score in computed.scores] == [1.0]
    (asked,) = graded.exchanges
    assert (graded.compared, asked.model, asked.sent[0].text) == ({}, "j", "grade a1 ")
    assert asked.reply
    assert (asked.reply.text, graded.scores[0].feedback) == (GRADE, "close")
    assert (coded.compared, coded.scores[0].value) == ({"said": "a1 "}, 1.0)


def test_a_pair_is_with_its_first_target_and_both_passes_are_told(lab: Lab) -> None:
    lab.model.script = lambda _: text('{"choice": "A"}')
    job = lab.add(spec(recorded("x", "y"), [{"x": "one", "y": "two"}], preferring(lab.model.url)))
    lab.carry_out(job)
    first, second = sample_detail(lab.workspace.folder(job.id), "qa", 0).outputs
    assert [each.sent[0].text for each in first.metrics[0].exchanges] == ["A=one B=two", "A=two B=one"]
    assert (first.exchange, second.metrics) == (None, ())


def test_what_could_not_be_had_says_why_and_nothing_is_compared(lab: Lab) -> None:
    lab.model.script = lambda call: failure(400, "too long") if last_content(call["body"]) == "q0" else text("a1")
    job = lab.add(spec(model(lab.model.url), [{"question": f"q{i}", "answer": f"a{i}"} for i in range(2)], CORRECT))
    lab.carry_out(job)
    (output,) = sample_detail(lab.workspace.folder(job.id), "qa", 0).outputs
    assert output.exchange
    assert (output.exchange.call.outcome, output.exchange.reply) == ("error", None)
    assert "too long" in (output.exchange.response or "")
    assert (output.metrics[0].compared, output.metrics[0].scores[0].outcome) == ({}, "target_error")


def test_a_target_is_named_where_there_are_several(lab: Lab) -> None:
    targets: list[Target] = [*recorded("x", "y")]
    job = lab.add(spec(targets, [{"x": "one", "y": "two", "answer": "one"}], CORRECT))
    lab.carry_out(job)
    folder = lab.workspace.folder(job.id)
    (output,) = sample_detail(folder, "qa", 0, target="y").outputs
    assert output.metrics[0].compared == {"left": "two", "right": "one"}
    with pytest.raises(NotFound, match=r"no such output; there are: x \(trial 0\), y \(trial 0\)"):
        sample_detail(folder, "qa", 0, target="z")
    with pytest.raises(NotFound, match="has no task 'other'; tasks: qa"):
        sample_detail(folder, "other", 0)
    with pytest.raises(NotFound, match="has no sample 1; there are 0 to 0"):
        sample_detail(folder, "qa", 1)


def test_a_sample_that_is_not_generated_yet_is_to_be_waited_for(lab: Lab) -> None:
    job = lab.add(spec(model(lab.model.url), rows(1), CORRECT))
    with pytest.raises(Conflict, match="has no samples: it has not begun"):
        sample_detail(lab.workspace.folder(job.id), "qa", 0)
    with lab.engaged(job):
        pass
    with pytest.raises(Conflict, match="sample 0 of task 'qa' is not generated: the job"):
        sample_detail(lab.workspace.folder(job.id), "qa", 0)
