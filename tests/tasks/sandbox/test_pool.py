import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path
from textwrap import indent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.processes import children
from core.errors import SpecInvalid, Unsupported
from tasks.sandbox import pool as pools
from tasks.sandbox.contract import LARGEST, Cause, Evaluated, Failed
from tasks.sandbox.pool import Pool
from tasks.sandbox.process import Program
from tasks.sandbox.shared import check, sandbox
from tests.tasks.sandbox.conftest import FAKE, NARROW, PATIENT, has_ended, hurried, started_by
from tests.tasks.sandbox.probes import FORGED, GREEDY, PRYING, REACHING

ITEM = {"a": 1}
QUARTER = "return item['a'] / 4"


def evaluator(body: str) -> str:
    return f"def run_evaluation(item):\n{indent(body, '    ')}\n"


def run(pool: Pool, body: str) -> Evaluated | Failed:
    return pool.run(evaluator(body), ITEM)


# What must not succeed.


@pytest.mark.parametrize(("body", "exception"), REACHING.items())
def test_an_evaluator_reaches_nothing_outside(pool: Pool, body: str, exception: str) -> None:
    failed = run(pool, body)
    assert isinstance(failed, Failed)
    assert failed.cause == "exception"
    assert failed.error.startswith("line ")
    assert exception in failed.error
    assert run(pool, QUARTER) == Evaluated(0.25)


@pytest.mark.thorough
@pytest.mark.parametrize(("body", "cause"), GREEDY.items())
def test_an_evaluator_that_takes_too_much_is_stopped_and_the_next_is_not(pool: Pool, body: str, cause: Cause) -> None:
    with hurried(pool) if cause == "time" else nullcontext():
        failed = run(pool, body)
    assert isinstance(failed, Failed)
    assert failed.cause == cause
    said = {
        "time": "it ran for more than 0.2 s",
        "memory": "it needs more than 8 MB of memory",
        "print": "it printed more than 10,000 characters",
    }
    assert failed.error == said.get(cause, failed.error)
    assert len(failed.error) < 400
    assert run(pool, QUARTER) == Evaluated(0.25)


@pytest.mark.parametrize(("body", "said"), FORGED.items())
def test_no_exception_in_the_words_of_a_limit_is_taken_for_one(pool: Pool, body: str, said: str) -> None:
    failed = run(pool, body)
    assert isinstance(failed, Failed)
    assert failed.cause == "exception"
    assert re.match(rf"line \d+: {re.escape(said)}", failed.error), failed.error


def test_a_limit_is_known_where_the_source_runs_too(pool: Pool) -> None:
    for source, cause in (
        ("x = [0] * 10**9\n", "memory"),
        ("raise MemoryError('memory limit exceeded')\n", "exception"),
    ):
        failed = pool.run(source + evaluator(QUARTER), ITEM)
        assert isinstance(failed, Failed)
        assert failed.cause == cause


@pytest.mark.parametrize("source", PRYING)
def test_a_source_is_told_no_name_of_ours(pool: Pool, source: str) -> None:
    for text in (f"{source}\n{evaluator('return 1')}", evaluator(f"{source}\nreturn 1")):
        answer = pool.run(text, ITEM)
        said = answer.printed + (answer.error if isinstance(answer, Failed) else "")
        assert not re.search("[0-9a-f]{32}", said), said
        assert said


def test_there_are_enough_probes_and_no_file_was_made() -> None:
    assert len(REACHING) + len(GREEDY) > 100
    assert not Path("/tmp/out").exists()
    assert not Path("/tmp/made").exists()


def test_an_item_has_a_largest_size(pool: Pool) -> None:
    failed = pool.run(evaluator(QUARTER), {"a": "x" * NARROW.request})
    assert isinstance(failed, Failed)
    assert failed.cause == "request"
    assert re.fullmatch(r"source and item have 100,\d\d\d characters of 100,000 at most", failed.error)
    nested: list[object] = []
    for _ in range(10_000):
        nested = [nested]
    deep = pool.run(evaluator(QUARTER), nested)
    assert isinstance(deep, Failed)
    assert deep.error.startswith("its item cannot be written as JSON: maximum recursion depth exceeded")


# Scores.


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("return {'score': 0.5, 'why': 'half'}", 0.5),
        ("return {'score': True}", 1.0),
        ("return False", 0.0),
        ("return 3", 3.0),
        ("return -2.5", -2.5),
        ("return 10**100", 1e100),
        ("return {'score': item['a']}", 1.0),
    ],
)
def test_a_score_is_a_number_or_a_bool_bare_or_under_its_name(pool: Pool, body: str, value: float) -> None:
    assert run(pool, body) == Evaluated(value)
    assert pool.run(f"run_evaluation = lambda item: {value!r}", ITEM) == Evaluated(value)


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("return None", "a value of type NoneType"),
        ("return 'good'", "the str 'good'"),
        ("return {'value': 1}", "a dict without 'score'"),
        ("return {'score': [1]}", "a value of type list"),
        ("return float('-inf')", "-inf"),
        ("return 10**101", "an int beyond 1e100"),
        ("return 1e101", "1e+101"),
    ],
)
def test_anything_else_is_no_score_and_is_told(pool: Pool, body: str, came: str) -> None:
    assert run(pool, body) == Failed("result", f"it returned {came}, not a number")


@settings(max_examples=50)
@given(value=st.floats(-LARGEST, LARGEST) | st.integers(-(10**18), 10**18) | st.booleans())
def test_a_number_comes_back_as_it_was_given(value: float) -> None:
    assert sandbox().run("def run_evaluation(item):\n    return {'score': item}", value) == Evaluated(float(value))


@settings(max_examples=25)
@given(
    item=st.recursive(
        st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(-LARGEST, LARGEST) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_an_evaluator_sees_the_item_as_it_is(item: object) -> None:
    assert sandbox().run(f"def run_evaluation(item):\n    return item == {item!r}", item) == Evaluated(1.0)


def test_nothing_is_left_over_from_one_evaluation_to_the_next(pool: Pool) -> None:
    counting = "count = [0]\ndef run_evaluation(item):\n    count[0] += 1\n    return count[0]\n"
    assert [pool.run(counting, ITEM) for _ in range(3)] == [Evaluated(1.0)] * 3
    drawing = "import random\ndef run_evaluation(item):\n    return random.random()\n"
    first, second = pool.run(drawing, ITEM), pool.run(drawing, ITEM)
    assert first == second
    assert isinstance(first, Evaluated)


def test_what_is_printed_is_kept_from_its_beginning_and_shown_nowhere(
    pool: Pool, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(pool, "print('seen', item['a'])\nreturn 1") == Evaluated(1.0, "seen 1\n")
    long = run(pool, "print('x' * 9000)\nreturn 1")
    assert long == Evaluated(1.0, "x" * 1000)
    assert run(pool, "print('so far')\n1 / 0") == Failed(
        "exception", "line 3: ZeroDivisionError: division by zero", "so far\n"
    )
    assert capfd.readouterr() == ("", "")


def test_names_that_a_source_takes_do_not_change_how_it_is_read(pool: Pool) -> None:
    source = "isinstance = type = float = int = dict = str = abs = None\ndef run_evaluation(item):\n    return 0.5\n"
    assert pool.run(source, ITEM) == Evaluated(0.5)
    pool.check(source)


def test_a_sleep_costs_nothing_and_the_line_of_an_exception_is_the_sources(pool: Pool) -> None:
    assert run(pool, "import time\ntime.sleep(3600)\nreturn 1") == Evaluated(1.0)
    source = "def half(x):\n    return x / 0\n\n" + evaluator("return half(1)")
    assert pool.run(source, ITEM) == Failed("exception", "line 2: ZeroDivisionError: division by zero")


# Sources that cannot be run.

UNCALLABLE = "run_evaluation is not a plain function of one argument, the item"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("def run_evaluation(item):\n    yield 1", "line 2: the sandbox does not run yield expressions"),
        (
            "class A(dict):\n    pass",
            "line 1: the sandbox does not run class inheritance and metaclasses, but for Enum, StrEnum, IntEnum, "
            "NamedTuple and TypedDict with plain values and no methods",
        ),
        ("x = 1\ndel x", "line 2: the sandbox does not run the 'del' statement"),
        ("\nimport numpy as np", "line 2: ModuleNotFoundError: No module named 'numpy'"),
        (evaluator("import scipy\nimport numpy"), "line 2: ModuleNotFoundError: No module named 'scipy'"),
        (evaluator("import numpy as np\nreturn 1"), "line 2: ModuleNotFoundError: No module named 'numpy'"),
        (
            evaluator("from math import cube"),
            "line 2: ImportError: cannot import name 'cube' from 'math' (unknown location)",
        ),
        ("def run_evaluation(item:\n    pass", "line 2: SyntaxError: Expected an expression"),
        ("x = (", "line 1: SyntaxError: unexpected EOF while parsing"),
        ("x = 1\n1 / 0\n" + evaluator("return 1"), "line 2: ZeroDivisionError: division by zero"),
        ("def evaluate(item):\n    return 1", "it defines no function run_evaluation(item)"),
        ("run_evaluation = 3", "it defines no function run_evaluation(item)"),
        ("def run_evaluation(): pass", f"line 1: {UNCALLABLE}"),
        ("x = 1\ndef run_evaluation(item, model): pass", f"line 2: {UNCALLABLE}"),
        ("def run_evaluation(item, *, model): pass", f"line 1: {UNCALLABLE}"),
        ("async def run_evaluation(item): pass", f"line 1: {UNCALLABLE}"),
        ("", "it defines no function run_evaluation(item)"),
        ("while True: pass", "it ran for more than 0.2 s"),
        ("x = '\ud800'", "SyntaxError: source code is not valid UTF-8 (contains lone surrogates)"),
        ("x = " + "(" * 5000 + ")" * 5000, "line 1: SyntaxError: Source is too deeply nested"),
    ],
)
def test_a_source_that_cannot_be_run_is_refused_by_construct_and_line(pool: Pool, source: str, error: str) -> None:
    with pytest.raises(SpecInvalid) as refused, hurried(pool) if source.startswith("while") else nullcontext():
        pool.check(source)
    assert refused.value.message == f"the source cannot be run: {error}"
    assert refused.value.field == "source"


@pytest.mark.parametrize(
    "source",
    [
        evaluator(QUARTER),
        "run_evaluation = lambda item: 1",
        "def run_evaluation(): pass\ndef run_evaluation(item, model=None): return 1",
        "def run_evaluation(*items): return 1",
        "import re, json, math, datetime, collections, itertools, functools, random, unicodedata\n"
        + evaluator(QUARTER),
        evaluator("import json\nfrom math import sqrt\nreturn sqrt(4)"),
        evaluator("try:\n    import numpy\nexcept ImportError:\n    numpy = None\nreturn 1"),
        evaluator("match item:\n    case {'a': a}: return a\n    case _: return 0"),
        "values = [1] * 100\nfor _ in range(12): values = [values] * 100\n" + evaluator(QUARTER) + "values",
    ],
)
def test_a_source_that_can_be_run_is_accepted(pool: Pool, source: str) -> None:
    pool.check(source)
    assert isinstance(pool.run(source, ITEM), Evaluated)


def test_the_check_of_the_process_is_that_of_its_sandbox() -> None:
    check(evaluator(QUARTER))
    with pytest.raises(SpecInvalid, match="line 2: the sandbox does not run yield expressions"):
        check(evaluator("yield 1"))
    assert sandbox() is sandbox()


def test_a_source_has_a_largest_size(pool: Pool) -> None:
    with pytest.raises(SpecInvalid, match="the source has 100,000 characters of 50,000 at most"):
        pool.check("#" * NARROW.request)
    pool.check("#" * (NARROW.source_length // 2) + "\n" + evaluator(QUARTER))


# Processes.


def test_threads_share_a_few_processes(pool: Pool) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: pool.run(evaluator("return item"), n), range(200)))
    assert answers == [Evaluated(float(n)) for n in range(200)]
    with closing(Pool(PATIENT, size=1)) as alone, ThreadPoolExecutor(4) as threads:
        started = started_by(lambda: list(threads.map(lambda n: alone.run(evaluator("return item"), n), range(20))))
    assert len(started) == 1


def test_a_process_that_died_idle_is_replaced_and_no_evaluation_fails() -> None:
    with closing(Pool(PATIENT, size=1)) as pool:
        (pid,) = started_by(lambda: run(pool, QUARTER))
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert run(pool, QUARTER) == Evaluated(0.25)
        assert pid not in children(os.getpid())


def test_a_process_that_hangs_is_killed_and_only_its_evaluation_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Pool(PATIENT, size=1)) as pool:
        (pid,) = started_by(lambda: run(pool, QUARTER))
        os.kill(pid, signal.SIGSTOP)
        with hurried(pool), monkeypatch.context() as at_once:
            at_once.setattr(pools, "SLACK_S", 0.0)
            assert run(pool, QUARTER) == Failed("time", "it ran for more than 0.2 s")
        assert pid not in children(os.getpid())
        assert run(pool, QUARTER) == Evaluated(0.25)


def test_a_closed_pool_leaves_no_process() -> None:
    with closing(Pool(PATIENT)) as pool:
        (pid,) = started_by(lambda: run(pool, QUARTER))
        (worker,) = children(pid)
        watched = os.pidfd_open(worker)
    assert pid not in children(os.getpid())
    assert has_ended(watched)


# Trust.


def test_a_sound_sandbox_is_proved(pool: Pool) -> None:
    pool.prove()
    assert run(pool, QUARTER) == Evaluated(0.25)


def test_without_an_interpreter_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with closing(Pool()) as pool, pytest.raises(Unsupported) as refused:
        pool.prove()
    assert refused.value.message.startswith("code evaluators cannot be run here: the sandbox cannot start a process:")
    assert "/nowhere/python" in refused.value.message


def test_a_process_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _behaving(monkeypatch, tmp_path, greeting='{"error": "OSError: no limits here"}')
    with closing(Pool()) as pool, pytest.raises(Unsupported, match="OSError: no limits here"):
        pool.prove()
    (tmp_path / "child.py").write_text("")
    with closing(Pool()) as pool, pytest.raises(Unsupported, match="the sandbox's process did not start: it ended"):
        pool.prove()


def test_a_sandbox_that_stops_nothing_is_not_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _behaving(monkeypatch, tmp_path, reply='{"value": 0.25}')
    with closing(Pool()) as pool, pytest.raises(Unsupported) as refused:
        pool.prove()
    assert "open('/etc/passwd')" in refused.value.message
    assert "came Evaluated(value=0.25" in refused.value.message


@pytest.mark.parametrize(
    "reply", ["", "nonsense", "null", "{}", '{"value": NaN}', '{"value": 1e200}', '{"value": "high"}', "0" * 200_000]
)
def test_a_process_that_answers_nonsense_gives_no_score(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reply: str
) -> None:
    _behaving(monkeypatch, tmp_path, reply=reply)
    with closing(Pool(NARROW, size=1)) as pool:
        before = children(os.getpid())
        assert run(pool, QUARTER) == Failed("lost", "its process ended")
        assert children(os.getpid()) == before


def _behaving(monkeypatch: pytest.MonkeyPatch, folder: Path, greeting: str = "null", reply: str = "null") -> None:
    """Have processes say the same to every request."""
    script = folder / "child.py"
    script.write_text(FAKE.format(greeting=greeting, reply=reply))
    monkeypatch.setattr(pools, "EVALUATORS", Program((str(script),), largest_reply=100_000))
