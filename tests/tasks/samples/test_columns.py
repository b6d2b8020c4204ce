import pytest

from core.metric import Code, StringCheck
from core.spec import EvaluationSpec
from tasks.samples.columns import telling_columns
from tests.tasks.specs import CORRECT, judge, model, recorded, spec

URL = "http://127.0.0.1:1/v1"
COLUMNS = ["category", "gold", "hint", "id", "question", "said", "Über uns"]


def held(column: str) -> StringCheck:
    return CORRECT.model_copy(update={"right": f"{{{{ item.{column} }}}}"})


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        # What the prompt reads first, what the answer is held against, and the rest of what is read.
        (spec(model(URL), [], held("gold"), prompt="{{ question }} {{ item.hint }}"), ["question", "gold", "hint"]),
        (spec(model(URL), [], held("gold"), prompt="{{ hint }} {{ item['question'] }}"), ["hint", "gold", "question"]),
        (spec(model(URL), [], prompt="{{ item.get('question') }}"), ["question", "category"]),
        # By its plain name, as templates have it.
        (spec(model(URL), [], prompt="{{ über_uns }}"), ["Über uns", "category"]),
        # Of recorded answers, what a judge reads is what was asked, and the answer stands elsewhere.
        (spec(recorded("said"), [], judge(URL, "{{ said }} {{ question }} {{ gold }}")), ["question", "gold"]),
        (spec(recorded("said"), [], held("gold")), ["gold", "category", "hint", "id", "question", "Über uns", "said"]),
        (spec(recorded("said", "gold"), []).model_copy(update={"reference": "gold"}), ["gold", "category"]),
        (
            spec(recorded("said"), [], Code(name="own", source="", item={"of": "{{ item.hint }}"})),
            ["hint", "category"],
        ),
        # What nothing reads is in its own order; a template of another time does not matter.
        (spec(model(URL), [], prompt="{{ nothing }}"), ["category", "gold", "hint"]),
        (spec(model(URL), [], prompt="{{ broken"), ["category", "gold", "hint"]),
    ],
)  # fmt: skip
def test_the_columns_that_tell_most_come_first(asked: EvaluationSpec, first: list[str]) -> None:
    found = telling_columns(asked, COLUMNS)
    assert found[: len(first)] == first
    assert sorted(found) == sorted(COLUMNS)
