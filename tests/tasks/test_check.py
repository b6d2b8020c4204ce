from typing import Any

import pytest

from core.errors import AssayError, DatasetUnreadable, SpecInvalid, TemplateInvalid
from core.spec import (
    Endpoint,
    JsonParser,
    Judge,
    MetricSpec,
    ModelTarget,
    Parsed,
    Preference,
    Prompt,
    RecordedTarget,
    RegexParser,
    RowsDataset,
    StringCheck,
    Target,
    TaskSpec,
)
from tasks.check import RENDERED_ROWS, check_templates

MODEL = ModelTarget(name="model", endpoint=Endpoint(model="m"))
ALONE = RecordedTarget()
RECORDED = RecordedTarget(column="answer")
ROWS = [{"id": 1, "question": "q1", "answer": "a1"}, {"id": 2, "question": "q2", "answer": "a2"}]


def equals(left: str, right: str) -> StringCheck:
    return StringCheck(name="accuracy", left=left, operator="equals", right=right)


def judge(text: str, **scores: RegexParser | JsonParser) -> Judge:
    prompt = Prompt(body={"messages": [{"role": "user", "content": text}]})
    scale = Parsed(scores=scores or {"quality": JsonParser(path="quality")})
    return Judge(name="grade", endpoint=Endpoint(model="j"), prompt=prompt, scale=scale)


def check(
    rows: list[dict[str, Any]], *metrics: MetricSpec, target: Target = ALONE, prompt: str = "{{ question }}"
) -> int:
    """Check rows and return how many passed."""
    prompts = {target.name: Prompt(body={"prompt": prompt})} if target.kind == "model" else {}
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[]), prompts=prompts, metrics=metrics)
    passed = list(check_templates(task, [target], rows))
    assert passed == rows
    return len(passed)


def refusal(kind: type[AssayError], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(kind) as refused:
        check(*args, **kwargs)
    return refused.value.message


def test_rows_that_have_what_the_templates_name_pass() -> None:
    metrics = equals("{{ output_text | trim }}", "{{ item.answer }}"), judge("{{ question }}: {{ sample.output_text }}")
    assert check(ROWS, *metrics, target=MODEL) == 2
    assert check(ROWS, *metrics, target=RECORDED) == 2
    assert check(ROWS, equals("{{ item.answer }}", "{{ question | default('x') }}{{ nope | default('') }}")) == 2


def test_a_missing_column_is_named_with_task_metric_and_row() -> None:
    rows = [*ROWS, {"id": 3, "question": "q3"}]
    assert refusal(TemplateInvalid, rows, equals("{{ id }}", "{{ item.answer }}")) == (
        "task 'qa', metric 'accuracy' (right), row 3: no column 'answer'; columns: id, question"
    )
    assert refusal(TemplateInvalid, rows, target=MODEL, prompt="{{ answer }}{{ context }}") == (
        "task 'qa', prompt of 'model', row 1: no column 'context'; columns: id, question, answer"
    )
    assert refusal(TemplateInvalid, rows, judge("{{ item.answer }}")) == (
        "task 'qa', metric 'grade', row 3: no column 'answer'; columns: id, question"
    )


def test_a_column_missing_far_beyond_the_rendered_rows_is_found() -> None:
    rows = [{"answer": "a"}] * (RENDERED_ROWS + 10) + [{"id": 1}]
    refused = refusal(TemplateInvalid, rows, equals("x", "{{ answer }}"))
    assert refused == "task 'qa', metric 'accuracy' (right), row 1011: no column 'answer'; columns: id"


def test_what_only_rendering_shows_is_found_in_the_first_thousand_rows() -> None:
    rows = [{"meta": {"key": 1}}, {"meta": {"other": 1}}]
    assert refusal(TemplateInvalid, rows, equals("x", "{{ item.meta.key }}")) == (
        "row 2: task 'qa', metric 'accuracy' (right): 'key' is not among: other"
    )
    assert "line 1: cannot be rendered: division by zero" in refusal(TemplateInvalid, rows, equals("{{ 1 / 0 }}", "x"))
    late = [rows[0]] * RENDERED_ROWS + [rows[1]]
    assert check(late, equals("x", "{{ item.meta.key }}")) == RENDERED_ROWS + 1


def test_plain_names_of_columns_are_accepted() -> None:
    rows = [{"Correct Answer": "a", "Q-1": "b"}]
    assert check(rows, equals("{{ item.correct_answer }}", "{{ q_1 }}")) == 1
    assert "no column 'q_2'" in refusal(TemplateInvalid, rows, equals("x", "{{ q_2 }}"))


def test_a_sample_is_no_column_but_where_there_is_none_it_must_be() -> None:
    rows = [{"response": "r", "output_text": "o"}]
    assert check(rows, equals("{{ response }}", "{{ output_text }}")) == 1
    assert check(rows, target=MODEL, prompt="{{ response }}") == 1
    refused = refusal(TemplateInvalid, [{"id": 1}], equals("{{ sample.output_text }}", "x"))
    assert refused == (
        "task 'qa', metric 'accuracy' (left), row 1: no column 'output_text'; columns: id; there is no sample here"
    )
    refused = refusal(TemplateInvalid, [{"id": 1}], target=MODEL, prompt="{{ sample.output_text }}")
    assert refused.startswith("task 'qa', prompt of 'model', row 1: no column 'output_text'")


@pytest.mark.parametrize(
    "left",
    [
        "{{ sample.output_text.split('ANSWER:')[1] | trim }}",
        "{{ (output_text | int) + 1 }}{{ 10 / (output_text | int) }}",
        "{{ sample.response.choices[0].message.content }}",
        "{{ response.usage.total_tokens }}",
    ],
)
def test_a_template_that_works_on_the_output_is_not_judged_by_a_made_up_one(left: str) -> None:
    assert check(ROWS, equals(left, "{{ answer }}"), target=MODEL) == 2
    assert "no column 'nope'" in refusal(TemplateInvalid, ROWS, equals(left + "{{ nope }}", "x"), target=MODEL)


def test_a_recorded_output_must_be_in_every_row() -> None:
    rows = [*ROWS, {"id": 3, "question": "q3"}]
    assert refusal(DatasetUnreadable, rows, target=RECORDED) == (
        "task 'qa', target 'target', row 3: no column 'answer'; columns: id, question"
    )
    assert check(rows, target=ALONE) == 3


def test_both_outputs_of_a_preference_can_be_named() -> None:
    prompt = Prompt(body={"prompt": "{{ question }} A: {{ output_a }} B: {{ sample.output_b }}"})
    metric = Judge(name="better", endpoint=Endpoint(model="j"), prompt=prompt, scale=Preference())
    targets = [MODEL, RecordedTarget(name="old", column="answer")]
    asked = {"model": Prompt(body={"prompt": "{{ question }}"})}
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[]), prompts=asked, metrics=(metric,))
    assert list(check_templates(task, targets, ROWS)) == ROWS
    with pytest.raises(DatasetUnreadable, match="target 'old', row 1: no column 'answer'"):
        list(check_templates(task, targets, [{"question": "q"}]))


def test_a_template_that_does_not_compile_is_found_before_any_row_is_read() -> None:
    def rows() -> Any:
        pytest.fail("a row was read")
        yield

    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[]), metrics=(equals("{{ a", "x"),))
    with pytest.raises(TemplateInvalid, match=r"task 'qa', metric 'accuracy' \(left\), line 1: "):
        list(check_templates(task, [ALONE], rows()))
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[]), metrics=(judge("x", quality=RegexParser(pattern="(")),))
    with pytest.raises(SpecInvalid, match="task 'qa', metric 'grade', score 'quality': the pattern '\\('"):
        list(check_templates(task, [ALONE], rows()))


def test_an_escape_attempt_is_refused_before_it_is_sent() -> None:
    refused = refusal(TemplateInvalid, ROWS, target=MODEL, prompt="{{ item.__class__.__mro__ }}")
    assert refused.startswith("task 'qa', prompt of 'model', row 1: no column '__class__'")
    refused = refusal(TemplateInvalid, ROWS, target=MODEL, prompt="{{ ''.__class__.__mro__ }}")
    assert "unsafe" in refused
