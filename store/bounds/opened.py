"""Where the settings say that bounds are kept."""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from core.settings import Settings
from store.bounds.database import DatabaseLedger

if TYPE_CHECKING:
    from store.bounds.redis import RedisLedger


def open_ledger(settings: Settings, engine: sa.Engine) -> "DatabaseLedger | RedisLedger":
    """Return the ledger of all processes that have the same settings; nothing is asked before it is used."""
    if settings.redis_url is None:
        return DatabaseLedger(settings.jobs_url, engine)
    from store.bounds.redis import RedisLedger  # an extra

    return RedisLedger(settings.redis_url.get_secret_value())
