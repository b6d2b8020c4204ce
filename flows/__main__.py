"""The worker process: `python -m flows`."""

import asyncio
import logging

from prefect.client.orchestration import get_client

import flows.evaluate  # noqa: F401 - before the first job rather than by it
from core.settings import ending_if_misconfigured, read_settings
from flows.deploy import set_up_pool, wait_for_server
from flows.worker.worker import AssayWorker

logger = logging.getLogger("assay.worker")


def main() -> None:
    """Run a worker until it is told to stop; what it was at goes on from the journals at the next start."""
    with ending_if_misconfigured():
        settings = read_settings()
    wait_for_server()
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
