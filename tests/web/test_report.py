"""The report of a job: one file, which opens without the service."""

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from core.result import Output, Score
from tests.web import night
from web.report.document import LARGEST
from web.samples.sample import Text

ELSEWHERE = ("src", "href", "srcset", "action", "formaction", "data", "poster", "style")


@pytest.fixture(scope="module")
def jobs(site) -> night.Night:
    return night.make_night(site.state)


@pytest.fixture(scope="module")
def compared(site, jobs) -> str:
    return site.get(f"/jobs/{jobs.large}/report?against={jobs.small}")


class Tags(HTMLParser):
    """All tags of a text with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def shown(page: str) -> list[tuple[int, str]]:
    """Return the samples of a report and why each is there."""
    found = re.findall(r"<h2>qa, sample (\d+) <span class=\"quiet\">([^<]*)</span></h2>", page)
    return [(int(number), unescape(why)) for number, why in found]


@pytest.mark.thorough
def test_it_has_what_the_job_s_page_and_the_comparison_s_page_have(site, jobs, compared):
    page, comparison = site.get(f"/jobs/{jobs.large}"), site.get(f"/compare?a={jobs.small}&b={jobs.large}")
    figures = re.findall(r"<b class=\"still\">([^<]*)<", page)
    assert figures
    assert figures == re.findall(r"<b class=\"still\">([^<]*)<", compared)
    differences = re.findall(r"<td class=\"figure\"><strong>([^/]*)</strong> ([^<]*)", comparison)
    assert differences
    assert differences == re.findall(r"<td class=\"figure\"><strong>([^/]*)</strong> ([^<]*)", compared)
    for chart in ("interval", "histogram", "outcomes", "forest"):
        assert compared.count(f'class="chart {chart}"') == (page + comparison).count(f'class="chart {chart}"') > 0
    assert re.findall(r"<dt>dataset of qa</dt><dd>[^<]*", page)[0] in compared


def test_samples_that_regressed_come_first_then_those_that_failed_then_the_lowest(site, jobs, compared):
    found = shown(compared)
    assert len(found) == len({number for number, _ in found}) == 100
    kinds = list(dict.fromkeys(re.sub(" (by|in) .*", "", why) for _, why in found))
    assert kinds[:3] == ["regressed", "failed", "not scored"]
    assert all(float(value) >= 0 for value in kinds[3:])
    of_quality = [float(why.split()[0]) for _, why in found if why.endswith(" in quality / score") and why[0].isdigit()]
    assert of_quality == sorted(of_quality) != []
    query = f"baseline={jobs.small}&candidate={jobs.large}&change=regressed&score=correct/string-check&limit=100"
    wanted = site.http.get(f"/api/assay/v1/comparisons/samples?{query}").json()["data"]
    assert [number for number, _ in found[: len(wanted)]] == [each["candidate"]["sample"] for each in wanted]


def test_a_sample_has_its_conversation_and_what_the_judge_said(jobs, compared):
    number, _ = shown(compared)[0]
    body = compared[compared.index('<section class="sample" id="sample-1">') :]
    body = body[: body.index('<section class="sample" id="sample-2">')]
    assert night.questions()[number]["question"].replace("'", "&#39;") in body
    assert "What the judge was asked, and said" in body
    assert 'href="#sample-1">sample' in compared  # where the comparison has it


def test_nothing_of_it_is_elsewhere_and_its_policy_allows_its_own_style_alone(compared):
    tags = Tags(compared).found
    assert {tag for tag, _ in tags} & {"script", "img", "iframe", "link", "base", "form", "button"} == set()
    led = [values[name] or "" for _, values in tags for name in ELSEWHERE if name in values]
    assert led
    anchors = {values["id"] for _, values in tags if "id" in values}
    assert {each.removeprefix("#") for each in led} <= anchors
    assert not [name for _, values in tags for name in values if name.startswith(("on", "hx-"))]
    [style] = re.findall(r"<style>(.*?)</style>", compared, re.DOTALL)
    assert not re.search(r"url\(|@import|https?:", style)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    [policy] = [values["content"] for _, values in tags if values.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'"


@pytest.mark.thorough
def test_a_hundred_samples_take_less_than_three_megabytes(site, jobs, compared):
    """Whatever they have: texts of many characters, each of which is an escape of six."""
    assert len(compared.encode()) < 3_000_000
    assert LARGEST * 100 < 2_500_000
    folder = site.state.folder(jobs.hostile)
    manifest = folder.read_manifest()
    assert manifest
    shard = manifest.shards[0]
    long = "\x00" * 1_000_000
    folder.finish_generate(shard, [Output("qa", n, "large-2", text=long) for n in range(2)], [])
    folder.finish_judge(
        shard,
        [
            Score("qa", n, "large-2", 0, "quality", "score", "scored", 1.0, feedback=long, label=long * n)
            for n in (0, 1)
        ],
        [],
    )
    page = site.get(f"/jobs/{jobs.hostile}/report")
    assert len(page.encode()) < 200_000
    assert "characters more" in page
    assert "Too large for a report: <code>assay show" in page


def test_no_text_of_a_stranger_becomes_markup(make_site):
    site = make_site()
    jobs = night.make_night(site.state, samples=12)
    page = site.get(f"/jobs/{jobs.hostile}/report?against={jobs.large}&match=item.id&slice=item.topic")
    assert page.count("&lt;script&gt;document.title=") > 20
    assert {tag for tag, _ in Tags(page).found} & {"script", "img"} == set()
    answer = site.http.get(f"/jobs/{jobs.hostile}/report")
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%3Cscript%3E")
    assert unquote(answer.headers["content-disposition"]).endswith("'>.html")


def test_a_job_that_runs_or_failed_is_reported_as_far_as_it_is(site, jobs):
    running, failed = site.get(f"/jobs/{jobs.running}/report"), site.get(f"/jobs/{jobs.failed}/report")
    assert "3 of 200 samples" in running
    assert "while it ran" in running
    assert "answered no request: HTTP 401" in failed
    assert 'id="samples"' not in running + failed


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("nothing/report", 404, "no job has the id or the name"),
        ("{large}/report?against=nothing", 404, "no job has the id or the name"),
        ("{large}/report?against={small}&target=nobody", 404, "evaluates no target"),
        ("{large}/report?against={small}&colour=red", 422, "colour"),
        ("{large}/report?against={failed}", 409, "has no samples: it has not begun"),
        ("{large}/report?slice=item.topic", 422, "say what the job is held against"),
        ("{large}/report?samples=1001", 422, "samples"),
    ],
)
def test_what_cannot_be_reported_is_said_on_a_page_and_to_programs(site, jobs, path, status, why):
    path = path.format(**vars(jobs))
    assert why in unescape(site.get(f"/jobs/{path}", status))
    answer = site.http.get(f"/api/assay/v1/jobs/{path}")
    assert answer.status_code == status
    assert why in str(answer.json()["detail"])


def test_the_pages_of_the_job_and_of_its_comparison_lead_to_it(site, jobs):
    assert f'href="/jobs/{jobs.large}/report"' in site.get(f"/jobs/{jobs.large}")
    page = site.get(f"/compare?a={jobs.small}&b={jobs.large}&slice=item.topic")
    [link] = re.findall(r'href="([^"]*/report[^"]*)"', page)
    assert "<h2>By item.topic</h2>" in site.get(unescape(link))


def test_a_text_that_is_cut_twice_says_all_that_is_left_out():
    assert Text("a" * 10).cut(6).cut(4) == Text("aaaa", 6)
    assert Text("aaaa").cut(4) == Text("aaaa")
