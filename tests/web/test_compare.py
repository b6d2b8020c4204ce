"""The page of a comparison."""

import re
from html import unescape
from urllib.parse import unquote

import pytest

from api.native.schema.comparisons import ComparedScore
from flows.control.finish import finish
from tests.scripted import ScriptedEndpoint
from tests.tasks.conftest import Lab
from tests.tasks.specs import CORRECT, recorded, spec
from tests.web.night import Night, add, make_night
from web.compare.diff import LONGEST, MOST_WORDS, Span, diff
from web.compare.view import score_views, target_pairs


@pytest.fixture(scope="module")
def night(site) -> Night:
    return make_night(site.state, samples=60)


def links(page: str, text: str) -> list[str]:
    return [unescape(href) for href in re.findall(rf'<a [^>]*href="([^"]+)"[^>]*>{text}</a>', page)]


def test_it_says_which_is_better_and_by_how_much(site, night):
    page = site.get(f"/compare?a={night.small}&b={night.large}")
    [api] = [site.http.get(f"/api/assay/v1/comparisons?baseline={night.small}&candidate={night.large}").json()]
    for score in api["scores"]:
        assert f"<strong>{score['difference']:+.3f}</strong> [{score['ci_low']:+.3f}, {score['ci_high']:+.3f}]" in page
        assert re.search(rf"verdict-{score['verdict']}\">{score['verdict']}<", page)
    assert "Is <em>nightly-large-2</em> better than <em>nightly-small-1</em>?" in page
    assert "One part differs, the <strong>model</strong>" in page
    assert "from samples that only one side has a score of" in page  # both were asked the same, and not all is scored
    assert page.count('class="chart forest"') == 2  # one for each width of scale
    assert "<h2>What it takes</h2>" in page
    assert page.count('<td class="figure">–</td></tr>') == 2  # nobody has said what a model costs


def test_the_targets_of_one_job_are_compared_from_its_page_and_of_two_jobs_where_none_is_named(site, night):
    rows = [{"first": "no", "other": "yes", "answer": "yes"}] * 12
    ids = [add(site.state, spec(recorded("first", "other"), rows, CORRECT), name=name) for name in ("both-1", "both-2")]
    with ScriptedEndpoint() as nobody:
        for job_id in ids:
            Lab(site.state, nobody).carry_out(site.state.jobs.get(job_id))
            finish(site.state, site.state.jobs.get(job_id), "completed")
    listed = site.get("/?search[text]=both-1")
    assert "string-check of first" in listed
    [url] = links(site.get(f"/jobs/{ids[0]}"), "Compare other against first")
    page = site.get(url)
    assert "Is <em>other</em> better than <em>first</em>?" in page
    assert f'<a href="/jobs/{ids[0]}">both-1</a> <span class="quiet">other</span>' in page
    asked = site.get(f"/compare?a=both-1&b={ids[1]}&slice=item.answer", 422)
    [url] = links(asked, "other")
    assert unquote(url) == f"/compare?a={ids[0]}/other&b={ids[1]}/other&slice=item.answer"
    page = site.get(url)
    assert "Nothing that is known" in page
    assert "<title>both-2 / other against both-1 / other · Assay</title>" in page
    assert "Is <em>both-2 / other</em> better than <em>both-1 / other</em>?" in page
    [series] = re.findall(r"<h2>qa / other / correct.*?</section>", site.get("/trends?name=both"), re.S)
    assert '<td class="model">–</td>' in series


@pytest.mark.parametrize(
    ("baseline", "candidate", "is_same", "found"),
    [
        ("a", "b", False, []),
        ("abc", "abc", True, [("b against a", "a", "b"), ("c against a", "a", "c")]),
        ("ab", "bc", False, [("b", "b", "b")]),
        ("a", "bc", False, [("b against a", "a", "b"), ("c against a", "a", "c")]),
    ],
)
def test_the_targets_that_may_be_meant_are_those_of_both_jobs(baseline, candidate, is_same, found):
    assert target_pairs(baseline, candidate, is_same=is_same) == found


def test_where_the_judge_was_changed_it_says_how_both_are_graded_alike(site, night):
    found = site.http.get(f"/api/assay/v1/comparisons?baseline={night.small}&candidate={night.large}").json()
    changed = ComparedScore(**found["scores"][0] | {"verdict": "inconclusive", "reasons": ["judge_changed"]})
    [shown] = score_views([changed], night.small)
    assert f"assay retry {night.small} --metrics FILE" in shown.advice


def test_a_column_slices_it(site, night):
    page = site.get(f"/compare?a={night.small}&b={night.large}&slice=item.topic")
    assert "<h2>By item.topic</h2>" in page
    for topic in ("arithmetic", "geography", "units"):
        assert page.count(f'<th scope="row" class="name">{topic}</th>') == 2


def test_the_samples_that_regressed_come_first_page_by_page(site, night):
    page = site.get(f"/compare?a={night.small}&b={night.large}")
    samples = re.findall(r"<h3>qa, sample (\d+)", page)
    [following] = links(page, "next")
    more = re.findall(r"<h3>qa, sample (\d+)", site.get(following))
    wanted = site.http.get(
        f"/api/assay/v1/comparisons/samples?baseline={night.small}&candidate={night.large}"
        "&change=regressed&score=correct/string-check"
    ).json()
    assert samples + more == [str(each["sample"]) for each in wanted["data"]][: len(samples) + len(more)]
    [improved] = links(page, "improved")
    assert '<h2 id="samples">Samples that improved</h2>' in site.get(improved)
    assert f'href="/jobs/{night.small}/samples/qa/{samples[0]}"' in page
    told = page[page.index("<h3>qa, sample") : page.index("<summary>The row")]
    assert re.findall(r"<dt>(\w+)</dt>", told) == ["question", "answer"]
    assert f"(no. {samples[0]})" in told


def test_what_strangers_wrote_is_text(site, night):
    page = site.get(f"/compare?a={night.large}&b={night.hostile}&match=item.id")
    assert "document.title=" in page
    assert "<img" not in page
    assert "<script>document" not in page


def test_empty_fields_of_the_form_are_left_out_of_the_link(site, night):
    answer = site.http.get("/compare?a=x&b=&margin=&slice=")
    assert (answer.status_code, answer.headers["location"]) == (303, "/compare?a=x")


@pytest.mark.parametrize(
    ("query", "status", "why"),
    [
        ("a={small}&b=nothing", 404, "no job has the id or the name"),
        ("a={small}&b={large}/other", 404, "evaluates no target"),
        ("a={small}&b={failed}", 409, "has no samples: it has not begun"),
        ("a={small}&b={large}&slice=item.nothing", 422, "nothing"),
        ("a={small}&b={large}&primary=nothing", 422, "no metric"),
        ("a={small}&b={large}&score=nothing", 422, "nothing"),
        ("a={small}&b={large}&cursor=nothing", 422, "cursor"),
    ],
)
def test_what_cannot_be_compared_is_said_above_the_form(site, night, query, status, why):
    page = site.get("/compare?" + query.format(**vars(night)), status)
    [said] = re.findall(r'role="alert">([^<]*)<', page)
    assert why in said
    assert '<input id="a"' in page


@pytest.mark.parametrize("query", ["margin=much", "alpha=1", "match=id", "change=other", "colour=red"])
def test_a_query_that_is_none_is_refused_by_the_name_of_its_field(site, query):
    assert query.partition("=")[0] in site.get(f"/compare?a=x&b=y&{query}", 422)


def test_texts_are_told_apart_word_by_word():
    told = diff("The answer is 4.", "The answer is 5!")
    assert told.baseline == [Span("The answer is ", "same"), Span("4.", "changed")]
    assert told.candidate == [Span("The answer is ", "same"), Span("5!", "changed")]
    assert not told.is_cut


def test_long_texts_are_shown_as_they_are_and_cut():
    words, long = "a " * MOST_WORDS, "x" * (LONGEST + 1)
    assert [span.kind for span in diff(words, f"{words}b").baseline] == ["same"]
    told = diff(long, "")
    assert (len(told.baseline[0].text), told.candidate, told.is_cut) == (LONGEST, [], True)
