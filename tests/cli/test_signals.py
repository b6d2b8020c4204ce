import signal
import subprocess
import sys
from pathlib import Path

import pytest

HEEDING = """
import os, signal, time
from cli.signals import heeding
def told(number, frame):
    os.write(1, f"told {signal.Signals(number).name}\\n".encode())  # a print or a lock may be what it interrupts
    heard.append(number)
heard = []
with heeding(told):
    print("ready", flush=True)
    while not heard:
        time.sleep(0.01)
print(*(signal.getsignal(each) == signal.SIG_IGN for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
"""

DROPPED = """
import signal
from cli.signals import stop_signals
class Ends:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
with stop_signals() as told:
    Ends()
    print(told, flush=True)
    signal.raise_signal(signal.SIGINT)
print(told)
"""

CHILD = """
import signal, sys
from pathlib import Path
from cli.children import Child, Command, stop_all
code = "import signal; print([signal.getsignal(n) for n in (2, 15)] == [signal.default_int_handler, 0])"
code += "; print(signal.pthread_sigmask(0, ()))"
child = Child(Command("child", [sys.executable, "-c", code], {}, Path(sys.argv[1])))
child._process.wait()
"""


def deaf() -> None:
    """Begin as under `nohup`, and worse: with every signal ignored, and one blocked."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))


def hearing() -> None:
    """Begin as at a terminal, whatever these tests began as."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_heeded_by_one_who_began_deaf_to_it(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HEEDING], stdout=subprocess.PIPE, text=True, preexec_fn=deaf
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read().splitlines() == [f"told {number.name}", "True True True"]


@pytest.mark.parametrize("ignored", [True, False])
def test_the_end_of_the_terminal_is_heeded_except_under_nohup(ignored: bool) -> None:
    begin = deaf if ignored else hearing
    with subprocess.Popen([sys.executable, "-c", HEEDING], stdout=subprocess.PIPE, text=True, preexec_fn=begin) as it:
        assert it.stdout is not None
        it.stdout.readline()
        it.send_signal(signal.SIGHUP)
        it.send_signal(signal.SIGINT)
        assert it.stdout.readline() == ("told SIGINT\n" if ignored else "told SIGHUP\n")


def test_a_signal_whose_exception_python_drops_is_known_and_those_after_the_first_do_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", DROPPED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "[15]\n[15]\n")
    assert "KeyboardInterrupt" in done.stderr


def test_a_child_of_the_service_begins_with_every_signal_as_usual(tmp_path: Path) -> None:
    log = tmp_path / "log"
    subprocess.run([sys.executable, "-c", CHILD, str(log)], preexec_fn=deaf, check=True, timeout=60)
    assert log.read_text() == "True\nset()\n"
