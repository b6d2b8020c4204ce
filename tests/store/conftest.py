import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from store.connect import connect, writing
from store.migrations import migrate


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind; Postgres where ASSAY_TEST_POSTGRES names a server by its URL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'home' / 'assay.db'}"
        return
    server = os.environ.get("ASSAY_TEST_POSTGRES")
    if server is None:
        pytest.skip("ASSAY_TEST_POSTGRES is not set")
    schema = f"test_{uuid.uuid4().hex}"
    owner = connect(server)
    with writing(owner) as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    yield f"{server}?options=-csearch_path%3D{schema}"
    with writing(owner) as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    owner.dispose()


@pytest.fixture
def empty(empty_url: str) -> Iterator[sa.Engine]:
    engine = connect(empty_url)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(empty: sa.Engine) -> sa.Engine:
    migrate(empty)
    return empty
