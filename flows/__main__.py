"""The worker process: `python -m flows`."""

import asyncio
import logging
import os
import signal
from types import FrameType
from typing import NoReturn

from prefect.client.orchestration import get_client

import flows.evaluate  # noqa: F401 - before the first job rather than by it
from core.settings import ending_if_misconfigured, read_settings
from flows.deploy import set_up_pool, wait_for_server
from flows.worker.garbage import collect_seldom
from flows.worker.wake import forget_stop, note_stop
from flows.worker.worker import AssayWorker
from store.objects.segments import keep_all

logger = logging.getLogger("assay.worker")


def main() -> None:
    """Run a worker until it is told to stop; what it was at goes on from the journals at the next start."""
    with ending_if_misconfigured():
        settings = read_settings()
    forget_stop(settings.home)

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        note_stop(settings.home)
        keep_all()
        os._exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    wait_for_server()
    collect_seldom()
    asyncio.run(_work(settings.work_pool))


async def _work(pool: str) -> None:
    """Work on the pool; one of another type is left to the workers of its type."""
    async with get_client() as client:
        own_worker = await set_up_pool(client, pool)
    if not own_worker:
        logger.warning(
            "The work pool %r has a type of its own: `prefect worker start --pool %s` works on it", pool, pool
        )
        await asyncio.Event().wait()
    await AssayWorker(work_pool_name=pool, create_pool_if_not_found=False).start()


if __name__ == "__main__":
    main()
