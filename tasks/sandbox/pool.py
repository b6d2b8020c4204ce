"""The first tier of the sandbox: a few warm processes, each with a Monty interpreter."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.errors import ServiceError, SpecInvalid, Unsupported
from tasks.sandbox.contract import LIMITS, Cause, Evaluated, Failed, Limits
from tasks.sandbox.places import Places
from tasks.sandbox.process import Lost, Program

T = TypeVar("T")

_ROOT: Final = str(Path(__file__).parents[2])
_START: Final = f"import sys; sys.path.insert(0, {_ROOT!r}); from tasks.sandbox.child import main; main()"
EVALUATORS: Final = Program(("-c", _START), largest_reply=100_000)

SLACK_S: Final = 5.0
"""How much later than its limits a process may answer before it is killed: it may have had to wait for a core."""

QUICKLY_S: Final = 0.1

_PROOFS: Final[dict[str, float | Cause]] = {
    "return {'score': item['a'] / 4}": 0.25,
    "return len(open('/etc/passwd').read())": "exception",
    "return __import__('os').getpid()": "exception",
    "return len([0] * 10**9)": "memory",
    "while True: pass": "time",
}
"""What bodies of an evaluator must come to, with `{"a": 1}`, where code is to be run."""

_checked: Final[TypeAdapter[Failed | None]] = TypeAdapter(Failed | None)
_evaluated: Final[TypeAdapter[Evaluated | Failed]] = TypeAdapter(Evaluated | Failed)


class Pool:
    """At most `size` processes, started when they are wanted and shared by all threads, and one for checks alone.

    One that overruns, dies or answers nonsense is killed, and another takes its place; only its evaluation fails.
    """

    def __init__(self, limits: Limits = LIMITS, *, size: int = 2) -> None:
        """Start nothing yet."""
        self.limits = limits
        self._runs, self._checks = Places(size, EVALUATORS), Places(1, EVALUATORS)

    def check(self, source: str) -> None:
        """Raise SpecInvalid naming the line and construct of a source that cannot be run; see `Sandbox`."""
        if failed := self._ask(self._checks, _checked, self.limits, {"source": source}):
            raise SpecInvalid(f"the source cannot be run: {failed.error}", field="source")

    def run(self, source: str, item: Any) -> Evaluated | Failed:
        """Evaluate one item; see `Sandbox`."""
        return self._ask(self._runs, _evaluated, self.limits, {"source": source, "item": item})

    def prove(self) -> None:
        """Raise Unsupported unless a known evaluator gives its score, and hostile ones are stopped."""
        hurried = replace(self.limits, seconds=QUICKLY_S)
        for body, expected in _PROOFS.items():
            request = {"source": f"def run_evaluation(item):\n    {body}", "item": {"a": 1}}
            try:
                answer = self._ask(self._runs, _evaluated, hurried if expected == "time" else self.limits, request)
            except ServiceError as error:
                raise Unsupported(f"code evaluators cannot be run here: {error.message}") from error
            if expected != (answer.value if isinstance(answer, Evaluated) else answer.cause):
                raise Unsupported(f"code evaluators cannot be run here: of {body!r} came {answer}")

    def close(self) -> None:
        """End the processes that have nothing to do."""
        for places in (self._runs, self._checks):
            places.close()

    def _ask(self, places: Places, answers: TypeAdapter[T], limits: Limits, request: Mapping[str, Any]) -> T | Failed:
        """Put a request to a process; one that it cannot take, or that ends it, has failed."""
        try:
            message = json.dumps({**asdict(limits), **request}).encode()
        except (RecursionError, ValueError) as error:
            return Failed("request", f"its item cannot be written as JSON: {error}")
        if (length := len(request["source"])) > limits.source_length:
            return Failed("request", f"the source has {length:,} characters of {limits.source_length:,} at most")
        if len(message) > limits.request:
            return Failed("request", f"source and item have {len(message):,} characters of {limits.request:,} at most")
        try:
            with places.process(request["source"]) as process:
                return answers.validate_json(process.ask(message, 2 * limits.seconds + SLACK_S))
        except TimeoutError:
            return Failed("time", f"it ran for more than {limits.seconds:g} s")
        except (Lost, ValidationError):
            return Failed("lost", "its process ended")
