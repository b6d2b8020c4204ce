"""Rendering in processes that can be killed: what a limit stops is one rendering's error, and nothing else's."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from core.errors import TemplateInvalid
from core.metric import StringCheck
from core.spec import RecordedTarget
from tasks.endpoint.breaker import STOPS_IN_A_ROW, Fuse
from tasks.engine.calls import Stopped
from tasks.fsck.results import fsck
from tasks.sandbox.process import Program
from tasks.templates import pool as pools
from tasks.templates.account import MAX_OUTPUT
from tasks.templates.child import NO_MEMORY
from tasks.templates.costs import FILTERS
from tasks.templates.pool import Given, Limits, Pool, render_each
from tasks.templates.rendering import STOPPED, Rendered, Unrendered, rendered, stopped
from tasks.templates.template import BodyTemplate, compile_body
from tests.conftest import WAIT_S
from tests.tasks.conftest import Lab
from tests.tasks.sandbox.conftest import FAKE, started_by
from tests.tasks.specs import model, spec

HURRIED = Limits(seconds=0.1)
PATIENT = Limits(seconds=600.0)

LOOP = "{% for a in xs recursive %}{% if loop.depth < depth %}{{ loop(xs) }}{% endif %}{% endfor %}"
"""Within its account, and yet far beyond `HURRIED`: a second at 200 numbers and a depth of 9."""

SLOW = {"xs": list(range(200)), "depth": 9}
QUICK = {"xs": [], "depth": 0}
TOO_SLOW = stopped("p", "it took more than 0.1 s of the processor")
DONE = '[{"x": "done"}]'
ENDED = stopped("p", "its process ended (-9)")


@pytest.fixture(scope="module")
def hurried() -> Iterator[Pool]:
    with closing(Pool(HURRIED)) as pool:
        yield pool


@pytest.fixture(scope="module")
def patient() -> Iterator[Pool]:
    with closing(Pool(PATIENT)) as pool:
        yield pool


BLOCKING = """
import pathlib, signal, socket, struct, os

channel = socket.socket(fileno=0)
folder = pathlib.Path({folder!r})
reply = b'null'
while True:
    channel.sendall(struct.pack("!I", len(reply)) + reply)
    prefix = channel.recv(4, socket.MSG_WAITALL)
    if not prefix:
        break
    message = channel.recv(*struct.unpack("!I", prefix), socket.MSG_WAITALL)
    if b"endless" in message and len(list(folder.glob("[0-9]*"))) < {times}:
        (folder / str(os.getpid())).touch()
        signal.pause()
    reply = b'[{{"x": "done"}}]'
"""
"""A process that never ends some renderings."""


def looping(source: str = LOOP + "done") -> BodyTemplate:
    template = compile_body({"x": source}, where="p")
    assert not template.only_reads
    return template


def render(
    pool: Pool, template: BodyTemplate, given: Iterable[dict[str, Any]], heed: Callable[[], None] = lambda: None
) -> list[Rendered]:
    return list(pool.render_each(template, [Given(row, None, Fuse()) for row in given], heed))


class Answering(Protocol):
    """Has processes say the same to every request, and do something more after each."""

    def __call__(self, reply: str, then: str = "", *, requests: int | None = None) -> None: ...


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Answering:
    def answer(reply: str, then: str = "", *, requests: int | None = None) -> None:
        script = tmp_path / "child.py"
        script.write_text(FAKE.format(greeting="null", reply=reply) + then)
        program = Program((str(script),), largest_reply=1_000, requests=requests)
        monkeypatch.setattr(pools, "program", lambda _: program)

    return answer


@contextmanager
def in_flight(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, times: int
) -> Iterator[tuple[Pool, list[Rendered], Callable[[], None]]]:
    """Have a process be at a rendering that never ends, unless it has been begun so many `times`.

    Gives the pool, what comes of the rendering, and what kills a process that is at it.
    """
    script = folder / "child.py"
    script.write_text(BLOCKING.format(folder=str(folder), times=times))
    monkeypatch.setattr(pools, "program", lambda _: Program((str(script),), largest_reply=1_000))
    found: list[Rendered] = []
    killed: set[str] = set()

    def kill() -> None:
        deadline = time.monotonic() + WAIT_S
        while not (begun := {path.name for path in folder.glob("[0-9]*")} - killed):
            assert time.monotonic() < deadline, "no process began to render"
        os.kill(int(min(begun)), signal.SIGKILL)
        killed.update(begun)

    with closing(Pool(PATIENT)) as pool:
        thread = threading.Thread(target=lambda: found.extend(render(pool, looping("{{ 'endless' * 1 }}"), [{}])))
        thread.start()
        yield pool, found, kill
        thread.join(WAIT_S)
        assert not thread.is_alive()


# What is rendered there, and what is not.


def test_a_template_that_only_reads_starts_no_process() -> None:
    template = compile_body({"x": "{% for c in choices %}{{ loop.index }}. {{ c }} {% endfor %}"}, where="p")
    given = [Given({"choices": [n]}, None, Fuse()) for n in range(3)]
    assert not started_by(lambda: list(render_each(template, given)))


@pytest.mark.parametrize(
    "source",
    [
        *(Path(__file__).with_name("benign.txt").read_text().splitlines()),
        "{{ range(3) | list | tojson }}",
        *(f"{{{{ xs | {name} * 2 }}}}{{{{ long | {name} * 2 }}}}" for name in FILTERS if name.isalpha()),
        "{{ 1 // 0 }}",
        "{{ range(item.nope) }}",
        "{{ '\\N{BULLET}é\\n' * 2 }}{{ any_column * 2 }}",
        "{{ item['Any column'] ~ sample.output_text * 2 }}",
    ],
)
def test_a_process_renders_as_is_rendered_here(patient: Pool, source: str) -> None:
    row = {"xs": [*range(200)], "long": "ab " * 3_000, "digits": "9", "nested": {"a": [{"b": [1]}]}, "Any column": "é"}
    template = compile_body({"messages": [{"content": source}], "n": 1}, where="p")
    sample = {"output_text": "said"}
    (found,) = patient.render_each(template, [Given(row, sample, Fuse())], lambda: None)
    assert found == rendered(template, row, sample)


def test_many_rows_and_large_ones_come_out_in_turn(patient: Pool) -> None:
    given = [{"xs": [], "depth": n, "text": "x" * (600_000 if n % 50 == 0 else 10)} for n in range(220)]
    found = render(patient, looping(LOOP + "{{ depth }}{{ text }}"), given)
    assert found == [{"x": f"{row['depth']}{row['text']}"} for row in given]


def test_what_is_no_json_is_an_error_of_its_sample(patient: Pool) -> None:
    broken, fine = render(patient, looping("{{ '\\ud800' if n else 'a' * 1 }}"), [{"n": 1}, {"n": 0}])
    assert isinstance(broken, Unrendered)
    assert broken.error.startswith("p: what it gives is not JSON: ")
    assert fine == {"x": "a"}


# What is stopped.


def test_a_rendering_that_takes_too_long_is_stopped_and_the_others_are_not(hurried: Pool) -> None:
    found = render(hurried, looping(), [QUICK, SLOW, QUICK])
    assert found == [{"x": "done"}, TOO_SLOW, {"x": "done"}]


def test_a_rendering_that_needs_too_much_memory_is_stopped_and_the_others_are_not() -> None:
    names = "".join(f"{{% set t{n} = 'é' * size %}}" for n in range(5))
    with closing(Pool(replace(PATIENT, memory=40_000_000))) as pool:
        assert render(pool, looping(f"{names}done"), [{"size": 9_000_000}]) == [
            stopped("p", "it needs more than 40 MB of memory")
        ]
        assert render(pool, looping(f"{names}done"), [{"size": 2}]) == [{"x": "done"}]


def test_another_template_goes_on_while_one_takes_its_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with in_flight(monkeypatch, tmp_path, times=2) as (pool, found, kill):
        for _ in range(3):
            assert render(pool, looping(), [QUICK]) == [{"x": "done"}]
        assert not found
        kill()
        kill()
    assert found == [ENDED]


def test_a_rendering_whose_process_is_killed_is_done_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with in_flight(monkeypatch, tmp_path, times=1) as (_, found, kill):
        kill()
    assert found == [{"x": "done"}]


def test_a_process_that_dies_while_it_has_nothing_to_do_costs_nothing(answering: Answering) -> None:
    answering(DONE)
    with closing(Pool(PATIENT)) as pool:
        (pid,) = started_by(lambda: render(pool, looping(), [QUICK]))
        assert render(pool, looping(), [QUICK], heed=lambda: os.kill(pid, signal.SIGKILL)) == [{"x": "done"}]


@pytest.mark.parametrize("reply", ["nonsense", "{}", "[]", "[1]", '[["error"]]', '[{"x": "a"}, {"x": "b"}]'])
def test_a_process_that_answers_nonsense_is_ended_and_costs_the_sample_alone(answering: Answering, reply: str) -> None:
    answering(reply)
    with closing(Pool(PATIENT)) as pool:
        assert render(pool, looping(), [QUICK]) == [ENDED]


def test_memory_that_a_process_has_kept_of_others_is_no_fault_of_a_rendering(answering: Answering) -> None:
    answering(DONE, f"    if channel.recv(1, socket.MSG_PEEK):\n        raise SystemExit({NO_MEMORY})\n")
    with closing(Pool(PATIENT)) as pool:
        assert [render(pool, looping(), [QUICK]) for _ in range(3)] == [[{"x": "done"}]] * 3


def test_a_process_makes_place_for_another_after_so_many_requests(answering: Answering) -> None:
    answering(DONE, requests=2)
    with closing(Pool(PATIENT)) as pool:
        at_work = [started_by(lambda: render(pool, looping(), [QUICK])) for _ in range(4)]
    assert [len(pids) for pids in at_work] == [1, 0, 1, 0]


def test_what_is_stopped_again_and_again_is_tried_no_more(hurried: Pool) -> None:
    fuse, reason = Fuse(), TOO_SLOW.limit
    for _ in range(STOPS_IN_A_ROW - 1):
        fuse.note(reason)
    assert list(hurried.render_each(looping(), [Given(SLOW, None, fuse)], lambda: None)) == [TOO_SLOW]
    given = [Given(SLOW, None, fuse), Given(QUICK, None, Fuse()), Given(SLOW, None, fuse)]
    before, fine, after = hurried.render_each(looping(), given, lambda: None)
    assert fine == {"x": "done"}
    assert before == after
    assert before == Unrendered("not_attempted", f"p: it was stopped 10 times in a row and is run no more: {reason}")


@pytest.mark.parametrize(
    ("source", "row"),
    [
        (f"{{{{ 'x' * {MAX_OUTPUT + 1} }}}}", {}),  # beside this process
        ("{{ text }}{{ text }}", {"text": "x" * MAX_OUTPUT}),  # in it
    ],
)
def test_what_its_account_stops_again_and_again_is_tried_no_more(source: str, row: dict[str, Any]) -> None:
    fuse, template = Fuse(), compile_body({"x": source}, where="p")
    given = Given(row, None, fuse)
    found = [*render_each(template, [given] * STOPS_IN_A_ROW), *render_each(template, [given])]
    limit = f"{STOPPED}it makes a text or list of more than {MAX_OUTPUT:,} characters"
    assert {(each.outcome, each.limit) for each in found[:-1] if isinstance(each, Unrendered)} == {("error", limit)}
    assert found[-1] == Unrendered(
        "not_attempted", f"p: it was stopped {STOPS_IN_A_ROW} times in a row and is run no more: {limit}"
    )


def test_a_job_that_stops_waits_for_no_rendering_that_has_not_begun(patient: Pool) -> None:
    def heed() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        render(patient, looping(), [SLOW] * 1_000, heed)


def test_where_processes_have_no_limits_templates_are_rendered_here_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    pools._can_kill.cache_clear()
    given = [Given(QUICK, None, Fuse())]
    assert not started_by(lambda: [list(render_each(looping(), given)), list(render_each(looping(), given))])
    assert [record.message for record in caplog.records] == [
        "Templates are rendered in this process, where nothing can stop one but the account of its work: "
        "on darwin there are no limits for a process to render them in"
    ]
    pools._can_kill.cache_clear()


# Jobs.


def test_samples_whose_rendering_is_stopped_are_counted_and_the_others_are_scored(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "LIMITS", HURRIED)
    depth = "{% set depth = sample.output_text | int %}{% set xs = item.xs %}"
    metric = StringCheck(name="m", left=depth + LOOP + "done", operator="equals", right="done")
    said = [{"said": "0", "xs": []}, {"said": "9", "xs": [*range(200)]}]
    job = lab.add(spec(RecordedTarget(column="said"), said, metric))
    (summary,) = lab.carry_out(job)
    assert summary.outcomes == {"scored": 1, "metric_error": 1}
    assert summary.mean == 1.0
    stopped = next(score for score in lab.scores(job) if score.outcome == "metric_error")
    assert stopped.error == f"metric 'm': {STOPPED}it took more than 0.1 s of the processor"
    monkeypatch.setattr(pools, "LIMITS", Limits(seconds=0.2))
    assert fsck(lab.workspace.folder(job.id)).difference is None, "it is not said to differ where it takes longer now"


def test_a_template_that_takes_too_long_for_a_row_is_refused_before_anything_is_paid(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "LIMITS", HURRIED)
    job = lab.add(spec(model(lab.model.url), [SLOW], prompt=LOOP))
    with pytest.raises(
        TemplateInvalid, match=f"row 1: task 'qa', prompt of 'target': {STOPPED}it took more than 0.1 s"
    ):
        lab.carry_out(job)
    assert not lab.model.calls
