from typing import Any

from bench.creates import create

AT_ONCE = 50


def test_jobs_that_are_created_at_once_are_all_made(service: Any) -> None:
    ids, _ = create(service.url, AT_ONCE)  # how long they take is measured by `make create-test`
    assert len(set(ids)) == AT_ONCE
    assert {service.state.jobs.status(job_id) for job_id in ids} == {"created"}
