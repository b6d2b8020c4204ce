"""The sandbox's own process, which gives evaluators to workers of the Monty interpreter, one at a time.

`tasks.sandbox.process` starts it isolated: it imports nothing of ours but `tasks.sandbox.source`. Messages come and go
by the socket that is its standard input. The first wall is Monty, which has no files, environment, network or host
objects to give; the second are the kernel's limits, for one who finds a way through the first.
"""

import ast
import json
import os
import resource
import select
import signal
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_monty import (
    Monty,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySession,
    MontySyntaxError,
    ResourceLimits,
)

from tasks.sandbox.source import OURS, parsed, prepared

SESSIONS_A_WORKER: Final = 100
GRACE_S: Final = 0.5
"""How long after its time a worker is killed that is in the midst of one long operation."""

SHOWN_CHARACTERS: Final = 300
KEPT_CHARACTERS: Final = 1_000
OWN_LIMITS: Final = {
    resource.RLIMIT_AS: 1 << 30,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_NOFILE: 64,
}
WORKER_LIMITS: Final = {
    resource.RLIMIT_AS: 1 << 29,
    resource.RLIMIT_CPU: 600,
    resource.RLIMIT_NOFILE: 0,
    resource.RLIMIT_NPROC: 0,
}
"""A worker can open nothing: no file, no socket, no process. What it has open already is its talk with us."""

SOURCE_FILES: Final = ("<python-input-1>", "main.py")
"""How tracebacks name the source: by its place among the feeds, or, if it could not be read, by the session."""

PRELUDE: Final = """
run_evaluation = None

def OURS_read(result, isinstance=isinstance, type=type, dict=dict, str=str, int=int, float=float, abs=abs):
    if isinstance(result, dict):
        if "score" not in result:
            return "a dict without 'score'"
        result = result["score"]
    if isinstance(result, float):
        return result if abs(result) <= 1e100 else f"{result}"
    if isinstance(result, int):
        return float(result) if abs(result) <= 10**100 else "an int beyond 1e100"
    if isinstance(result, str):
        return f"the str {result[:40]!r}"
    return f"a value of type {type(result).__name__}"

OURS_exec, OURS_any = exec, BaseException

def OURS_is_function(value, type=type):
    return type(value).__name__ == "function"

def locals():
    raise NameError("name 'locals' is not defined")

class module:
    pass

OURS_Module, module = module, None
""".replace("OURS", OURS)
"""Comes before the source. Only a float or a short text leaves the interpreter, however large the result.

Nothing that a source can print tells our names: neither its locals, nor what one of our modules is an instance of.
"""

_LENGTH = struct.Struct("!I")
_UNREAD_SYNTAX = "NotImplementedError: The monty syntax parser does not yet support "
_INHERITING: Final = ", but for Enum, StrEnum, IntEnum, NamedTuple and TypedDict with plain values and no methods"
_TIME: Final = "it ran for more than {seconds:g} s"
_MEMORY: Final = "it needs more than {megabytes:g} MB of memory"
_LIMITS: Final = {
    "TimeoutError: feed time limit exceeded": ("time", _TIME),
    "MemoryError: memory limit exceeded": ("memory", _MEMORY),
    "MemoryError: the worker exceeded its memory limit": ("memory", _MEMORY),
}
"""The interpreter's words for a limit, and ours. A source may raise what has the same words: see `_run`."""

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)

Reply = dict[str, Any]


class _Own(Exception):
    """An exception that a source has raised, whatever it says of itself."""

    def __init__(self, error: MontyError) -> None:
        self.error = error


class _Flood(Exception):
    """An evaluator printed too much."""


class _Printed:
    """Takes what an evaluator prints, and keeps the beginning."""

    def __init__(self, limit: int) -> None:
        self.kept = ""
        self.left = limit

    def __call__(self, stream: str, text: str) -> None:
        self.left -= len(text)
        self.kept += text[: KEPT_CHARACTERS - len(self.kept)]
        if self.left < 0:
            raise _Flood


def main() -> None:
    """Answer requests until the parent is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    channel = socket.socket(fileno=0)
    try:
        for limit, bound in OWN_LIMITS.items():
            resource.setrlimit(limit, (bound, bound))
        with _workers():
            _send(channel, None)
    except Exception as error:
        _send(channel, {"error": f"{type(error).__name__}: {error}"})
        raise
    while True:
        _serve(channel)


def _end_with_parent() -> None:
    """End this process and its worker when the other end of the channel is closed, whatever they are at."""
    ended = select.poll()
    ended.register(0, 0)
    ended.poll()
    os.killpg(0, signal.SIGKILL)


def _workers() -> Monty:
    """Return a pool of one worker, which is renewed now and then."""
    return Monty(
        min_processes=1,
        max_processes=1,
        max_checkouts_per_worker=SESSIONS_A_WORKER,
        feed_duration_limit_grace=GRACE_S,
    )


def _serve(channel: socket.socket) -> None:
    """Answer requests until a limit has stopped the worker, of whose state nothing is certain then."""
    with _workers() as workers:
        stopped = False
        while not stopped:
            reply = _answer(workers, _receive(channel))
            _send(channel, reply)
            stopped = reply is not None and reply.get("cause") in ("time", "memory", "print", "lost")


def _receive(channel: socket.socket) -> bytes:
    prefix = channel.recv(_LENGTH.size, socket.MSG_WAITALL)
    if len(prefix) < _LENGTH.size:
        raise SystemExit
    (length,) = _LENGTH.unpack(prefix)
    return channel.recv(length, socket.MSG_WAITALL)


def _send(channel: socket.socket, reply: Reply | None) -> None:
    text = json.dumps(reply).encode()
    channel.sendall(_LENGTH.pack(len(text)) + text)


# One evaluation.


def _answer(workers: Monty, message: bytes) -> Reply | None:
    """Carry out a request in a session of its own; None says that a source can be run."""
    try:
        request = json.loads(message)
    except (ValueError, RecursionError) as error:
        return {"cause": "request", "error": f"its item cannot be read: {error}"}
    printed = _Printed(request["printed"])
    limits: ResourceLimits = {
        "max_feed_duration_secs": request["seconds"],
        "max_memory": request["memory"],
        "max_recursion_depth": request["depth"],
    }
    try:
        with workers.checkout(limits=limits, os_policy={"sleep": "zero", "random_start": {"seed": 0}}) as session:
            _confine(session)
            reply = _evaluate(session, request, printed)
    except _Own as own:
        reply = _flooded(request, printed) or _exception(own.error, request)
    except MontyError as error:
        reply = _flooded(request, printed) or _failure(error, request)
    return None if reply is None else {**reply, "printed": printed.kept}


def _evaluate(session: MontySession, request: Mapping[str, Any], printed: _Printed) -> Reply | None:
    """Run the source, and its function on the item, if there is one."""
    source, modules = prepared(request["source"])
    session.feed_run(PRELUDE + modules)
    _run(session, f"{source}\n\nNone", {}, printed)
    if "item" not in request:
        return _checked(session, source)
    inputs = {"item": request["item"]}
    result = _run(session, f"{OURS}_read(run_evaluation(item))", inputs, printed)
    if isinstance(result, float):
        return {"value": result}
    return {"cause": "result", "error": f"it returned {result}, not a number"[:SHOWN_CHARACTERS]}


def _run(session: MontySession, code: str, inputs: dict[str, Any], printed: _Printed) -> Any:
    """Run what is a source's. Raises _Own for its exceptions, and MontyError for those that are limits.

    A limit of time, or one that has ended the worker, has no traceback, and no `except` catches one of memory.
    """
    try:
        return session.feed_run(code, inputs=inputs, print_callback=printed)
    except MontyRuntimeError as error:
        if not error.traceback():
            raise
        if not error.display("type-msg").startswith("MemoryError"):
            raise _Own(error) from error
        again = f"try:\n    {OURS}_exec({OURS}_again)\nexcept {OURS}_any:\n    pass"
        session.feed_run(again, inputs={**inputs, f"{OURS}_again": code}, print_callback=_Printed(printed.left))
        raise _Own(error) from error


def _checked(session: MontySession, source: str) -> Reply | None:
    """Tell whether a source that ran defines the function, and can have the modules that this will ask for."""
    if not session.feed_run(f"{OURS}_is_function(run_evaluation)"):
        return {"cause": "exception", "error": "it defines no function run_evaluation(item)"}
    read = parsed(source)
    if read is None:
        return None
    defined = [node for node in read.body if isinstance(node, _FUNCTIONS) and node.name == "run_evaluation"]
    if defined and not _takes_an_item(defined[-1]):
        error = f"line {defined[-1].lineno}: run_evaluation is not a plain function of one argument, the item"
        return {"cause": "exception", "error": error}
    for node in _later_imports(read):
        try:
            session.feed_run(ast.unparse(node))
        except MontyRuntimeError as error:
            return {"cause": "exception", "error": f"line {node.lineno}: {_shown(error)}"}
    return None


def _takes_an_item(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether a function can be called with one argument, and then gives its result."""
    given = function.args
    places = len(given.posonlyargs) + len(given.args)
    takes_one = bool(places or given.vararg) and places - len(given.defaults) <= 1
    return takes_one and None not in given.kw_defaults and isinstance(function, ast.FunctionDef)


def _later_imports(source: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that only a call carries out, but for those under a condition or a `try`."""
    pending = deque[ast.AST]([source])
    while pending:
        node = pending.popleft()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.If | ast.Try):
            pending.extend(ast.iter_child_nodes(node))


def _confine(session: MontySession) -> None:
    """Take from the worker, before it sees a source, what it does not need."""
    assert session.worker_pid is not None
    for limit, bound in WORKER_LIMITS.items():
        resource.prlimit(session.worker_pid, limit, (bound, bound))


# What went wrong.


def _flooded(request: Mapping[str, Any], printed: _Printed) -> Reply | None:
    if printed.left >= 0:
        return None
    return {"cause": "print", "error": f"it printed more than {request['printed']:,} characters"}


def _failure(error: MontyError, request: Mapping[str, Any]) -> Reply:
    """Tell which limit stopped an evaluation, or which exception at which line."""
    if isinstance(error, MontyCrashedError):
        return _stopped("time", _TIME, request) if error.timed_out else {"cause": "lost", "error": "its process ended"}
    shown = _shown(error)
    for words, (cause, ours) in _LIMITS.items():
        if shown.startswith(words):
            return _stopped(cause, ours, request)
    return _exception(error, request)


def _exception(error: MontyError, request: Mapping[str, Any]) -> Reply:
    return {"cause": "exception", "error": _line(error, request["source"]) + _shown(error)}


def _stopped(cause: str, ours: str, request: Mapping[str, Any]) -> Reply:
    return {"cause": cause, "error": ours.format(**request, megabytes=request["memory"] / 1e6)}


def _shown(error: MontyError) -> str:
    """Return type and message of an exception."""
    text = error.display("type-msg") if isinstance(error, MontyRuntimeError | MontySyntaxError) else str(error)
    if text.startswith(_UNREAD_SYNTAX) and not _was_raised(error):
        what = text.removeprefix(_UNREAD_SYNTAX)
        return f"the sandbox does not run {what}{_INHERITING if what.startswith('class inheritance') else ''}"
    return text[:SHOWN_CHARACTERS]


def _was_raised(error: MontyError) -> bool:
    """Tell whether an exception came from what ran, and not from reading it."""
    return isinstance(error, MontyRuntimeError) and any(frame.function_name for frame in error.traceback())


def _line(error: MontyError, source: str) -> str:
    """Return `line n: ` for the innermost line of the source that an exception passed."""
    frames = error.traceback() if isinstance(error, MontyRuntimeError | MontySyntaxError) else []
    lines = [frame.line for frame in frames if frame.filename in SOURCE_FILES]
    return f"line {min(lines[-1], source.count(chr(10)) + 1)}: " if lines else ""
