"""The pages of a job of whose files some are damaged."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.control.finish import finish
from store.db.connect import connect, writing
from store.db.tables import job_counted, jobs
from tests.scripted import ScriptedEndpoint
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, recorded, spec
from tests.web.night import add

ROWS = [{"said": "yes", "answer": "yes"}, {"said": "no", "answer": "yes"}]


@pytest.fixture(scope="module")
def job_id(site) -> str:
    made = add(site.state, spec(recorded("said"), ROWS, CORRECT), name="weekly")
    site.state.jobs.dispatched(made, "b2e1a3f0-7d55-4d2c-9a51-9f7d2d0d2f11")
    with ScriptedEndpoint() as nobody:
        Lab(site.state, nobody).carry_out(site.state.jobs.get(made))
    finish(site.state, site.state.jobs.get(made), "completed")
    return made


@pytest.fixture
def damage(site, job_id) -> Iterator[Callable[[str], Path]]:
    """Damage a file of the job, as long as the test takes; nothing is kept of what was counted."""
    whole: dict[Path, bytes] = {}

    def damaged(name: str) -> Path:
        path = site.state.folder(job_id).path / name
        whole[path] = path.read_bytes()
        path.write_bytes(whole[path][:-20])
        with writing(connect(site.state.settings.jobs_url)) as connection:
            connection.execute(sa.delete(job_counted))
        return path

    yield damaged
    for path, content in whole.items():
        path.write_bytes(content)


FILES = ["manifest.json", "summaries/00000.parquet", "scores/00000.parquet", "outputs/00000.parquet"]


@pytest.mark.parametrize("name", FILES)
def test_the_page_of_a_damaged_job_has_its_record_and_what_to_do(site, job_id, damage, monkeypatch, name):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    damage(name)
    page = site.get(f"/jobs/{job_id}", 500)
    assert "<h1>weekly</h1>" in page
    assert '<span class="status status-completed">completed</span>' in page
    assert f"{name} is damaged: restore it from a backup" in page
    assert f"<code>assay fsck {job_id}</code>" in page
    assert f"<dt>id</dt><dd>{job_id}</dd>" in page
    assert "/runs/flow-run/b2e1a3f0-7d55-4d2c-9a51-9f7d2d0d2f11" in page
    assert "&#34;column&#34;: &#34;said&#34;" in page  # of the specification
    assert "Run again what failed" not in page
    assert ("They cannot be read." in page) == name.startswith("summaries"), "of the scores"
    answer = site.http.post(f"/jobs/{job_id}/rerun")
    assert answer.status_code == 303
    site.state.jobs.remove(answer.headers["location"].removeprefix("/jobs/"))
    listed = site.get("/?search[text]=weekly")
    assert f'href="/jobs/{job_id}"' in listed
    assert ("Its scores cannot be read" in listed) == name.startswith("summaries")
    assert 'class="status status-completed"' in site.get(f"/jobs/{job_id}/progress")


def test_pages_that_need_a_damaged_file_say_so_and_lead_back_to_the_job(site, job_id, damage):
    damage("outputs/00000.parquet")
    for path in (f"/jobs/{job_id}/samples", f"/jobs/{job_id}/samples/qa/0", f"/jobs/{job_id}/report"):
        page = site.get(path, 500)
        assert "<h1>What is stored cannot be read</h1>" in page
        assert "outputs/00000.parquet is damaged: restore it from a backup" in page
        assert f"<code>assay fsck {job_id}</code>" in page
        assert re.findall(r'<a href="([^"]*)">To the job</a>', page) == [f"/jobs/{job_id}"]
    assert "<code>assay fsck --all</code>" in site.get(f"/compare?a={job_id}&b={job_id}", 500)


def test_a_job_whose_specification_cannot_be_read_has_its_page(site, job_id):
    kept = site.state.jobs.get(job_id).spec
    with writing(connect(site.state.settings.jobs_url)) as connection:
        connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(spec={"targets": 5}))
    try:
        page = site.get(f"/jobs/{job_id}", 500)
        assert f"The specification of job {job_id} cannot be read" in page
        assert "1 of 2" not in page
        assert "2 of 2" in page  # its scores
    finally:
        with writing(connect(site.state.settings.jobs_url)) as connection:
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(spec=kept.model_dump(mode="json")))
    assert "cannot be read" not in site.get(f"/jobs/{job_id}")
