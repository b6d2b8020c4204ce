"""The page of a job's judges."""

import re
from html import unescape

import pytest

from core.job import utcnow
from tests.tasks.specs import recorded, spec
from tests.web.night import CONTAINS, Night, add, make_night, start


@pytest.fixture(scope="module")
def night(site) -> Night:
    return make_night(site.state, samples=60)


def test_it_says_what_is_known_without_people_and_that_they_are_needed(site, night):
    page = site.get(f"/judges/{night.small}")
    assert "qa / quality / score" in page
    assert "judge-3" in page
    assert "Nobody can tell yet: it takes 50 verdicts of people" in page
    for figure in ("Asked", "Not understood", "Not answered", "Length"):
        assert f'<th scope="row">{figure}</th>' in page


def test_a_verdict_given_on_a_sample_s_page_counts(site, night):
    form = {"target": "small-1", "trial": "0", "metric": "quality", "verdict": "incorrect", "note": "<b>no</b>"}
    scores = site.http.get(
        f"/api/assay/v1/jobs/{night.small}/samples?filter[metric]=quality&filter[passed]=true&limit=1"
    ).json()["data"]
    sample = scores[0]["sample"]
    shown = site.get(f"/jobs/{night.small}/samples/qa/{sample}")
    token = re.findall(r'name="token" value="([^"]*)"', shown)[0]
    answer = site.http.post(f"/jobs/{night.small}/samples/qa/{sample}", data={**form, "token": token})
    assert answer.status_code == 303, answer.text
    page = site.get(f"/judges/{night.small}")
    assert f'<a href="/jobs/{night.small}/samples/qa/{sample}">qa, sample {sample} of small-1</a>' in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "<caption>" in page
    assert "So far: 0 pass, 1 fail." in page
    assert re.search(r"Cohen's kappa</th><td[^>]*>0\.000 \[–\]", unescape(page))  # one verdict has no limits


def test_what_could_not_be_read_leads_to_its_samples(site, night):
    page = site.get(f"/judges/{night.small}")
    [(url, number)] = re.findall(r'Not understood</th><td class="still"><a href="([^"]*)">(\d+) of', page)
    assert site.get(unescape(url)).count("judge_unparsable</div>") == int(number)


def test_a_job_without_any_judged_sample_says_whether_there_may_be_one(site, night):
    said = ("Nothing is judged yet.", "It ended before anything was judged.")
    job_id = start(site.state, site.state.jobs.get(night.small).spec, name="cut-short")
    site.state.folder(job_id).write_manifest(site.state.folder(night.small).read_manifest())
    assert [word in site.get(f"/judges/{job_id}") for word in said] == [True, False]
    site.state.jobs.settle(job_id, status="cancelled", finished_at=utcnow())
    assert [word in site.get(f"/judges/{job_id}") for word in said] == [False, True]
    site.state.jobs.remove(job_id)


def test_a_job_without_judges_is_said(site, night):
    assert "has no samples: it has not begun" in site.get(f"/judges/{night.failed}", 409)
    assert "nothing" in site.get("/judges/nothing", 404)
    job_id = add(site.state, spec(recorded("said"), [{"said": "yes"}], CONTAINS), name="computed")
    page = site.get(f"/judges/{job_id}")
    assert "<h1><em>computed</em> has no judge</h1>" in page
    assert "No model judges its answers" in page
    assert f'<a href="/jobs/{job_id}">To the job</a>' in page
    site.state.jobs.remove(job_id)
