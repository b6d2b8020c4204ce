from datetime import datetime

import pytest

from web import text


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(None, "–"), (0.0123, "12 ms"), (1.25, "1.2 s"), (83, "1 min 23 s"), (59.99, "60.0 s"), (3661, "1 h 01 min")],
)
def test_a_duration_has_the_unit_that_fits_it(seconds, written):
    assert text.duration(seconds) == written


@pytest.mark.parametrize(
    ("share", "written"), [(0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.0001, "< 0.1 %"), (0.9999, "> 99.9 %")]
)
def test_what_is_little_is_not_called_nothing_and_much_not_all(share, written):
    assert text.percent(share) == written


def test_times_are_utc():
    assert text.moment(datetime.fromisoformat("2026-11-26T20:05")) == "2026-11-26 20:05"
    assert text.moment(datetime.fromisoformat("2026-11-26T22:05:00+02:00")) == "2026-11-26 20:05"


def test_what_cannot_be_seen_is_written():
    assert text.seen("a\u202eb\x00\nc") == "a\\u202eb\\x00\nc"
