"""Which completions a dataset takes: what its filters say, as functions of a completion."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from api.http.fields import JsonDict
from api.maniac.schema.chats import Filter, Operator
from core.errors import SpecInvalid

ABSENT: Final = object()

Compare = Callable[[Any, Any], bool]

_COMPARE: Final[Mapping[Operator, Compare]] = {
    "equals": lambda found, value: bool(found == value),
    "contains": lambda found, value: value in found,
    "greater_than": lambda found, value: bool(found > value),
    "less_than": lambda found, value: bool(found < value),
    "greater_than_or_equal": lambda found, value: bool(found >= value),
    "less_than_or_equal": lambda found, value: bool(found <= value),
    "in": lambda found, value: found in value,
    "between": lambda found, value: bool(value[0] <= found <= value[1]),
    "exists": lambda found, _: found is not None,
}
_OPPOSITES: Final[Mapping[Operator, Operator]] = {
    "not_equals": "equals",
    "not_contains": "contains",
    "not_in": "in",
    "not_exists": "exists",
}


def refuse_unusable(filters: Iterable[Filter]) -> None:
    """Raise SpecInvalid for a filter whose value its operator cannot use."""
    for index, each in enumerate(filters):
        field = f"filters.{index}.value"
        if each.operator in ("in", "not_in") and not isinstance(each.value, list):
            raise SpecInvalid(f"{each.operator!r} takes a list of values", field=field)
        if each.operator == "between" and not (isinstance(each.value, list) and len(each.value) == 2):
            raise SpecInvalid("'between' takes a list of two values", field=field)


def holds(each: Filter, record: JsonDict) -> bool:
    """Tell whether a filter holds for a completion; values of unlike types are in no relation."""
    opposite = _OPPOSITES.get(each.operator)
    if opposite is not None:
        return not holds(each.model_copy(update={"operator": opposite}), record)
    found = _value(record, each.key)
    try:
        return found is not ABSENT and _COMPARE[each.operator](found, each.value)
    except TypeError:
        return False


def _value(record: Any, key: str) -> Any:
    """Return what a dotted path leads to; the longest name that fits is taken at each step."""
    if isinstance(record, dict):
        if key in record:
            return record[key]
        parts = key.split(".")
        for size in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:size])
            if name in record:
                return _value(record[name], ".".join(parts[size:]))
    return ABSENT
