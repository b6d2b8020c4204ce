import pytest

from core.errors import Conflict, InvalidInput, NotFound
from core.queries.job_names import Called, meant

JOBS = (
    Called("job-ab1", "nightly", "completed"),
    Called("job-ab2", "nightly", "running"),
    Called("job-b", "job-b", "failed"),
    Called("job-bc", "job-a", "running"),
)


@pytest.mark.parametrize(
    ("named", "job"), [("job-ab1", "job-ab1"), ("job-b", "job-b"), ("job-bc", "job-bc"), ("job-a", "job-bc")]
)
def test_an_id_is_stronger_than_a_name_and_that_than_a_start(named: str, job: str) -> None:
    assert meant(named, JOBS) == job


def test_the_first_completed_of_a_name_is_meant_where_a_completed_one_is_wanted() -> None:
    assert meant("nightly", JOBS, completed=True) == "job-ab1"
    with pytest.raises(Conflict, match="no job named 'job-a' is completed; name one by its id: job-bc is running"):
        meant("job-a", JOBS, completed=True)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("nightly", "several jobs are called 'nightly': job-ab1 (nightly), job-ab2 (nightly)"),
        ("job-ab", "the ids of several jobs begin with 'job-ab': job-ab1 (nightly), job-ab2 (nightly)"),
    ],
)
def test_what_could_be_several_lists_them(named: str, told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        meant(named, JOBS)
    assert refused.value.message == told


@pytest.mark.parametrize("named", ["", "job-z", "Job-b"])
def test_what_no_job_is_called_is_named(named: str) -> None:
    with pytest.raises(NotFound, match=f"no job has the id or the name {named!r}, or an id that begins so"):
        meant(named, JOBS)


def test_of_many_only_some_are_told() -> None:
    with pytest.raises(InvalidInput, match=r"job-0, job-1, job-2, job-3, job-4, …$"):
        meant("job-", [Called(f"job-{n}", None, None) for n in range(6)])
