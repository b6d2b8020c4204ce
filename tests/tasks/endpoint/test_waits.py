from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.endpoint.waits import BACKOFF_BASE_S, BACKOFF_CAP_S, backoff_s, retry_after_s


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
