"""What templates may do with values, each paid for: operators, filters, tests and methods.

Whatever grows is measured before it is made; the account (`tasks.templates.account`) is charged for what goes in and
what comes out. `tasks.templates.environment` puts all this into Jinja.
"""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from string import Formatter
from typing import Any, Final

import jinja2
from jinja2 import filters, tests
from jinja2.utils import Namespace, pass_context, pass_environment
from markupsafe import escape

from tasks.templates.account import MAX_RANGE, PART, STEP, Account, Runaway, refuse_bits, refuse_size

_MAX_DIGITS = 100
_MAX_NUMERAL = 1_000
_MAX_PATH = 200

_WIDE = r"[#0\- +]*(\*|\d{4}|\d*\.(\*|\d{4}))"
_WIDE_PERCENT = re.compile("%" + _WIDE)
_WIDE_KEYED = re.compile("[%)]" + _WIDE)
_WIDE_FIELD = re.compile(r"\{|\d{4}")

_PLAIN_FILTERS = """
    abs capitalize count d default dictsort filesizeformat first float groupby items last length list lower map max
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
_FREE = frozenset(
    """
    boolean callable count d default defined escaped false first items iterable last length mapping none number sameas
    sequence true undefined
    """.split()  # noqa: SIM905
)
"""Filters and tests whose time does not depend on the size of what they are given."""
_WRITTEN = frozenset({"string", "tojson"})
"""Those that make a text no shorter than what they are given, if that is a tree: the text is paid for."""
FREE_METHODS: Final = frozenset({"get", "items", "keys", "values"})
_SEARCHES = frozenset({"lstrip", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "strip", "trim"})
"""Those whose time may grow with the length of the text times that of what they look for."""
_SPREADS = frozenset(
    """
    batch dictsort groupby join list map max min reject rejectattr reverse rsplit select selectattr slice sort split
    splitlines striptags sum title unique wordcount
    """.split()  # noqa: SIM905
)
"""Those that take a text apart."""

_PATHS: Final = {
    **dict.fromkeys(["groupby", "rejectattr", "selectattr", "sum"], slice(1, 2)),
    **dict.fromkeys(["max", "min", "unique"], slice(1, 3)),
    "join": slice(2, 3),
    "map": slice(0),
    "sort": slice(1, 4),
}
"""Filters that read an attribute of each part, and which of the arguments that come by place may name it."""


class Names(Namespace):
    """A `namespace()` that prints as such, since its values may hold each other many times over."""

    def __repr__(self) -> str:
        return "<namespace>"


# Operators.


def _multiply(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        refuse_bits(left.bit_length() + right.bit_length())
    elif not isinstance(left, float) and not isinstance(right, float):
        sequence, times = (right, left) if isinstance(left, int) else (left, right)
        refuse_size(len(sequence) * times if isinstance(times, int) else 0)
    return operator.mul(left, right)


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        refuse_bits(left.bit_length() * right)
    return operator.pow(left, right)


def _remainder(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        wide = _WIDE_KEYED if "%(" in left else _WIDE_PERCENT
        _refuse_format(left, left.count("%"), right, wide=bool(wide.search(left)))
    return operator.mod(left, right)


def refuse_fields(template: str, values: Any) -> None:
    """Raise Runaway if `str.format` would make a text that is too large."""
    specs = [spec for _, name, spec, _ in Formatter().parse(template) if name is not None]
    _refuse_format(template, len(specs), values, wide=any(_WIDE_FIELD.search(spec) for spec in specs if spec))


def _refuse_format(template: str, fields: int, values: Any, *, wide: bool) -> None:
    """Raise Runaway if a format has a width from outside or above 999, or repeats its values too often."""
    if wide:
        raise Runaway("a format has a width above 999")
    size = len(values) if isinstance(values, str) else len(str(values))
    refuse_size(len(template) + fields * (1_000 + size))


OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": _multiply,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": _remainder,
    "**": _power,
}


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
    texts: list[str] = []
    size = 0
    for part in parts:
        texts.append(str(part))
        size += len(texts[-1]) + len(separator)
        refuse_size(size)
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


def _int(value: Any, default: int = 0, base: int = 10) -> int:
    """Read a number; a text that is too long is none."""
    if isinstance(value, str) and len(value) > _MAX_NUMERAL:
        return default
    return filters.do_int(value, default, base)


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
    indent = min(max(indent, 0), 16)
    return concat(json.JSONEncoder(ensure_ascii=False, default=_not_json, indent=indent).iterencode(value))


# What is carried out in a rendering, paid for.


def pay(account: Account, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Pay for what a call of a filter, test, method or function is given."""
    account.spend(STEP)
    for value in args:
        account.weigh(value)
    if kwargs:
        for value in kwargs.values():
            account.weigh(value)
    if name in _PATHS:
        _refuse_path([kwargs.get("attribute"), *args[_PATHS[name]]])
    if name in _SPREADS and isinstance(args[0], str):
        account.spend(PART * len(args[0]))
    elif name in _SEARCHES and len(args) > 1 and isinstance(args[0], str):
        account.spend(len(args[0]) * len(str(args[1])) // 8)


def _refuse_path(paths: Iterable[Any]) -> None:
    """Raise Runaway for an attribute that leads through many others."""
    if any(len(path) > _MAX_PATH for path in paths if isinstance(path, str)):
        raise Runaway(f"it names an attribute in more than {_MAX_PATH} characters")


def operate(account: Account, sign: str, left: Any, right: Any) -> Any:
    """Carry out an operator."""
    if sign in "%-":  # `-` is for sets of keys too
        account.weigh(left)
        account.weigh(right)
    return account.take(OPERATORS[sign](left, right))


def _paid(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter or test that is paid for; what it yields is paid for one by one."""
    free, written = name in _FREE, name in _WRITTEN
    passed = getattr(function, "jinja_pass_arg", None)
    first = passed and _PASSED[passed.name]

    @pass_context
    def call(context: Account, *args: Any, **kwargs: Any) -> Any:
        if free or (written and context.only_reads):
            context.spend(STEP)
        else:
            pay(context, name, args, kwargs)
        result = function(first(context), *args, **kwargs) if first else function(*args, **kwargs)
        if hasattr(result, "__next__"):
            return map(context.weigh, context.counted(result))
        return result if free else context.weigh(result)

    return call


_PASSED: Final[dict[str, Callable[[Account], Any]]] = {
    "context": lambda context: context,
    "eval_context": operator.attrgetter("eval_ctx"),
    "environment": operator.attrgetter("environment"),
}
"""What Jinja hands to a filter before its value."""


@pass_context
def _turns(context: Account, iterable: Iterable[Any], nodes: int) -> Iterator[Any]:
    """Pay for the turns of a loop over `iterable`, whose body has so many nodes."""
    return context.counted(iterable, STEP + PART * nodes)


@pass_context
def _weighed(context: Account, value: Any) -> Any:
    return context.weigh(value)


@pass_context
def _taken(context: Account, value: Any) -> Any:
    return context.take(value)


@pass_context
def _concat(context: Account, parts: Sequence[Any]) -> str:
    return str(context.take(concat(map(context.weigh, parts))))


@pass_context
def _body(context: Account, nodes: int) -> None:
    """Pay for the body of a macro."""
    context.spend(PART * nodes)


@pass_context
def counted_range(context: Account, *args: int) -> range:
    """Return a range, counting its numbers with those of the other ranges of a rendering."""
    numbers = range(*args)
    context.ranged += len(numbers)
    if context.ranged > MAX_RANGE:
        raise Runaway(f"its ranges have more than {MAX_RANGE:,} numbers in all")
    return numbers


@pass_context
def write(context: Account, value: Any) -> str:
    """Return the text of what stands in `{{ }}`, and count it."""
    text = value if type(value) is str else str(context.weigh(value))
    context.write(len(text))
    return text


GROWING_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "center": _padded(str.center),
    "expandtabs": _expandtabs,
    "join": _join,
    "ljust": _padded(str.ljust),
    "replace": _replace,
    "rjust": _padded(str.rjust),
    "zfill": _padded(str.zfill),
}
_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    **{name: filters.FILTERS[name] for name in _PLAIN_FILTERS},
    "batch": _groups(filters.do_batch),
    "center": _padded(str.center),
    "e": _escape,
    "escape": _escape,
    "format": _format_filter,
    "indent": _indent,
    "int": _int,
    "join": _join_filter,
    "replace": _replace,
    "round": _round,
    "safe": _unmarked,
    "slice": _groups(filters.sync_do_slice),
    "sum": _sum,
    "tojson": _tojson,
}
FILTERS: Final[dict[str, Callable[..., Any]]] = {
    **{name: _paid(name, function) for name, function in _FILTERS.items()},
    # No template can write these names; `tasks.templates.environment` puts them in.
    "(body)": _body,
    "(concat)": _concat,
    "(taken)": _taken,
    "(turns)": _turns,
    "(weighed)": _weighed,
}
TESTS: Final[dict[str, Callable[..., Any]]] = {
    name: _paid(name, test) for name, test in dict[str, Any](tests.TESTS).items()
}
