from collections.abc import Mapping
from typing import Any

import pytest

from core.endpoint import Endpoint, Prompt
from core.errors import AssayError, DatasetUnreadable, SpecInvalid, TemplateInvalid
from core.metric import (
    Code,
    FirstParser,
    JsonParser,
    Judge,
    MetricSpec,
    Parsed,
    Parser,
    Preference,
    RegexParser,
    StringCheck,
)
from core.spec import ModelTarget, RecordedTarget, RowsDataset, Target, TaskSpec
from tasks.check import RENDERED_ROWS, check_templates

MODEL = ModelTarget(name="model", endpoint=Endpoint(model="m"))
ALONE = RecordedTarget()
RECORDED = RecordedTarget(column="answer")
ROWS: list[dict[str, Any]] = [{"id": 1, "question": "q1", "answer": "a1"}, {"id": 2, "question": "q2", "answer": "a2"}]


def equals(left: str, right: str) -> StringCheck:
    return StringCheck(name="accuracy", left=left, operator="equals", right=right)


def judge(text: str, **scores: Parser) -> Judge:
    prompt = Prompt(body={"messages": [{"role": "user", "content": text}]})
    scale = Parsed(scores=scores or {"quality": JsonParser(path="quality")})
    return Judge(name="grade", endpoint=Endpoint(model="j"), prompt=prompt, scale=scale)


def check(
    rows: list[dict[str, Any]],
    *metrics: MetricSpec,
    target: Target = ALONE,
    prompt: str | Prompt = "{{ question }}",
    columns: Mapping[str, str] = {},
    **how: Any,
) -> int:
    """Check rows and return how many passed."""
    given = prompt if isinstance(prompt, Prompt) else Prompt(body={"prompt": prompt})
    prompts = {target.name: given} if target.kind == "model" else {}
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[]), prompts=prompts, metrics=metrics, **columns)
    passed = list(check_templates(task, [target], rows, **how))
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
        "task 'qa', target 'target', row 3: no column 'answer'; columns: id, question; "
        "'answer' is taken for the column of recorded outputs"
    )
    assert check(rows, target=ALONE) == 3
    model_name = RecordedTarget(column="org/model-1")
    assert refusal(DatasetUnreadable, rows, target=model_name) == (
        "task 'qa', target 'target', row 1: no column 'org/model-1'; columns: id, question, answer; "
        "'org/model-1' is taken for the column of recorded outputs: a model is given as an object with its name"
    )


# Columns that nothing reads.


def test_columns_that_nothing_reads_are_refused_if_that_is_asked() -> None:
    rows: list[dict[str, Any]] = [{"prompt": "p", "id": 1}, {"prompt": "p", "category": "c", "answer": "a"}]
    metric = equals("{{ sample.output_text }}", "{{ prompt }}")
    assert check(rows, metric, target=MODEL, prompt="{{ prompt }}") == 2
    refused = refusal(DatasetUnreadable, rows, metric, target=MODEL, prompt="{{ answer | d('') }}", strict_columns=True)
    assert refused == (
        "Unsupported dataset column(s): ['category', 'id']. Each column must be referenced by a model or judge "
        "template. Remove unused columns or reference them in a template."
    )


def test_a_column_of_images_is_a_recognized_field() -> None:
    rows = [{"prompt": "p", "image_data_urls": None, "id": 1, "category": "c"}]
    prompt = Prompt(body={"prompt": "{{ prompt }}"}, images="image_data_urls")
    assert refusal(DatasetUnreadable, rows, target=MODEL, prompt=prompt, strict_columns=True) == (
        "Unsupported dataset column(s): ['category', 'id']. Each column must be referenced by a model or judge "
        "template, or be a recognized field ('image_data_urls'). Remove unused columns or reference them in a template."
    )
    assert check([{"prompt": "p"}], target=MODEL, prompt=prompt, strict_columns=True) == 1


@pytest.mark.parametrize(
    "template",
    [
        "{{ item.answer }}{{ question }}",
        "{{ question.text }}{% if answer is defined %}x{% endif %}",
        "{{ answer | default('') }}{{ item['question'] }}",
        "{{ item | tojson }}",
        "{% for name, value in item.items() %}{{ name }}{% endfor %}",
    ],
)
def test_what_a_template_may_read_counts_as_read(template: str) -> None:
    rows: list[dict[str, Any]] = [{"question": {"text": "q"}, "answer": "a"}]
    assert check(rows, equals("x", template), strict_columns=True) == 1
    assert check([{"Q text": "q", "answer": "a"}], judge("{{ q_text }}"), target=RECORDED, strict_columns=True) == 1


def test_a_value_of_the_sample_is_no_column_that_is_read() -> None:
    rows = [{"question": "q", "output_text": "unused"}]
    graded = judge("{{ question }} {{ sample.output_text }}")
    refused = refusal(DatasetUnreadable, rows, graded, target=MODEL, strict_columns=True)
    assert "['output_text']" in refused
    bare = Prompt(body={"prompt": "{{ question }}{{ output_text }}"}, sample_names=False)
    assert check(rows, graded.model_copy(update={"prompt": bare}), target=MODEL, strict_columns=True) == 1


# Images, references, code.


@pytest.mark.parametrize("value", ["https://example.com/a.png", ["data:image/png;base64,eA==", 5]])
def test_an_image_that_cannot_be_sent_is_named_with_its_row_and_column(value: object) -> None:
    prompt = Prompt(body={"messages": [{"role": "user", "content": "{{ question }}"}]}, images="pictures")
    rows = [*ROWS, {"question": "q", "pictures": "data:image/png;base64,eA=="}]
    assert check(rows, target=MODEL, prompt=prompt) == 3
    bad = {"question": "q", "pictures": value}
    assert "task 'qa', row 4, column 'pictures': " in refusal(
        DatasetUnreadable, [*rows, bad], target=MODEL, prompt=prompt
    )
    graded = judge("{{ question }}").model_copy(update={"prompt": prompt})
    assert "row 1, column 'pictures': " in refusal(DatasetUnreadable, [bad], graded)


def test_a_prompt_without_sample_names_has_columns_alone_at_the_top() -> None:
    def graded(text: str) -> Judge:
        prompt = Prompt(body={"prompt": text}, sample_names=False)
        return judge("").model_copy(update={"prompt": prompt})

    rows = [{"question": "q", "response": "r"}]
    assert check(rows, graded("{{ response }} {{ sample.output_text }}"), target=MODEL) == 1
    assert refusal(TemplateInvalid, rows, graded("{{ output_text }}"), target=MODEL) == (
        "task 'qa', metric 'grade', row 1: no column 'output_text'; columns: question, response"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ sample.reference_text }}",
        "{{ sample.reference_text.split()[0] }}",
        "{{ sample.reference_response | tojson }}",
        "{{ sample.reference_response.choices[0].message.content }}",
    ],
)
def test_a_reference_can_be_named_where_there_is_one(text: str) -> None:
    assert check(ROWS, judge(text), target=MODEL, reference="best") == 2
    assert check(ROWS, equals(text, "{{ answer }}"), target=MODEL, reference="best") == 2


def test_a_reference_that_there_is_not_is_found_before_anything_is_asked() -> None:
    refused = refusal(TemplateInvalid, ROWS, judge("{{ sample.reference_text }}"), target=MODEL)
    assert "'reference_text' is not among" in refused
    refused = refusal(TemplateInvalid, ROWS, judge("{{ reference_text }}"), target=MODEL, reference="best")
    assert "no column 'reference_text'" in refused


def test_the_item_of_a_code_metric_is_checked_like_any_template() -> None:
    item = {"sample": {"output": "{{ sample.output_text }}"}, "truth": "{{ item.answer | tojson }}", "kind": "qa"}
    code = Code(name="own", source="def run_evaluation(item): return 1", item=item)
    assert check(ROWS, code, target=MODEL) == 2
    refused = refusal(TemplateInvalid, [{"question": "q"}], code, target=MODEL)
    assert refused == "task 'qa', metric 'own', row 1: no column 'answer'; columns: question"


def test_both_outputs_of_a_preference_can_be_named() -> None:
    prompt = Prompt(body={"prompt": "{{ question }} A: {{ output_a }} B: {{ sample.output_b }}"})
    metric = Judge(name="better", endpoint=Endpoint(model="j"), prompt=prompt, scale=Preference())
    targets: list[Target] = [MODEL, RecordedTarget(name="old", column="answer")]
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
    parser = FirstParser(parsers=(JsonParser(path="quality"), RegexParser(pattern="no group")))
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[]), metrics=(judge("x", quality=parser),))
    with pytest.raises(SpecInvalid, match="score 'quality': the pattern 'no group' has no group"):
        list(check_templates(task, [ALONE], rows()))


def test_an_escape_attempt_is_refused_before_it_is_sent() -> None:
    refused = refusal(TemplateInvalid, ROWS, target=MODEL, prompt="{{ item.__class__.__mro__ }}")
    assert refused.startswith("task 'qa', prompt of 'model', row 1: no column '__class__'")
    refused = refusal(TemplateInvalid, ROWS, target=MODEL, prompt="{{ ''.__class__.__mro__ }}")
    assert "unsafe" in refused


def test_a_source_that_cannot_be_run_is_named_before_anything_is_paid() -> None:
    code = Code(name="length", source="def run_evaluation(item):\n    yield 1\n", item={"said": "{{ item.q }}"})
    with pytest.raises(SpecInvalid, match=r"task 'qa', metric 'length': .*line 2: .*yield"):
        list(check_templates(TaskSpec(name="qa", dataset=RowsDataset(rows=[]), metrics=(code,)), [], [{"q": "?"}]))
    fine = code.model_copy(update={"source": "def run_evaluation(item):\n    return len(item['said'])\n"})
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[]), metrics=(fine,))
    assert list(check_templates(task, [], [{"q": "?"}])) == [{"q": "?"}]


def test_a_row_without_its_cluster_is_named() -> None:
    rows: list[dict[str, Any]] = [{"question": "q", "text": 1}, {"question": "q", "text": None}]
    for bad in (rows, [rows[0], {"question": "q", "text": ""}], [rows[0], {"question": "q"}]):
        assert refusal(DatasetUnreadable, bad, target=MODEL, columns={"cluster": "text"}) == (
            "task 'qa', row 2, column 'text': a sample without a cluster; name one in each row, or no column as "
            "`cluster`"
        )
    assert check(rows[:1], target=MODEL, columns={"cluster": "text"}, strict_columns=True) == 1


@pytest.mark.parametrize("weight", [None, "", "much", -0.5, float("nan"), float("inf"), True, [1]])
def test_a_row_whose_weight_is_none_is_named(weight: object) -> None:
    rows: list[dict[str, Any]] = [
        {"question": "q", "share": "0.25"},
        {"question": "q", "share": 0},
        {"question": "q", "share": weight},
    ]
    told = refusal(DatasetUnreadable, rows, target=MODEL, columns={"weight": "share"})
    assert told == f"task 'qa', row 3, column 'share': '{weight}' is no weight; a weight is a number of at least 0"
    assert check(rows[:2], target=MODEL, columns={"weight": "share"}, strict_columns=True) == 2
