"""The worker process: `python -m flows`."""

import asyncio
import gc
import os
import signal

import flows.evaluate  # noqa: F401 - before the first job rather than by it
from core.settings import Settings
from flows.deploy import wait_for_server
from flows.worker import AssayWorker


def main() -> None:
    """Run a worker until it is told to stop; what it was at goes on from the journals at the next start."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    settings = Settings()
    wait_for_server()
    # Prefect's objects are many and stay. Not to look through them again and again took 2,000 calls from 0.46
    # to 0.71 of a bare loop's throughput (medians of a dozen runs).
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    asyncio.run(AssayWorker(work_pool_name=settings.work_pool, create_pool_if_not_found=False).start())


if __name__ == "__main__":
    main()
