import pytest

from core.result import Call, CallKey
from tasks.calls import Ask, prepare
from tasks.endpoint.loop import Route
from tasks.templates.rendering import rendered
from tasks.templates.template import compile_body

ROUTE = Route("http://model/v1/chat/completions", "m")


def asked(body: dict[str, object], row: dict[str, object], defaults: dict[str, object]) -> Ask | Call:
    template = compile_body(body, where="prompt")  # type: ignore[arg-type]  # plain JSON
    key = CallKey("qa", 0, "target", 0, "target", "", 0)
    return prepare(key, ROUTE, rendered(template, row, None), defaults=defaults)


def test_a_prompt_s_fields_win_over_the_target_s() -> None:
    ask = asked({"prompt": "{{ q }}", "max_tokens": 5}, {"q": "why?"}, {"max_tokens": 9, "temperature": 0.5})
    assert isinstance(ask, Ask)
    assert ask.request == b'{"model":"m","max_tokens":5,"temperature":0.5,"prompt":"why?"}'


@pytest.mark.parametrize(
    ("prompt", "outcome", "error"),
    [
        ("{{ item.a.b }}", "missing_field", "'b'"),
        ("{{ 1 / item.a.c }}", "error", "division by zero"),
        (r"{{ '\ud800' }}", "error", "cannot be written as JSON"),
    ],
)
def test_a_request_that_cannot_be_made_is_a_call_without_attempts(prompt: str, outcome: str, error: str) -> None:
    call = asked({"prompt": prompt}, {"a": {"c": 0}}, {})
    assert isinstance(call, Call)
    assert (call.outcome, call.attempts, call.response) == (outcome, 0, None)
    assert error in (call.error or "")
