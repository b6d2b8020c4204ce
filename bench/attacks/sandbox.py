"""Evaluators that try to get out of the sandbox, or to take more than their share; each must end without a score."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from textwrap import indent
from typing import Final

from bench.attacks.jobs import AT_A_TIME, end_of, harm, native
from bench.attacks.site import Site, Try
from core.metric import Code
from core.spec import EvaluationSpec, RecordedTarget, RowsDataset, TaskSpec
from tests.tasks.sandbox.probes import GREEDY, REACHING

A_JOB: Final = 10
"""So many evaluators judge the one sample of a job."""

_PLACES: Final = {
    "": "def run_evaluation(item):\n{body}\n",
    " in a function within": "def run_evaluation(item):\n    def inner():\n{inner}\n    return inner()\n",
    " in a method": "def run_evaluation(item):\n    class A:\n        def run(self):\n{deep}\n    return A().run()\n",
    " in a handler": (
        "def run_evaluation(item):\n    try:\n        raise ValueError('x')\n    except ValueError:\n{inner}\n"
    ),
    " when it is defined": "def f(item):\n{body}\n\nTAKEN = f({{}})\ndef run_evaluation(item):\n    return TAKEN\n",
}
"""Where an attempt stands in an evaluator."""

_HOLDERS: Final = {
    "the item": "item",
    "a function": "run_evaluation",
    "a lambda": "(lambda: 1)",
    "a class": "A",
    "an object": "A()",
    "a method": "A().run",
    "a builtin": "print",
    "a type": "int",
    "a module": "math",
    "an exception": "ValueError('x')",
    "a text": "''",
    "a generator": "(x for x in [])",
}
_LEADING: Final = """
    __globals__ __builtins__ __code__ __subclasses__ __mro__ __base__ __dict__ __closure__ __self__ __func__
    __loader__ __reduce_ex__ __getattribute__ __init__ __import__ __traceback__ f_back gi_frame func_globals
""".split()  # noqa: SIM905 - a list of a line each would be long
"""Attributes that lead from an object of Python to its interpreter."""


_REFUSED: Final = re.compile(r"metric 'm(\d+)': the source cannot be run")


def sources() -> dict[str, str]:
    """Return the evaluators by what they try."""
    written: dict[str, str] = {}
    floods = {body for body, cause in GREEDY.items() if cause == "print" and "while" not in body}
    for body in (
        *REACHING,
        *(each for each in GREEDY if each not in floods),
    ):  # a flood of a few characters is none at the default limits
        for place, source in _PLACES.items() if body in REACHING else [("", _PLACES[""])]:
            parts = {"body": indent(body, " " * 4), "inner": indent(body, " " * 8), "deep": indent(body, " " * 12)}
            written[f"{body.splitlines()[0]}{place} #{len(written)}"] = source.format(**parts)
    for holder, expression in _HOLDERS.items():
        for name in _LEADING:
            call = f"    return len(str(getattr({expression}, '{name}'))) + 1\n"
            head = "import math\nclass A:\n    def run(self):\n        return 1\n\ndef run_evaluation(item):\n"
            written[f"{name} of {holder}"] = head + call
    return written


def attack(site: Site) -> Iterator[Try]:
    """Have each evaluator judge a sample."""
    named = site.some(list(sources().items()))
    parts = [named[first : first + A_JOB] for first in range(0, len(named), A_JOB)]
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        for tried in threads.map(lambda part: list(_judged(site, part)), parts):
            yield from tried


def _judged(site: Site, part: list[tuple[str, str]]) -> Iterator[Try]:
    """Have evaluators judge a sample in one job, without those for whose source it is refused."""
    while part:
        ended = end_of(site, native("sandbox", _spec(part)))
        if refused := _REFUSED.search(ended.message):
            yield Try(part.pop(int(refused[1]))[0], harm(ended))
            continue
        scores = {score["metric"]: score["outcome"] for score in ended.scores()}
        for number, (name, _) in enumerate(part):
            outcome = scores.get(f"m{number}", f"none, but {ended.message}")
            yield Try(name, harm(ended) or (None if outcome == "metric_error" else f"its score was {outcome}"))
        return


def _spec(part: list[tuple[str, str]]) -> EvaluationSpec:
    item = {"a": "{{ item.a }}"}
    metrics = tuple(Code(name=f"m{n}", source=source, item={**item}) for n, (_, source) in enumerate(part))
    task = TaskSpec(name="qa", dataset=RowsDataset(rows=[{"a": "1"}]), metrics=metrics)
    return EvaluationSpec(targets=(RecordedTarget(column="a"),), tasks=(task,))
