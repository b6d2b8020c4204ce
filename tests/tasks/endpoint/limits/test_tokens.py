import pytest

from core.result import Usage
from tasks.endpoint.limits.tokens import UNKNOWN, Expected, Size, size_of


def test_a_request_says_what_its_answer_may_have_but_not_in_its_texts() -> None:
    asked = b'{"messages":[{"role":"user","content":"say \\"max_tokens\\": 9"}],"max_tokens": 300}'
    assert size_of(asked) == Size(len(asked), 300)
    assert size_of(b'{"max_completion_tokens":7}').most == 7
    assert size_of(b"{}") == Size(2, None)


def test_before_any_answer_a_request_takes_a_token_in_four_bytes_and_what_it_allows() -> None:
    assert Expected().of(Size(400, 300)) == 100 + 300
    assert Expected().of(Size(400, None)) == 100 + UNKNOWN


def test_after_answers_it_takes_their_mean_and_no_more_than_it_allows() -> None:
    expected = Expected()
    for tokens in (10, 30):
        expected.note(Size(400, 300), Usage(200, tokens, 200 + tokens))
    assert expected.of(Size(40, 300)) == 20 + 20
    assert expected.of(Size(40, None)) == 20 + 20
    assert expected.of(Size(40, 5)) == 20 + 5


def test_the_mean_follows_the_last_answers() -> None:
    expected = Expected()
    for tokens in [10] * 500 + [4_000] * 250:
        expected.note(Size(0, None), Usage(None, tokens, None))
    assert expected.of(Size(0, None)) == pytest.approx(4_000, rel=0.02)
