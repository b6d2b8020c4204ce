from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.lists.times import TICK, Moments, moments

times = st.datetimes(min_value=datetime.fromisoformat("0002-01-01"), max_value=datetime.fromisoformat("9998-01-01"))


def holds(found: Moments, moment: datetime) -> bool:
    inside = (found.start is None or found.start <= moment) and (found.stop is None or moment < found.stop)
    return inside != found.outside


@given(times, st.sampled_from([-TICK, timedelta(0), TICK, timedelta(days=400)]))
def test_each_operator_compares_as_it_is_called(moment: datetime, apart: timedelta) -> None:
    other, text = moment + apart, moment.isoformat()
    assert holds(moments("eq", text), other) == (other == moment)
    assert holds(moments("neq", text), other) == (other != moment)
    assert holds(moments("gt", text), other) == (other > moment)
    assert holds(moments("gte", text), other) == (other >= moment)
    assert holds(moments("lt", text), other) == (other < moment)
    assert holds(moments("lte", text), other) == (other <= moment)


def test_a_date_is_its_midnight_but_whole_when_equal_or_the_upper_bound() -> None:
    noon = datetime.fromisoformat("2025-03-18T12:00")
    assert holds(moments("eq", "2025-03-18"), noon)
    assert not holds(moments("neq", "2025-03-18"), noon)
    assert holds(moments("lte", "2025-03-18"), noon)
    assert holds(moments("gt", "2025-03-18"), noon)
    assert not holds(moments("lt", "2025-03-18"), noon)
    assert not holds(moments("gt", "2025-03-18"), datetime.fromisoformat("2025-03-18"))


def test_what_was_given_is_shown_normalised() -> None:
    assert moments("gte", "2025-03-31").shown == "2025-03-31T00:00:00"
    assert moments("lte", "2025-03-31").shown == "2025-03-31T23:59:59.999999"
    assert moments("eq", "2025-03-18 01:02:03+00:00").shown == "2025-03-18T01:02:03"


@given(times, st.integers(-14, 14))
def test_a_zone_is_taken_into_account(moment: datetime, hours: int) -> None:
    there = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
    assert moments("gte", there.isoformat()).start == moment
    assert moments("gte", str(there)).start == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "0001-01-01T00:00:00+05:00", "2025-03-18T25:00", "12"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write 2025-03-18"):
        moments("gte", text)


def test_the_ends_of_time_are_bounds_like_others() -> None:
    assert moments("lte", "9999-12-31").stop is None
    assert moments("gt", "9999-12-31T23:59:59.999999").start == datetime.max  # noqa: DTZ901
    assert moments("gte", "0001-01-01").start == datetime.min  # noqa: DTZ901 - the tables hold naive times
