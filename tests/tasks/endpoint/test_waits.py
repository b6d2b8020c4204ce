from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.endpoint.waits import BACKOFF_BASE_S, BACKOFF_CAP_S, backoff_s, pause_s, retry_after_s


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


NOW = 1_800_000_000.0
RESET = "x-ratelimit-reset-requests"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({RESET: "6m0s"}, 360),
        ({RESET: "1m30s"}, 90),
        ({RESET: "500ms"}, 0.5),
        ({RESET: "1h2m3.5s"}, 3723.5),
        ({RESET: "7.66s", "x-ratelimit-reset-tokens": "2m"}, 120),
        ({RESET: "2m", "x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-tokens": "7s",
          "x-ratelimit-remaining-tokens": "0"}, 7),
        ({"X-RateLimit-Reset": str(int(NOW * 1000) + 3000)}, 3),
        ({"x-ratelimit-reset": str(int(NOW) + 3)}, 3),
        ({"ratelimit-reset": "3"}, 3),
        ({"anthropic-ratelimit-requests-reset": "2027-01-15T08:00:03Z"}, 3),
        ({RESET: "Fri, 15 Jan 2027 08:00:03 GMT"}, 3),
        ({RESET: "2m", "retry-after": "3"}, 3),
        ({"retry-after": "1m3s"}, 63),
        ({RESET: "soon"}, None),
        ({"x-ratelimit-limit-requests": "60"}, None),
    ],
)  # fmt: skip
def test_the_last_reset_of_the_limits_is_waited_for(headers: dict[str, str], seconds: float | None) -> None:
    assert pause_s(429, httpx.Headers(headers), None, NOW) == (None if seconds is None else pytest.approx(seconds))


def test_a_reset_is_no_reason_to_wait_where_the_limits_are_not_reached() -> None:
    assert pause_s(500, {RESET: "6m0s"}, None, NOW) is None
    assert pause_s(500, {"retry-after": "3"}, None, NOW) == 3


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        ({"details": [{"@type": "Help"}, {"@type": "RetryInfo", "retryDelay": "3.5s"}]}, 3.5),
        ({"metadata": {"headers": {"X-RateLimit-Reset": str(int(NOW * 1000) + 3000)}}}, 3),
        ({"message": "Rate limit reached. Please try again in 1m30.5s. Visit us"}, 90.5),
        ({"message": "Please retry after 6 seconds."}, 6),
        ("Please try again in 500ms", 0.5),
        ({"message": "busy", "retry_after": 5}, 5),
        ({"message": "busy", "retry_after_ms": 2500}, 2.5),
        ({"message": "busy", "retryAfterMs": "2500"}, 2.5),
        ({"message": "Too many requests. Please wait 12 seconds."}, 12),
        ({"message": "Rate limited: wait for 12s before the next one"}, 12),
        ({"message": "Please try again in 20 s."}, 20),
        ({"message": "Please wait 1 minute and 30 seconds"}, 90),
        ({"message": "try again in about 2 hrs"}, 7200),
        ({"message": "Retry after: 30 sec"}, 30),
        ({"message": "try again in 1d2h"}, 93600),
        ({"message": "Model m is currently loading", "estimated_time": 20.5}, 20.5),
        ({"message": "I can wait 3 days"}, None),
        ({"message": "retry after 3 attempts"}, None),
        ({"message": "try again later"}, None),
        ({"message": "in 20 seconds it was 40"}, None),
        ({"details": "none", "metadata": 3}, None),
    ],
)
def test_what_a_body_asks_for_is_waited_for(error: object, seconds: float | None) -> None:
    for body in ({"error": error}, [{"error": error}]):
        assert pause_s(429, {RESET: "9s"}, body, NOW) == (9.0 if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(("field", "value"), [("retry_after", 3), ("retry_after_ms", 3000), ("retryAfter", "3s")])
def test_a_delay_beside_an_error_is_waited_for(field: str, value: object) -> None:
    assert pause_s(429, {}, {"error": "rate limited", field: value}, NOW) == 3.0
    assert pause_s(503, {}, {"message": "busy", field: value}, NOW) == 3.0
    assert pause_s(429, {}, {"detail": {"message": "busy", field: value}}, NOW) == 3.0


@pytest.mark.parametrize("field", ["message", "detail"])
def test_what_a_gateway_asks_for_outside_of_an_error_is_waited_for(field: str) -> None:
    said = "Rate limit is exceeded. Try again in 3 seconds."
    for body in ({"statusCode": 429, field: said}, {field: {"message": said}}, {"errors": [{field: said}]}, said):
        assert pause_s(429, {}, body, NOW) == 3.0
