"""The endpoint that both sides ask, in a process of its own: `python -m bench.endpoint MEDIAN_S SIGMA`."""

import asyncio
import gc
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench.cases import Latency
from tests.scripted import Answer, Received, Script, ScriptedEndpoint, by_default, run


@dataclass(frozen=True)
class Endpoint:
    """A running endpoint."""

    url: str
    pid: int


@contextmanager
def endpoint_process(latency: Latency) -> Iterator[Endpoint]:
    """Run the endpoint in a process of its own."""
    command = [sys.executable, "-m", "bench.endpoint", str(latency.median_s), str(latency.sigma)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Endpoint(process.stdout.readline().strip(), process.pid)
        finally:
            process.terminate()


def script(latency: Latency) -> Script:
    """Return what answers each call after its latency, drawn anew in the same order in every run."""
    chance = random.Random(1)

    def answer(request: Received) -> Answer:
        factor = chance.lognormvariate(0, latency.sigma) if latency.sigma else 1.0
        return replace(by_default(request), delay_s=latency.median_s * factor)

    return answer


def main() -> None:
    """Serve until the process is ended."""
    median_s, sigma = map(float, sys.argv[1:])
    gc.disable()  # what came is kept; looking through it again and again would slow the answers
    endpoint = ScriptedEndpoint(script(Latency(median_s, sigma)))
    print(endpoint.url, flush=True)
    run(endpoint.serve(asyncio.Event()))


if __name__ == "__main__":
    main()
