"""The list of jobs and the page of one, over a night's jobs."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from core.job import Failure, NewJob, utcnow
from core.result import Score
from core.settings import ModelSettings
from store.db.connect import connect, writing
from store.db.tables import job_counted
from store.results.usage import usage_by_model
from tasks.summaries.aggregator import Aggregator
from tasks.summaries.slices import count_results
from tests.tasks.specs import CORRECT, model, recorded, spec
from tests.web import night
from web.jobs.figures import score_rows
from web.render import ENVIRONMENT


@pytest.fixture(scope="module")
def jobs(site):
    return night.make_night(site.state)


def names(page: str) -> list[str]:
    return re.findall(r'<td class="name">\s*<a href="[^"]*">([^<]*)</a>', page)


def test_a_fresh_service_says_how_to_begin(make_site):
    assert "No job has run yet." in make_site().get("/")


def test_a_job_says_what_it_cost_by_model_once_the_settings_have_prices(site, make_site, jobs):
    free = site.get(f"/jobs/{jobs.large}")
    assert '<th scope="row">judge-3</th><td>judge</td><td class="figure">197</td>' in free
    assert "its price stands here" in free
    usages = usage_by_model(site.state.folder(jobs.large))
    sent, made = (sum(getattr(each.tokens, name) for each in usages) for name in ("prompt_tokens", "completion_tokens"))
    priced = ModelSettings(price_per_million_input=20_000, price_per_million_output=100_000)
    priced_all = make_site(site.state.settings.home, models={"large-2": priced, "judge-3": priced})
    total = f"{(sent * 0.02 + made * 0.1):,.2f}"
    assert f"<b>{total}</b>" in priced_all.get(f"/jobs/{jobs.large}")
    priced_in_part = make_site(site.state.settings.home, models={"large-2": priced})
    assert '<td class="figure"><b>–</b></td>' in priced_in_part.get(f"/jobs/{jobs.large}")
    for path, rows in (("/", names), ("/trends?name=nightly-large", lambda _: ["nightly-large-2"])):
        told = costs(priced_all.get(path), rows)
        assert told["nightly-large-2"] == total
        assert costs(priced_in_part.get(path), rows)["nightly-large-2"] == f"{sent + made:,} tokens"
    assert (told := costs(site.get("/"), names))["nightly-now"] == told["nightly-broken"] == "–"


def costs(page: str, rows: Callable[[str], list[str]]) -> dict[str, str]:
    """Return the cell of each row of a table that says what a job cost."""
    heads = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", page[page.index("<thead") : page.index("</thead")])
    [cost] = (place for place, head in enumerate(heads) if head.startswith("Cost"))
    body = page[page.index("<tbody") : page.index("</tbody")].split("<tr>")[1:]
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)[cost] for row in body]
    return dict(zip(rows(page), (" ".join(re.sub("<[^>]*>", "", cell).split()) for cell in cells), strict=True))


def test_a_job_that_has_ended_is_counted_once(site, jobs):
    page = site.get(f"/jobs/{jobs.large}")
    counted = site.state.counted.of_job(jobs.large)
    assert counted == count_results(site.state.folder(jobs.large))
    assert counted.usage == list(site.state.jobs.get(jobs.large).usage)
    site.state.counted.keep(jobs.large, replace(counted, slicing=["kept"]))
    assert '<option value="item.kept"' in site.get(f"/jobs/{jobs.large}")
    with writing(connect(site.state.settings.jobs_url)) as connection:
        connection.execute(sa.update(job_counted).values(counted="{}"))
    assert site.get(f"/jobs/{jobs.large}") == page
    assert site.state.counted.of_job(jobs.large) == counted
    assert site.state.counted.of_job(jobs.running) is None


def test_the_list_says_what_runs_what_came_of_the_rest_and_why_it_failed(site, jobs):
    page = site.get("/")
    assert names(page)[0] == "nightly-now"
    assert "3 of 200" in page
    assert "The target &#39;small-1&#39; answered no request: HTTP 401" in page
    row = page[page.index("nightly-large-2") :]
    assert re.search(r"0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", row)
    assert "197 of 200" in row
    assert "3 target_error" in row
    assert 'class="chart interval"' in row
    assert 'hx-trigger="every 3s, seen"' in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search[text]=LARGE-2", {"nightly-large-2", "nightly-now", "hostile"}),
        ("filter[status]=failed", {"nightly-broken"}),
        (
            "search[text]=nightly-&filter[status]=completed&filter[project]=nightly",
            {"nightly-small-1", "nightly-large-2"},
        ),
        ("search[status]=created,pending,running", {"nightly-now"}),
        ("search[text]=nothing%20like%20it", set()),
        ("search[text]=", {"nightly-now", "nightly-broken", "hostile", "nightly-large-2", "nightly-small-1"}),
    ],
)
def test_the_list_is_narrowed_by_its_url(site, jobs, query, found):
    page = site.get(f"/?{query}")
    assert {"hostile" if "script" in name else name for name in names(page)} == found
    assert found or "No job is like that" in page


def test_the_chips_leave_the_text_and_the_text_leaves_the_chips(site, jobs):
    page = site.get("/?search[text]=nightly&filter[status]=failed")
    assert 'href="/?search[text]=nightly&amp;filter[status]=completed"' in page
    assert '<input type="hidden" name="filter[status]" value="failed">' in page
    assert re.search(r'aria-current="true">failed<', page)


def test_two_that_are_ticked_are_compared_the_older_first(site, jobs):
    answer = site.http.get(f"/?pick={jobs.large}&pick={jobs.small}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/compare?a={jobs.small}&b={jobs.large}")
    page = site.get(f"/?pick={jobs.small}")
    assert "Tick another job to compare it with." in page
    assert re.search(rf'id="pick-{jobs.small}" hx-preserve checked', page)


def test_older_jobs_are_reached_from_page_to_page_though_new_ones_come(make_site):
    site = make_site()

    def add(number: int) -> None:
        job_id = f"job-{number:03}"
        site.state.jobs.add(NewJob(id=job_id, face="nemo-v2", spec=None, request={}, name=job_id))

    for number in range(120):
        add(number)
    seen: list[str] = []
    url: str | None = "/"
    while url:
        page = site.get(url)
        seen += names(page)
        add(1000 + len(seen))
        older = re.search(r'<a rel="next" href="([^"]*)">older<', page)
        url = older and older[1].replace("&amp;", "&")
    assert seen == [f"job-{number:03}" for number in reversed(range(120))]


def test_a_job_shows_its_scores_with_how_sure_they_are(site, jobs):
    page = site.get(f"/jobs/{jobs.large}")
    assert re.search(r"<b class=\"still\">0\.751 \[0\.686, 0\.806\]</b>", page)
    assert "193 of 200" in page
    assert "4 judge_unparsable, 3 target_error" in page
    assert "2.885 to 3.025" in page
    assert "truncated: more than 1 % of the outputs were cut off" in page
    assert page.count('class="chart histogram"') == 2
    assert "judge of quality" in page
    assert "200 rows, sha256" in page
    assert "Specification" in page
    assert "hx-get" not in page[page.index("<main") :]


def test_a_slice_is_a_link_of_its_own(site, jobs):
    page = site.get(f"/jobs/{jobs.large}?slice=item.topic")
    assert re.search(r"geography</a></th>.*?0\.791 \[0\.679, 0\.871\].*?67 of 67", page, re.S)
    assert '<option value="item.topic" selected>' in page
    assert re.findall(r'<option value="item\.(\w+)"', page) == ["topic", "level"]  # few values; others have too many
    refused = site.get(f"/jobs/{jobs.large}?slice=item.id", 422)
    assert "has more than 50 values" in refused
    assert '<option value="item.topic">' in refused
    assert "no row that is judged has a value in column" in site.get(f"/jobs/{jobs.large}?slice=item.nothing", 422)


def test_a_job_that_runs_tells_how_far_it_is_and_can_be_stopped(site, jobs):
    page = site.get(f"/jobs/{jobs.running}")
    assert "3 of 200 samples" in page
    assert "Nothing is judged yet." in page
    assert f'hx-get="/jobs/{jobs.running}/progress" hx-trigger="every 2s, seen"' in page
    assert re.findall(r'<button class="\w+">(\w+)</button></form>', page) == ["Pause", "Cancel"]
    part = site.http.get(f"/jobs/{jobs.running}/progress")
    assert part.text.lstrip().startswith('<div id="live"')
    assert "hx-refresh" not in part.headers
    assert site.http.get(f"/jobs/{jobs.large}/progress").headers["hx-refresh"] == "true"


def test_what_is_asked_of_a_job_is_done(site, jobs):
    job_id = night.start(site.state, site.state.jobs.get(jobs.running).spec, name="to-stop")
    for action, status in (("pause", "pausing"), ("resume", "resuming"), ("cancel", "cancelling")):
        answer = site.http.post(f"/jobs/{job_id}/{action}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job_id}")
        assert site.state.jobs.get(job_id).status == status
    refused = site.http.post(f"/jobs/{jobs.large}/pause")
    assert (refused.status_code, "<h1>Not possible as things are</h1>" in refused.text) == (409, True)
    assert site.http.get(f"/jobs/{job_id}/cancel").status_code == 405


def test_what_failed_is_made_again_or_all_of_it_as_another_job(site, jobs):
    for action, said in (("again", "The job that it retries"), ("rerun", "nightly-large-2")):
        assert f'method="post" action="/jobs/{jobs.large}/{action}"' in site.get(f"/jobs/{jobs.large}")
        answer = site.http.post(f"/jobs/{jobs.large}/{action}")
        path = answer.headers["location"]
        assert (answer.status_code, path == f"/jobs/{jobs.large}") == (303, False)
        assert said in site.get(path)
        assert '<span class="status status-created">created</span>' in site.get(path)
        made = site.state.jobs.get(path.removeprefix("/jobs/"))
        assert made.retry_of == (jobs.large if action == "again" else None)
        assert made.model == "large-2"
        site.state.jobs.remove(made.id)
    refused = site.http.post(f"/jobs/{jobs.running}/again")
    assert (refused.status_code, "<h1>Not possible as things are</h1>" in refused.text) == (409, True)
    assert "Run again" not in site.get(f"/jobs/{jobs.running}")


def test_no_text_of_a_stranger_becomes_markup(site, jobs):
    for path in ("/", f"/jobs/{jobs.hostile}", f"/jobs/{jobs.hostile}?slice=item.topic"):
        page = site.get(path)
        assert "&lt;script&gt;" in page
        assert "<script>" not in page
        assert "<img" not in page


def test_what_several_trials_tell_stands_below_the_mean():
    aggregator = Aggregator(spec(model("http://x/v1"), [], CORRECT).tasks, 2)
    ends = [(sample, trial, float(sample < 3 or trial)) for sample in range(4) for trial in range(2)]
    aggregator.add(Score("qa", i, "target", t, "correct", "string-check", "scored", x) for i, t, x in ends)
    macro = ENVIRONMENT.from_string('{% from "jobs/parts.html" import score_table %}{{ score_table(scores) }}')
    table = macro.render(scores=score_rows(aggregator.summaries()))
    assert "4 samples, pass@2 1.000, pass^2 0.750, flip rate 0.250" in table
    assert "8 of 8 trials" in table


def test_a_long_reason_is_cut_in_the_list_and_whole_on_the_page(make_site):
    site = make_site()
    job_id = night.add(site.state, spec(recorded("said"), [{"said": "a"}]), name="long")
    site.state.jobs.settle(job_id, status="running", started_at=utcnow())
    failure = Failure(blame="user", code="unreachable", message="why " * 1000)
    site.state.jobs.settle(job_id, status="failed", failure=failure, finished_at=utcnow())
    assert site.get("/").count("why ") < 100 < site.get(f"/jobs/{job_id}").count("why ")
