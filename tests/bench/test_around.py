"""How commands end that are given something for their length, and those that have contexts to leave."""

import signal
import subprocess
import sys
from collections.abc import Sequence


def test_a_command_that_is_told_to_end_ends_before_what_it_was_given() -> None:
    wait = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("up", flush=True)
signal.sigwait([signal.SIGTERM])
sys.exit(7)
"""
    wrapped = "import sys; from tests import around; code = around.run(sys.argv[1:], {}); print('ended by', code)"
    assert told_to_end([sys.executable, "-c", wrapped, sys.executable, "-c", wait]) == "ended by 7\n"


def test_a_bench_that_is_told_to_end_twice_leaves_its_contexts_once() -> None:
    leave = """
import os, signal, time
from tests.around import end_in_order
end_in_order()
try:
    print("up", flush=True)
    while True:
        time.sleep(0.1)  # pause() would wait for ever for a signal that came just before it
finally:
    os.kill(os.getpid(), signal.SIGTERM)
    print("left")
"""
    assert told_to_end([sys.executable, "-c", leave]) == "left\n"


def told_to_end(command: Sequence[str]) -> str:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        return process.stdout.read()
