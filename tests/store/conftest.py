import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from store.db.connect import connect
from store.db.migrations import migrate
from tests import postgres
from tests.tables import lay_tables


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind; Postgres where ASSAY_TEST_POSTGRES names a server by its URL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'home' / 'assay.db'}"
        return
    server = os.environ.get(postgres.VARIABLE)
    if server is None:
        pytest.skip(f"{postgres.VARIABLE} is not set")
    with postgres.schema(server) as url:
        yield url


@pytest.fixture
def empty(empty_url: str) -> Iterator[sa.Engine]:
    engine = connect(empty_url)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(empty: sa.Engine) -> sa.Engine:
    if file := empty.url.database if empty.dialect.name == "sqlite" else None:
        lay_tables(Path(file))
    migrate(empty)
    return empty
