from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import NotFound, Superseded
from store.db.connect import writing
from store.db.jobs import Jobs
from store.db.leases import LEASE_S, Lease, Leases, Taken, lock_name
from store.db.tables import job_leases
from store.files.contents import Files
from tests.store.db.test_jobs import new_job

JOBS = 8


@pytest.fixture
def leases(engine: sa.Engine) -> Leases:
    return Leases(engine)


@pytest.fixture
def job_id(engine: sa.Engine, tmp_path: Path) -> str:
    return Jobs(engine, Files(engine, tmp_path / "files")).add(new_job()).id


def taken(outcome: Lease | Taken) -> Lease:
    assert isinstance(outcome, Lease)
    return outcome


def expire(engine: sa.Engine, lease: Lease) -> None:
    """Have a lease come to its end, as if nobody had renewed it for long."""
    with writing(engine) as connection:
        ended = sa.update(job_leases).where(job_leases.c.job_id == lease.job_id, job_leases.c.block == lease.block)
        connection.execute(ended.values(until=job_leases.c.until - 3600.0))


def test_a_lease_is_one_holders_until_it_is_given_back(leases: Leases, job_id: str) -> None:
    lease = taken(leases.take(job_id, "a"))
    assert lease == Lease(job_id, 1, "a")
    other = leases.take(job_id, "b")
    assert isinstance(other, Taken)
    assert (other.holder, other.epoch) == ("a", 1)
    assert 0 < other.left_s <= 10
    assert leases.held([job_id])[job_id].holder == "a"
    leases.give_back(lease)
    assert leases.held([job_id]) == {}
    assert leases.left_s(lease) is None
    assert taken(leases.take(job_id, "b")).epoch == 2


def test_a_lease_that_was_not_renewed_is_anothers_and_its_holder_hears_of_it(
    engine: sa.Engine, leases: Leases, job_id: str
) -> None:
    late = taken(leases.take(job_id, "a"))
    assert leases.renew(late) == LEASE_S
    expire(engine, late)
    assert not leases.is_held(job_id)
    successor = taken(leases.take(job_id, "b"))
    for ask in (leases.renew, leases.left_s):
        with pytest.raises(Superseded, match=r"b \(epoch 2\) has taken the job over while a \(epoch 1\) was not heard"):
            ask(late)
    leases.give_back(late)
    assert leases.held([job_id])[job_id].epoch == successor.epoch == 2
    assert 0 < (leases.left_s(successor) or 0) <= leases.renew(successor)


def test_a_lease_that_has_ended_goes_on_if_nobody_has_taken_it(engine: sa.Engine, leases: Leases, job_id: str) -> None:
    lease = taken(leases.take(job_id, "a"))
    expire(engine, lease)
    assert (leases.left_s(lease) or 0) < 0
    leases.renew(lease)
    assert leases.is_held(job_id)


def test_who_has_the_lock_of_a_holder_waits_for_it_no_longer(leases: Leases, job_id: str) -> None:
    taken(leases.take(job_id, "a", lock="here"))
    assert isinstance(leases.take(job_id, "b"), Taken)
    assert isinstance(leases.take(job_id, "b", lock="elsewhere"), Taken)
    assert leases.is_held(job_id, lock="elsewhere")
    assert not leases.is_held(job_id, lock="here")
    assert taken(leases.take(job_id, "b", lock="here")).epoch == 2


def test_blocks_of_a_job_have_leases_of_their_own(leases: Leases, job_id: str) -> None:
    whole = taken(leases.take(job_id, "a"))
    first, second = (taken(leases.take(job_id, holder, block=block)) for holder, block in (("b", "0"), ("c", "1")))
    assert leases.blocks(job_id) == {0: None, 1: None}
    assert [each.epoch for each in (whole, first, second)] == [1, 1, 1]
    leases.give_back(first)
    leases.renew(whole)
    assert leases.renew(second)
    assert not leases.is_held(job_id, block="0")
    assert leases.blocks(job_id) == {1: None}


def test_of_many_takers_at_once_one_has_it(leases: Leases, job_id: str) -> None:
    with ThreadPoolExecutor(JOBS) as threads:
        outcomes = list(threads.map(lambda holder: leases.take(job_id, str(holder)), range(JOBS)))
    assert [type(each) for each in outcomes].count(Lease) == 1


def test_a_job_that_is_gone_has_no_lease(engine: sa.Engine, leases: Leases, job_id: str, tmp_path: Path) -> None:
    taken(leases.take(job_id, "a"))
    Jobs(engine, Files(engine, tmp_path / "files")).remove(job_id)
    with pytest.raises(NotFound):
        leases.take(job_id, "a")
    assert leases.held([job_id]) == {}


def test_a_lock_is_called_alike_wherever_its_file_is_the_same(tmp_path: Path) -> None:
    assert lock_name(tmp_path / ".lock") is None
    (tmp_path / ".lock").touch()
    (tmp_path / "other").touch()
    (tmp_path / "link").symlink_to(tmp_path / ".lock")
    name = lock_name(tmp_path / ".lock")
    assert name is not None
    assert name == lock_name(tmp_path / "link") != lock_name(tmp_path / "other")
