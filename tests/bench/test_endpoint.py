import subprocess
import sys

import httpx

from bench import processes
from bench.cases import MODEL, Case, Latency
from bench.endpoint import endpoint_process, script
from tests.conftest import WAIT_S
from tests.scripted import Received


def test_the_raw_loop_makes_the_calls_of_its_case_and_says_what_they_cost() -> None:
    case = Case(20, judge=True, concurrency=4)
    with endpoint_process(Latency(0.0)) as endpoint:
        command = [sys.executable, "-m", "bench.raw", endpoint.url, str(case.n), str(case.concurrency), "True"]
        cpu_s = float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        window = httpx.get(f"{endpoint.url}/window", trust_env=False, timeout=WAIT_S).json()
        used_s = processes.cpu_s(processes.family(endpoint.pid))
    assert window["calls"] == case.calls
    assert cpu_s > 0
    assert 0 < used_s <= processes.machine_cpu_s()


def test_latencies_are_drawn_alike_in_every_run() -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Say it. ANSWER: 7"}]}
    call = Received(path="/v1/chat/completions", headers={}, body=body, raw=b"", time=0.0, in_flight=1, ended=0.0)
    one, other = script(Latency(0.3, 0.5)), script(Latency(0.3, 0.5))
    drawn = [one(call).delay_s for _ in range(200)]
    assert drawn == [other(call).delay_s for _ in range(200)]
    assert 0.25 < sorted(drawn)[100] < 0.35
    assert {script(Latency(0.05))(call).delay_s for _ in range(3)} == {0.05}
