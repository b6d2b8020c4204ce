from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.result import Usage
from tasks.endpoint.retry import BACKOFF_BASE_S, BACKOFF_CAP_S, backoff_s, read_answer, read_usage, retry_after_s

ANSWER = {"choices": [{"message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}]}
JSON = {"content-type": "application/json"}


def read(status: int, body: Any, headers: dict[str, str] = JSON) -> tuple[str, str]:
    reading = read_answer(status, headers, body if isinstance(body, bytes) else orjson.dumps(body))
    return reading.outcome, reading.error or ""


@given(retry=st.integers(1, 100), draw=st.floats(0, 1))
def test_backoff_lies_between_nothing_and_its_cap(retry: int, draw: float) -> None:
    assert 0 <= backoff_s(retry, draw) <= BACKOFF_CAP_S
    assert backoff_s(retry, draw) <= BACKOFF_BASE_S * 2 ** (retry - 1)
    assert backoff_s(retry, 1.0) <= backoff_s(retry + 1, 1.0)


@given(st.floats(0, 1e9))
def test_retry_after_is_read_in_seconds_and_milliseconds(seconds: float) -> None:
    assert retry_after_s({"retry-after": str(seconds)}, now=0.0) == seconds
    assert retry_after_s({"retry-after-ms": str(seconds)}, now=0.0) == pytest.approx(seconds / 1000)


@given(st.integers(0, 4_000_000_000), st.integers(-1000, 1000))
def test_retry_after_is_read_as_a_date(now: int, ahead: int) -> None:
    date = format_datetime(datetime.fromtimestamp(now + ahead, UTC), usegmt=True)
    assert retry_after_s({"retry-after": date}, now) == max(0, ahead)
    assert retry_after_s({"retry-after": date, "retry-after-ms": "50"}, now) == 0.05


@given(st.text())
@example("nan")
@example("inf")
@example("Mon, 99 Feb 99999999999 99:99:99 GMT")
@example("-3")
def test_a_retry_after_of_any_text_is_no_error(value: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after_s({name: value}, now=1.8e9)
        assert seconds is None or 0 <= seconds < float("inf")


def test_without_a_retry_after_nothing_is_asked() -> None:
    assert retry_after_s({}, now=0.0) is None
    assert retry_after_s({"retry-after": "soon"}, now=0.0) is None


@pytest.mark.parametrize("body", [ANSWER, {"choices": [{"text": "4"}]}, {"choices": [{"message": {"content": None}}]}])
def test_an_answer_with_a_choice_is_one(body: Any) -> None:
    assert read(200, body) == ("answered", "")
    assert read(201, body) == ("answered", "")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_an_error_that_may_pass_is_transient_unless_the_endpoint_says_no(status: int) -> None:
    assert read(status, {"error": {"message": "later"}}) == ("transient", f"HTTP {status}: later")
    assert read(status, {}, {"x-should-retry": "false"})[0] == "error"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_an_error_of_ours_is_final(status: int) -> None:
    assert read(status, {"detail": "no such model"}) == ("error", f"HTTP {status}: no such model")
    assert read(status, ANSWER)[0] == "error"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "overloaded"}}, "HTTP 200: overloaded"),
        ({"error": "overloaded"}, "HTTP 200: overloaded"),
        ({"choices": []}, "no choices"),
        ({"choices": [None]}, "no choices"),
        ({"choices": [{"finish_reason": "stop"}]}, "no choices"),
        ([], "no choices"),
        (b"", "not JSON"),
        (b'{"choices": [{"mess', "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_200_that_is_no_answer_is_transient(body: Any, said: str) -> None:
    outcome, error = read(200, body)
    assert outcome == "transient"
    assert said in error


def test_a_page_is_shown_by_its_type_and_its_start() -> None:
    outcome, error = read(200, b"<html>" + b"x" * 1000, {"content-type": "text/html"})
    assert (outcome, "text/html" in error, "<html>xxx" in error) == ("transient", True, True)
    assert len(error) < 200


def test_a_redirect_is_final_and_names_the_host() -> None:
    outcome, error = read(302, b"", {"location": "https://user:pw@elsewhere.example/secret?key=1"})
    assert outcome == "error"
    assert "elsewhere.example" in error
    assert "pw" not in error
    assert "secret" not in error


@pytest.mark.parametrize("location", ["", "/login", "http://[broken"])
def test_a_redirect_to_no_host_is_final_too(location: str) -> None:
    outcome, error = read(308, b"", {"location": location})
    assert outcome == "error"
    assert "HTTP 308" in error


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_filter", "message": "filtered"},
        {"type": "content_policy_violation", "message": "filtered"},
        {"code": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "filtered"},
    ],
)
def test_an_error_that_names_the_content_filter_is_a_refusal(error: dict[str, Any]) -> None:
    assert read(400, {"error": error}) == ("refused", "HTTP 400: filtered")
    assert read(400, {"error": {"code": "bad", "message": 'the prompt has "content_filter"'}})[0] == "error"


def test_an_answer_withheld_by_the_filter_is_a_refusal_that_was_paid() -> None:
    body = {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}], "usage": {"total_tokens": 9}}
    reading = read_answer(200, JSON, orjson.dumps(body))
    assert reading.outcome == "refused"
    assert reading.usage == Usage(total_tokens=9)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda x: st.lists(x)))
def test_a_usage_of_any_kind_gives_counts_or_nothing(value: Any) -> None:
    usage = read_usage({"prompt_tokens": value, "completion_tokens": value})
    assert usage.prompt_tokens is None or usage.prompt_tokens >= 0
    assert type(usage.completion_tokens) in (int, type(None))
    assert read_usage(value) == Usage()


@given(
    st.integers(100, 599), st.binary() | st.recursive(st.none() | st.text(), lambda x: st.lists(x)).map(orjson.dumps)
)
def test_whatever_is_sent_has_a_meaning_and_every_failure_a_text(status: int, body: bytes) -> None:
    reading = read_answer(status, {}, body)
    assert reading.outcome in ("transient", "error")
    assert reading.error
