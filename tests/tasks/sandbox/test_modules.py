"""The modules that evaluators are given, against those of the standard library, and in the interpreter."""

import ast
import contextlib
import difflib
import enum
import html
import logging
import operator
import statistics
import string
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tasks.sandbox.modules
from tasks.sandbox.contract import Evaluated, Failed
from tasks.sandbox.pool import Pool

FOLDER = Path(tasks.sandbox.modules.__file__).parent
STANDARD: dict[str, Any] = {
    each.__name__: each for each in (ast, contextlib, difflib, enum, html, logging, operator, statistics, string)
}


def ours(name: str) -> Any:
    """One of our modules as this Python runs it."""
    defined: dict[str, Any] = {"__name__": name}
    exec(compile((FOLDER / f"{name}.py").read_text(), name, "exec"), defined)
    return SimpleNamespace(**defined)


OURS = {name: ours(name) for name in STANDARD}
OURS["html"]._NAMES.update(amp="&", lt="<", gt=">", quot='"', eacute="é")


def test_all_that_is_defined_is_in_the_standard_library_too() -> None:
    assert {path.stem for path in FOLDER.glob("[!_]*.py")} == set(STANDARD)
    for name, module in OURS.items():
        public = {each for each in vars(module) if not each.startswith("_")}
        assert public <= set(dir(STANDARD[name])) | {"math", "re", "Counter"}, name


def test_the_constants_of_string_are_the_same() -> None:
    for name in ("ascii_letters", "digits", "hexdigits", "octdigits", "printable", "punctuation", "whitespace"):
        assert getattr(OURS["string"], name) == getattr(string, name)
    assert OURS["string"].capwords(" two  words ") == string.capwords(" two  words ")


@given(st.text("ab ", max_size=40), st.text("ab ", max_size=40), st.booleans())
def test_sequences_are_compared_alike(a: str, b: str, junk: bool) -> None:
    is_junk = (lambda each: each == " ") if junk else None
    made, standard = OURS["difflib"].SequenceMatcher(is_junk, a, b), difflib.SequenceMatcher(is_junk, a, b)
    assert made.get_matching_blocks() == [tuple(block) for block in standard.get_matching_blocks()]
    assert made.get_opcodes() == standard.get_opcodes()
    for ratio in ("ratio", "quick_ratio", "real_quick_ratio"):
        assert getattr(made, ratio)() == getattr(standard, ratio)()


@given(st.text("abcdefgh", min_size=150, max_size=200))
def test_popular_elements_of_long_sequences_begin_no_match(a: str) -> None:
    b = a[::-1] + "xyz" + a[:100]
    assert OURS["difflib"].SequenceMatcher(None, a, b).ratio() == difflib.SequenceMatcher(None, a, b).ratio()


def test_close_matches_are_the_same() -> None:
    words = ["ape", "apple", "peach", "puppy", "appel"]
    assert OURS["difflib"].get_close_matches("appel", words) == difflib.get_close_matches("appel", words)


@given(st.lists(st.floats(0.5, 1e6) | st.integers(1, 1000), min_size=2, max_size=20))
def test_statistics_are_the_same(data: list[float]) -> None:
    for name in ("mean", "fmean", "median", "median_low", "median_high", "mode", "multimode", "harmonic_mean"):
        assert getattr(OURS["statistics"], name)(data) == pytest.approx(getattr(statistics, name)(data)), name
    for name in ("variance", "pvariance", "stdev", "pstdev", "geometric_mean"):
        found, expected = getattr(OURS["statistics"], name)(data), getattr(statistics, name)(data)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), name


def test_statistics_of_nothing_are_an_error() -> None:
    for name in ("mean", "median", "mode", "pvariance", "harmonic_mean"):
        with pytest.raises(ValueError, match="at least one data point"):
            getattr(OURS["statistics"], name)([])


@given(st.text("&<>\"'a;", max_size=20))
def test_html_is_escaped_and_read_back(text: str) -> None:
    for quote in (True, False):
        assert OURS["html"].escape(text, quote) == html.escape(text, quote)
    OURS["html"]._NAMES.setdefault("apos", "'")
    assert OURS["html"].unescape(html.escape(text)) == text


def test_characters_are_read_by_name_and_number() -> None:
    for text in ("&amp;&lt;", "caf&eacute;", "&#233;&#xE9;", "&unknown; &", "&#0;", "&#xD800;"):
        assert OURS["html"].unescape(text) == html.unescape(text), text


@given(st.integers(-9, 9), st.integers(1, 9))
def test_operators_are_the_same(a: int, b: int) -> None:
    of_sequences = {"itemgetter", "contains", "getitem", "countOf", "indexOf", "concat"}
    for name, function in vars(OURS["operator"]).items():
        if not name.startswith("_") and name not in of_sequences:
            arguments = (a,) if function.__code__.co_argcount == 1 else (a, b)
            assert function(*arguments) == getattr(operator, name)(*arguments), name
    assert OURS["operator"].itemgetter(0, 1)([a, b]) == (a, b)
    assert OURS["operator"].countOf([a, b, a], a) == operator.countOf([a, b, a], a)


@pytest.mark.parametrize(
    ("imports", "expression", "value"),
    [
        ("from difflib import SequenceMatcher", "SequenceMatcher(None, 'abcd', 'bcde').ratio()", 0.75),
        ("import string", "float('a' in string.ascii_letters) / 2", 0.5),
        ("import statistics as s, json", "s.mean([0.25, json.loads('0.75')])", 0.5),
        ("import enum", "enum.Enum('Colour', 'RED GREEN').GREEN.value / 2", 1.0),
        ("import html", "len(html.unescape('&amp;&eacute;')) / 4", 0.5),
        ("from operator import (\n    itemgetter as get,\n    add,\n)", "add(get('a')({'a': 0.25}), 0.25)", 0.5),
        ("import ast", "ast.literal_eval(\"['a(', {'b': (0.5,)}]\")[1]['b'][0]", 0.5),
        ("import logging", "logging.getLogger(__name__).info('%s', 1) or 1", 1.0),
        ("from functools import wraps, reduce", "reduce(wraps(len)(lambda a, b: a + b), [1, 2])", 3.0),
        ("from collections import OrderedDict", "len(OrderedDict(a=1))", 1.0),
        ("import math; import statistics", "statistics.median([math.floor(1.5), 2, 3])", 2.0),
    ],
)
def test_an_evaluator_imports_them_at_the_top_and_within(
    pool: Pool, imports: str, expression: str, value: float
) -> None:
    within = imports.replace("\n", "\n    ")
    for source in (
        f"{imports}\ndef run_evaluation(item):\n    return {expression}\n",
        f"def run_evaluation(item):\n    {within}\n    return {expression}\n",
    ):
        pool.check(source)
        assert pool.run(source, {}) == Evaluated(value)


def test_lines_are_counted_as_they_are_written(pool: Pool) -> None:
    source = "from operator import (\n    add,\n)\ndef run_evaluation(item):\n    return 1 / 0\n"
    failed = pool.run(source, {})
    assert isinstance(failed, Failed)
    assert failed.error.startswith("line 5: ZeroDivisionError")


def test_a_class_of_plain_values_that_inherits_from_enum_is_one(pool: Pool) -> None:
    source = (
        "import enum\nfrom enum import Enum\n"
        'class Grade(Enum):\n    """How good."""\n    GOOD = 1\n    BAD = -0.5\n'
        "class Word(enum.Enum): YES = 'yes'\n"
        "def run_evaluation(item):\n"
        "    class Inner(Enum):\n        A = (1, 2)\n"
        "    assert Word('yes') is Word.YES and Inner.A.value == (1, 2)\n"
        "    assert [grade.name for grade in Grade] == ['GOOD', 'BAD']\n"
        "    return Grade[item['grade']].value\n"
    )
    assert pool.run(source, {"grade": "BAD"}) == Evaluated(-0.5)
    failed = pool.run(source, {"grade": "UGLY"})
    assert isinstance(failed, Failed)
    assert failed.error.startswith("line 13: KeyError")


NAMES = ["RED GREEN", "RED, GREEN", ["RED", "GREEN"], [("RED", 1), ("GREEN", 2)], {"RED": 1, "GREEN": 2}]


@pytest.mark.parametrize("names", NAMES)
def test_an_enumeration_is_made_by_a_call(names: Any) -> None:
    both: list[Any] = [OURS["enum"].Enum("Colour", names), STANDARD["enum"].Enum("Colour", names)]
    for made in both:
        assert [(each.name, each.value) for each in made] == [("RED", 1), ("GREEN", 2)]
        assert made.RED is made["RED"] is made(1)
        assert made.RED != made.GREEN
        assert repr(made.GREEN) == "<Colour.GREEN: 2>"
        with pytest.raises(ValueError, match="is not a valid"):
            made(3)
        with pytest.raises(KeyError):
            made["BLUE"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import heapq", "No module named 'heapq'"),
        ("from enum import Enum\nclass Colour(Enum):\n    def f(self): return 1", "class inheritance"),
        ("from enum import IntEnum\nclass Level(IntEnum):\n    NONE = 0", "TypeError: Level.NONE: 0 is no value"),
        ("from typing import NamedTuple\nclass R(NamedTuple):\n    def f(self): return 1", "class inheritance"),
        ("from typing import TypedDict\nclass R(TypedDict):\n    a = 1", "class inheritance"),
        ("class Wrong(ValueError): pass", "but for Enum, StrEnum, IntEnum, NamedTuple and TypedDict with plain values"),
        ("from enum import Enum\nclass Colour(Enum):\n    RED = f()", "class inheritance"),
        ("class Colour(Enum):\n    RED = 1", "Enum"),
    ],
)
def test_what_is_not_there_is_named(pool: Pool, source: str, error: str) -> None:
    failed = pool.run(f"{source}\ndef run_evaluation(item):\n    return 1\n", {})
    assert isinstance(failed, Failed)
    assert error in failed.error


OF_CLASSES = """
import enum, string
from enum import Enum, auto
from typing import NamedTuple, TypedDict

class Grade(str, Enum):
    \"\"\"How good.\"\"\"
    GOOD = "good"
    BAD = "bad"
    FINE = "good"

class Kind(Enum):
    A = auto()
    B = auto()

class Word(enum.StrEnum):
    YES = enum.auto()

class Level(enum.IntEnum):
    LOW = 1
    HIGH = 5

class Result(NamedTuple):
    score: float
    why: str = ""

class Row(TypedDict, total=False):
    score: float

class Plain(object):
    def words(self, text):
        return text.lower().translate(str.maketrans("", "", string.punctuation)).split()

def run_evaluation(item):
    assert Grade.GOOD == "good" and "bad" == Grade.BAD and Grade.GOOD != Grade.BAD and Grade.FINE is Grade.GOOD
    assert Grade("bad") is Grade(Grade.BAD) is Grade["BAD"] and Grade.BAD in ["bad"] and {"bad": 1}[Grade.BAD] == 1
    assert list(Grade.__members__) == ["GOOD", "BAD", "FINE"] and [each.value for each in Grade] == ["good", "bad"]
    assert str(Grade.GOOD) == "Grade.GOOD" and f"{Kind.B}" == "Kind.B" and Kind.B.value == 2 and Kind.B != 2
    assert f"{Word.YES}" == "yes" == Word.YES and Level.HIGH == 5 and int(Level.LOW) == 1 and str(Level.HIGH) == "5"
    result = Result(0.5)
    score, why = result
    assert result == (0.5, "") and result._replace(why="x").why == "x" and Result._fields == ("score", "why")
    assert Row(score=score) == {"score": 0.5}
    assert Plain().words("Hello, World!") == ["hello", "world"]
    return score
"""


def test_classes_that_inherit_with_plain_values_and_texts_are_as_in_python(pool: Pool) -> None:
    defined: dict[str, Any] = {}
    exec(compile(OF_CLASSES, "evaluator", "exec"), defined)
    assert defined["run_evaluation"]({}) == 0.5
    assert pool.run(OF_CLASSES, {}) == Evaluated(0.5)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a-b'.translate({45: None})", "ab"),
        ("'abc'.translate(str.maketrans('ab', 'xy', 'c'))", "xy"),
        ("'abc'.translate(str.maketrans('ab', 'xy')).translate(str.maketrans('', '', 'c'))", "xy"),
        ("'abc'.translate(str.maketrans({'a': 'long', 'b': None, 99: 100}))", "longd"),
        ('f"{item.translate({97: None})}!"', "bc!"),
        ("(item\n        + 'd').translate(\n        {97: 65},\n    )", "Abcd"),
        ("Own().translate(1)", 2),
    ],
)
def test_texts_are_translated(pool: Pool, expression: str, value: object) -> None:
    source = (
        "class Own:\n    def translate(self, x):\n        return x + 1\n"
        f"def run_evaluation(item):\n    assert {expression} == {value!r}\n    return 1\n"
    )
    defined: dict[str, Any] = {}
    exec(compile(source, "evaluator", "exec"), defined)
    assert defined["run_evaluation"]("abc") == 1
    assert pool.run(source, "abc") == Evaluated(1.0)


@pytest.mark.parametrize(
    "text", ["[1, 2.5, -3, 1e-5, None, True]", "{'a': (1,), 'b(': {2}}", "'it\\'s'", "[]", '"x"', "1_000", " (1, 2) "]
)
def test_literals_are_read_alike(text: str) -> None:
    assert OURS["ast"].literal_eval(text) == ast.literal_eval(text.strip())


@pytest.mark.parametrize("text", ["len('x')", "x", "(1)(2)", "'a'.upper()", "[1][0]", "1 - 2", "1 if 1 else 2", ""])
def test_what_is_no_literal_is_refused(text: str) -> None:
    for module in (ast, OURS["ast"]):
        with pytest.raises((ValueError, SyntaxError)):
            module.literal_eval(text)


def test_exceptions_are_suppressed_by_their_kinds(pool: Pool) -> None:
    source = (
        "from contextlib import suppress\ndef run_evaluation(item):\n"
        "    with suppress(ValueError, KeyError):\n        return float(item)\n    return -1\n"
    )
    assert pool.run(source, "x") == Evaluated(-1.0)
    assert pool.run(source, "2") == Evaluated(2.0)
    failed = pool.run(source.replace("ValueError, ", ""), "x")
    assert isinstance(failed, Failed)
    assert failed.error.startswith("line 4: ValueError")


def test_logs_are_printed_from_warnings_on(pool: Pool) -> None:
    source = (
        "import logging\nlog = logging.getLogger(__name__)\ndef run_evaluation(item):\n"
        "    log.info('no')\n    log.warning('%s of %d', item, 2)\n    logging.error('100%')\n    return 1\n"
    )
    assert pool.run(source, "one") == Evaluated(1.0, "one of 2\n100%\n")
