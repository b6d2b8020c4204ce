"""What templates make things grow with, measured first: operators, filters, methods, and a rendering's accounts.

Beside the limits themselves; `tasks.templates.environment` puts all this into Jinja.
"""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final

import jinja2
from jinja2 import filters
from jinja2.runtime import Context
from jinja2.utils import Namespace, pass_context, pass_environment
from markupsafe import escape

MAX_OUTPUT: Final = 10_000_000
"""Characters a rendering may write, and the size any value on the way may have."""
MAX_RANGE: Final = 100_000
MAX_STEPS: Final = 250_000
MAX_PARTS: Final = 1_000_000
MAX_BITS: Final = 10_000
_MAX_DIGITS = 100

_WIDE_PERCENT = re.compile(r"%[^a-zA-Z%]*(\*|\d{4})")
WIDE_FIELD = re.compile(r"\{[^{}:]*:[^{}]*(\{|\d{4})")

_PLAIN_FILTERS = """
    abs capitalize count d default dictsort filesizeformat first float groupby int items last length list lower map max
    min reject rejectattr reverse select selectattr sort string striptags title trim truncate unique upper urlencode
    wordcount
""".split()  # noqa: SIM905 - so many names read better as words
PLAIN_METHODS = frozenset(
    """
    capitalize casefold copy count endswith find get index is_integer isalnum isalpha isascii isdecimal isdigit
    isidentifier islower isnumeric isprintable isspace istitle isupper items keys lower lstrip partition removeprefix
    removesuffix rfind rindex rpartition rsplit rstrip split splitlines startswith strip swapcase title upper values
    """.split()  # noqa: SIM905
)


class Runaway(jinja2.TemplateRuntimeError):
    """A rendering asked for more than it may have."""


class CountedContext(Context):
    """A rendering's variables, and what it has used so far."""

    steps = 0
    ranged = 0
    written = 0

    def step(self) -> None:
        """Count a turn of a loop or a call."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Runaway(f"it takes more than {MAX_STEPS:,} steps")

    def write(self, characters: int) -> None:
        """Count what an expression writes, be it into the output, a macro or a `set` block."""
        self.written += characters
        refuse_size(self.written)


class Names(Namespace):
    """A `namespace()` that prints as such, since its values may hold each other many times over."""

    def __repr__(self) -> str:
        return "<namespace>"


def refuse_size(size: float) -> None:
    """Raise Runaway if `size` characters or elements are too many."""
    if size > MAX_OUTPUT:
        raise Runaway(f"it makes a text or list of more than {MAX_OUTPUT:,} characters")


def weigh(value: Any) -> Any:
    """Return `value`, unless written out it would be too large: lists may share their elements many times over."""
    characters, parts, stack = 0, 0, [value]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            characters += len(part)
            refuse_size(characters)
        elif isinstance(part, list | tuple | dict):
            parts += len(part) + 1
            if parts > MAX_PARTS:
                raise Runaway(f"it makes a list of more than {MAX_PARTS:,} parts")
            stack.extend(chain(part.keys(), part.values()) if isinstance(part, dict) else part)
    return value


# Operators.


def _add(left: Any, right: Any) -> Any:
    result = operator.add(left, right)
    return weigh(result) if isinstance(result, str | list | tuple) else result


def _multiply(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > MAX_BITS:
            raise Runaway("it makes a number that is too large")
    elif not isinstance(left, float) and not isinstance(right, float):
        sequence, times = (right, left) if isinstance(left, int) else (left, right)
        refuse_size(len(sequence) * times if isinstance(times, int) else 0)
    result = operator.mul(left, right)
    return weigh(result) if isinstance(result, list | tuple) else result


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > MAX_BITS:
        raise Runaway("it makes a number that is too large")
    return operator.pow(left, right)


def _remainder(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        refuse_format(left, "%", right, _WIDE_PERCENT)
    return operator.mod(left, right)


def refuse_format(template: str, sign: str, values: Any, wide: re.Pattern[str]) -> None:
    """Raise Runaway if a format has a width from outside or above 999, or repeats its values too often."""
    if wide.search(template):
        raise Runaway("a format has a width above 999")
    refuse_size(len(template) + template.count(sign) * (1_000 + _size(values)))


def _size(value: Any) -> int:
    weigh(value)
    return len(value) if isinstance(value, str) else len(str(value))


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"+": _add, "*": _multiply, "**": _power, "%": _remainder}


# Filters, and methods of the same names.


def concat(parts: Iterable[Any]) -> str:
    """Join the texts of `parts`."""
    texts: list[str] = []
    size = 0
    for part in parts:
        texts.append(str(part))
        size += len(texts[-1])
        refuse_size(size)
    return "".join(texts)


def _join(separator: str, parts: Iterable[Any]) -> str:
    texts = [str(part) for part in parts]
    refuse_size(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


@pass_environment
def _join_filter(
    environment: jinja2.Environment, value: Iterable[Any], d: str = "", attribute: str | int | None = None
) -> str:
    read = filters.make_attrgetter(environment, attribute) if attribute is not None else None
    return _join(str(d), map(read, value) if read else value)


def _replace(text: Any, old: str, new: str, count: int | None = None) -> str:
    whole = str(text)
    refuse_size(len(whole) + whole.count(old) * len(new))
    return whole.replace(old, new, -1 if count is None else count)


def _expandtabs(text: str, tabsize: int = 8) -> str:
    refuse_size(len(text) + text.count("\t") * tabsize)
    return text.expandtabs(tabsize)


def _padded(method: Callable[..., object]) -> Callable[..., str]:
    def pad(text: Any, width: int = 80, *fill: str) -> str:
        refuse_size(width)
        return str(method(str(text), width, *fill))

    return pad


def _format_filter(value: Any, *args: Any, **kwargs: Any) -> str:
    return str(_remainder(str(value), kwargs or args))


def _indent(s: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = str(s)
    refuse_size(len(text) + (text.count("\n") + 1) * (len(width) if isinstance(width, str) else width))
    return str(filters.do_indent(text, width, first, blank))


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if abs(precision) > _MAX_DIGITS:
        raise Runaway(f"it rounds to more than {_MAX_DIGITS} digits")
    return filters.do_round(value, precision, method)


@pass_environment
def _sum(environment: jinja2.Environment, iterable: Iterable[Any], attribute: Any = None, start: float = 0) -> Any:
    if not isinstance(start, int | float):
        raise Runaway("it sums what are no numbers")
    return filters.do_sum(environment, iterable, attribute, start)


def _groups(divide: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def divided(value: Iterable[Any], size: int, fill_with: Any = None) -> Iterator[Any]:
        if size > MAX_RANGE:
            raise Runaway(f"it makes groups of more than {MAX_RANGE:,}")
        return divide(value, size, fill_with)

    return divided


def _unmarked(value: Any) -> str:
    return str(value)


def _escape(value: Any) -> str:
    return str(escape(str(value)))


def _not_json(value: object) -> Any:
    if isinstance(value, jinja2.Undefined):
        str(value)
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


_encode = json.JSONEncoder(ensure_ascii=False, default=_not_json).encode


def _tojson(value: Any, indent: int | None = None) -> str:
    """Write plain JSON: nothing is escaped for HTML, keys keep their order."""
    if indent is None:
        return _encode(value)
    return _indented(value, min(max(indent, 0), 16))


def _indented(value: Any, indent: int) -> str:
    return concat(json.JSONEncoder(ensure_ascii=False, default=_not_json, indent=indent).iterencode(value))


@pass_context
def _counted(context: CountedContext, iterable: Iterable[Any]) -> Iterator[Any]:
    for item in iterable:
        context.step()
        yield item


@pass_context
def counted_range(context: CountedContext, *args: int) -> range:
    """Return a range, counting its numbers with those of the other ranges of a rendering."""
    numbers = range(*args)
    context.ranged += len(numbers)
    if context.ranged > MAX_RANGE:
        raise Runaway(f"its ranges have more than {MAX_RANGE:,} numbers in all")
    return numbers


@pass_context
def write(context: CountedContext, value: Any) -> str:
    """Return the text of what stands in `{{ }}`, and count it."""
    text = value if type(value) is str else str(value)
    context.write(len(text))
    return text


GROWING_METHODS: dict[str, Callable[..., Any]] = {
    "center": _padded(str.center),
    "expandtabs": _expandtabs,
    "join": _join,
    "ljust": _padded(str.ljust),
    "replace": _replace,
    "rjust": _padded(str.rjust),
    "zfill": _padded(str.zfill),
}
FILTERS: dict[str, Callable[..., Any]] = {
    **{name: filters.FILTERS[name] for name in _PLAIN_FILTERS},
    "batch": _groups(filters.do_batch),
    "center": _padded(str.center),
    "e": _escape,
    "escape": _escape,
    "format": _format_filter,
    "indent": _indent,
    "join": _join_filter,
    "replace": _replace,
    "round": _round,
    "safe": _unmarked,
    "slice": _groups(filters.sync_do_slice),
    "sum": _sum,
    "tojson": _tojson,
    # No template can write these names; `tasks.templates.environment` puts them in.
    "(concat)": concat,
    "(counted)": _counted,
    "(weighed)": weigh,
}
