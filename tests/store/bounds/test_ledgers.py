"""Every ledger does the same: one changes a text at a time, and all have one clock."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import sqlalchemy as sa
from pydantic import SecretStr

from core.errors import StorageFailed
from core.settings import Settings
from store.bounds.database import DatabaseLedger
from store.bounds.opened import open_ledger
from store.bounds.redis import RedisLedger
from store.db.connect import connect, reading
from store.db.tables import model_bounds

VARIABLE = "ASSAY_TEST_REDIS"

Ledger = DatabaseLedger | RedisLedger


@pytest.fixture
def of_database(empty_url: str, engine: sa.Engine) -> DatabaseLedger:
    return DatabaseLedger(empty_url, engine)


@pytest.fixture
def of_redis() -> RedisLedger:
    url = os.environ.get(VARIABLE)
    if url is None:
        pytest.skip(f"{VARIABLE} is not set")
    redis.Redis.from_url(url).flushdb()
    return RedisLedger(url)


def increment(text: str | None, now: float) -> tuple[str, float]:
    return str(int(text or 0) + 1), now


def changed_at_once(ledger: Ledger) -> None:
    before = time.time()
    with ThreadPoolExecutor(4) as pool:
        times = list(pool.map(lambda _: ledger.change("model", increment), range(40)))
    assert ledger.change("model", lambda text, now: (text or "", text)) == "40"
    assert ledger.change("another", lambda text, now: ("", text)) is None
    assert all(abs(moment - before) < 60 for moment in times)


def test_changes_of_a_text_in_the_database_are_made_one_after_the_other(of_database: DatabaseLedger) -> None:
    changed_at_once(of_database)


def test_changes_of_a_text_in_redis_are_made_one_after_the_other(of_redis: RedisLedger) -> None:
    changed_at_once(of_redis)


def test_nothing_is_left_of_a_text_that_has_become_empty(of_database: DatabaseLedger, engine: sa.Engine) -> None:
    with ThreadPoolExecutor(4) as pool:  # some find it gone, and begin with none
        list(pool.map(lambda n: of_database.change("job", lambda text, _: ("" if n % 2 else "full", text)), range(40)))
    of_database.change("job", lambda text, _: ("", text))
    with reading(engine) as connection:
        assert connection.execute(sa.select(model_bounds)).all() == []


def test_a_step_that_fails_changes_nothing(of_database: DatabaseLedger) -> None:
    of_database.change("model", increment)
    with pytest.raises(ZeroDivisionError):
        of_database.change("model", lambda text, now: (str(1 // 0), None))
    assert of_database.change("model", lambda text, now: (text or "", text)) == "1"


def test_a_database_that_is_gone_is_said(tmp_path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    with pytest.raises(StorageFailed, match="no such table: model_bounds"):
        DatabaseLedger(url, connect(url)).change("model", increment)


def test_a_redis_that_is_down_is_said_without_its_password() -> None:
    with pytest.raises(StorageFailed, match="Redis cannot be asked now") as down:
        RedisLedger("redis://:hunter22@127.0.0.1:1/0").change("model", increment)
    assert "hunter22" not in str(down.value)


def test_a_ledger_is_where_the_settings_say_and_the_same_whoever_opened_it(tmp_path) -> None:
    plain = Settings(home=tmp_path)
    first, second = (open_ledger(plain, connect(plain.jobs_url)) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != open_ledger(Settings(home=tmp_path / "other"), connect(plain.jobs_url))
    at_redis = Settings(home=tmp_path, redis_url=SecretStr("redis://:hunter22@redis.example/0"))
    assert open_ledger(at_redis, connect(plain.jobs_url)) == RedisLedger("redis://:hunter22@redis.example/0")
    assert "hunter22" not in f"{at_redis!r} {open_ledger(at_redis, connect(plain.jobs_url))!r}"
