"""Times that lie beyond Python's, as ISO text."""

from typing import Final

PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

_DAY_S = 86_400
_ERA_DAYS = 146_097  # 400 years
_EPOCH_DAYS = 719_468  # from 1 March of the year 0 to 1 January 1970


def iso_date(days: int) -> str:
    """Return a day, counted from 1970, in the Gregorian calendar; years beyond four digits have a sign."""
    # Years begin in March here, so that the leap day is their last.
    era, day_of_era = divmod(days + _EPOCH_DAYS, _ERA_DAYS)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    year = era * 400 + year_of_era + (month >= 10)
    sign = "-" if year < 0 else "+" if year > 9_999 else ""
    return f"{sign}{abs(year):04d}-{(month + 2) % 12 + 1:02d}-{day:02d}"


def iso_time(value: int, unit: str) -> str:
    """Return a time of day, counted from midnight, without a fraction where that is 0."""
    seconds, fraction = divmod(value, PER_SECOND[unit])
    digits = len(str(PER_SECOND[unit])) - 1
    rest = f".{fraction:0{digits}d}" if fraction else ""
    return f"{seconds // 3_600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{rest}"


def iso_timestamp(value: int, unit: str, *, in_utc: bool) -> str:
    """Return a moment, counted from the beginning of 1970."""
    days, rest = divmod(value, _DAY_S * PER_SECOND[unit])
    return f"{iso_date(days)}T{iso_time(rest, unit)}" + "+00:00" * in_utc
