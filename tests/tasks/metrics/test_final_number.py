import pytest

from tasks.metrics.final_number import final_number
from tasks.metrics.measure import Unparsable

REFERENCE = "40 + 1,002 = 1,042\n#### 1,042"


@pytest.mark.parametrize(
    ("answer", "strict", "flexible"),
    [
        ("40 + 1002 = 1042\n#### 1042", True, True),
        ("#### $1,042.00", True, True),
        ("####1042.", True, True),
        ("The answer is 1042.", False, True),
        ("#### 7", False, False),
        ("#### the answer is 1042", False, True),
        ("#### 1042\n\nQuestion: how many are 3 + 4?\n#### 7", True, False),
        ("#### -1042", False, False),
    ],
)
def test_the_number_after_the_marker_and_the_last_are_compared(answer: str, strict: bool, flexible: bool) -> None:
    assert final_number(answer, REFERENCE, marker="####") == (strict, flexible)


@pytest.mark.parametrize(("answer", "reference", "part"), [("none", "1", "candidate"), ("1", "none", "reference")])
def test_a_text_without_a_number_is_unparsable(answer: str, reference: str, part: str) -> None:
    with pytest.raises(Unparsable) as refused:
        final_number(answer, reference, marker="####")
    assert refused.value.part == part
