"""By which way a job came in, as the pages say it."""

from html import unescape
from uuid import uuid4

import pytest

from core.job import NewJob, job_id_of
from tests.tasks.specs import CORRECT, recorded, spec
from web.jobs.origin import MEANINGS, origin

SPEC = spec(recorded("said"), [{"said": "yes", "answer": "yes"}], CORRECT)


def test_a_job_of_assay_run_is_not_called_one_of_a_vendor_s_protocol(site):
    made = site.http.post("/api/assay/v1/jobs", json={"spec": SPEC.model_dump(mode="json"), "name": "own"}).json()
    assert f"<dt>made by</dt><dd>{MEANINGS['assay']}</dd>" in unescape(site.get(f"/jobs/{made['id']}"))
    assert '<div class="quiet">assay</div>' in site.get("/?search[text]=own")
    assert made["face"] == "nemo-v2"  # as NeMo's clients see it
    assert [job["id"] for job in site.http.get("/api/assay/v1/jobs?filter[face]=nemo-v2").json()["data"]] == [
        made["id"]
    ]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"spec": {"target": {"type": "model"}, "config": {"type": "custom"}}}, "nemo-v2"),
        ({"spec": SPEC.model_dump(mode="json"), "retry": {"of": "job-1"}}, "assay"),
        ({}, "nemo-v2"),  # of a release that kept none
    ],
)
def test_the_form_of_the_request_tells(site, request_, said):
    job_id = f"job-{uuid4().hex}"
    job = site.state.jobs.add(NewJob(id=job_id, face="nemo-v2", spec=None, request=request_, name=job_id))
    assert origin(site.state.jobs.listed(job.id)) == said


def test_a_run_that_was_started_in_prefect_says_so(site):
    run = uuid4()
    new = NewJob(id=job_id_of(run), face="nemo-v2", spec=SPEC, request={"spec": {"target": "a/b"}}, name="scheduled")
    site.state.jobs.register(new, str(run))
    assert '<div class="quiet">prefect</div>' in site.get("/?search[text]=scheduled")
