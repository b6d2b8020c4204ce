"""The table of a job's samples, and the page of one, over a night's jobs."""

import re
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from core.result import Output, Score
from tests.tasks.conftest import Lab
from tests.tasks.specs import recorded, spec
from tests.web import night
from tests.web.night import CONTAINS, HOSTILE


@pytest.fixture(scope="module")
def jobs(site):
    return night.make_night(site.state)


@pytest.fixture(scope="module")
def samples(jobs) -> str:
    return f"/jobs/{jobs.large}/samples"


def numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'<td class="figure"><a href="[^"]*">(\d+)</a>', page)]


def link(page: str, rel: str) -> str | None:
    found = re.search(rf'<a rel="{rel}" href="([^"]*)"', page)
    return found and found[1].replace("&amp;", "&")


def test_next_leads_through_all_samples_once(site, samples):
    seen: list[int] = []
    url: str | None = samples
    while url:
        page = site.get(url)
        seen += numbers(page)
        url = link(page, "next")
    assert seen == list(range(200))


@pytest.mark.parametrize(
    ("preset", "count"), [("failed", 49), ("excluded", 7), ("judge unparsable", 4), ("cut off", 7), ("passed", 50)]
)
def test_presets_ask_what_is_asked_most(site, samples, preset, count):
    page = site.get(samples)
    (url,) = re.findall(rf'<a href="([^"]*)">{preset}</a>', page)
    shown = site.get(url.replace("&amp;", "&"))
    assert len(numbers(shown)) == min(50, count)
    assert f'aria-current="true">{preset}</a>' in shown


def test_the_lowest_scores_come_first(site, samples):
    page = site.get(f"{samples}?sort=score.score")
    grades = [float(value) for value in re.findall(r"<td><div class=\"clip \w+\">(\d)", page)][1::2]
    assert grades == sorted(grades)
    assert 'aria-sort="ascending"' in page
    assert "sort=-score.score" in page


def test_a_filter_is_put_together_by_a_form_and_stands_in_the_url(site, samples):
    answer = site.http.get(f"{samples}?field=score.score&by=lte&value=1&search[output]=&cursor=")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{samples}?filter[score.score][lte]=1")
    page = site.get(answer.headers["location"])
    assert len(numbers(page)) == 31
    assert "score.score ≤ 1" in page
    assert "cannot filter by" in site.get(f"{samples}?filter[nothing]=1", 422)
    assert "there is no score" in site.get(f"{samples}?sort=score.nothing", 422)


def test_only_the_chosen_columns_are_shown(site, samples):
    page = site.get(f"{samples}?column=item.topic&column=score.score")
    heads = re.findall(r"<th scope=\"col\"[^>]*>(?:<a[^>]*>)?([^<]*)", page)
    assert heads == ["Sample", "topic", "quality/score"]
    assert "column=item.topic" in (link(page, "next") or "")
    assert "there is no column &#39;colour&#39;; columns: item.question," in site.get(f"{samples}?column=colour", 422)
    assert ">late<" in site.get(f"{samples}?column=item.late")  # which a later row may have


def test_the_columns_that_tell_a_sample_come_first(site, samples):
    heads = re.findall(r"<th scope=\"col\"[^>]*>(?:<a[^>]*>)?([^<]*)", site.get(samples))
    assert heads == ["Sample", "question", "answer", "id", "output", "correct/string-check", "quality/score"]
    row = site.get(f"{samples}/qa/0")
    assert re.findall(r"<dt>(\w+)</dt>", row[: row.index("</dl>")]) == ["question", "answer", "id", "topic", "level"]


def test_a_sample_shows_what_was_asked_said_and_judged(site, samples):
    page = site.get(f"{samples}/qa/0")
    row = night.questions(1)[0]
    assert row["question"].replace("'", "&#39;") in page
    assert "What the judge was asked, and said" in page
    assert f"Reference: {row['answer']}" in page
    assert "1 attempt" in page
    assert "tokens made" in page
    thinking = next(n for n in range(200) if "Thinking" in site.get(f"{samples}/qa/{n}"))
    assert "Let me work it out step by step." in site.get(f"{samples}/qa/{thinking}")


@pytest.mark.thorough
@pytest.mark.parametrize("query", ["filter[passed]=false", "sort=-sample", "sort=score.score&filter[item.topic]=units"])
def test_next_and_previous_stay_within_the_list_that_a_sample_was_found_in(site, samples, query):
    found = numbers(site.get(f"{samples}?{query}"))[:6]
    seen = [found[0]]
    url: str | None = f"{samples}/qa/{found[0]}?{query}"
    while len(seen) < len(found):
        assert url
        url = link(site.get(url), "next")
        seen.append(int(urlsplit(url or "").path.split("/")[-1]))
    assert seen == found
    for number in reversed(found[:-1]):
        url = link(site.get(url or ""), "prev")
        assert urlsplit(url or "").path == f"{samples}/qa/{number}"
        assert parse_qsl(urlsplit(url or "").query) == parse_qsl(query)
    assert link(site.get(url or ""), "prev") is None


def test_a_person_s_verdict_is_kept_changed_and_taken_back(site, jobs, samples):
    path = f"{samples}/qa/3"
    said = {"target": "large-2", "trial": "0", "metric": "quality", "verdict": "incorrect", "note": f"no: {HOSTILE}"}
    answer = site.http.post(f"{path}?sort=-sample", data=said)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?sort=-sample#verdicts")
    page = site.get(path)
    assert re.search(r"incorrect</b> <span class=\"quiet\">on quality", page)
    assert "no: &lt;script&gt;" in page
    form = page[page.index('name="target" value="large-2"') :]
    assert re.search(
        r'value="incorrect" checked> incorrect.*value="quality" selected>.*maxlength="10000">no: &lt;', form, re.S
    )
    site.http.post(path, data=said | {"verdict": "correct", "score": "3.5", "note": ""})
    (kept,) = site.state.verdicts.of_job(jobs.large, "quality")
    assert (kept.sample, kept.passed, kept.value, kept.note) == (3, True, 3.5, None)
    assert 'step="any" size="6" value="3.5">' in site.get(path)
    site.http.post(path, data=said | {"verdict": "", "note": ""})
    assert site.state.verdicts.of_job(jobs.large) == []


def test_a_verdict_can_be_given_read_and_taken_back_by_the_api(site, jobs):
    url = f"/api/assay/v1/jobs/{jobs.large}/verdicts"
    on = {"task": "qa", "sample": 7, "target": "large-2", "trial": 0, "metric": "quality"}
    given = site.http.put(url, json={**on, "passed": False, "note": "It is Rome."}).raise_for_status().json()
    assert (given["passed"], given["value"], given["note"]) == (False, None, "It is Rome.")
    assert site.http.get(url).json() == {"data": [given]}
    assert site.http.get(f"{url}?metric=correct").json() == {"data": []}
    for wrong, status in (({}, 422), ({"passed": True, "metric": "none"}, 422), ({"passed": True, "sample": 999}, 404)):
        assert site.http.put(url, json={**on, **wrong}).status_code == status
    assert site.http.delete(url, params=on).status_code == 204
    assert site.http.get(url).json() == {"data": []}


@pytest.mark.parametrize("name", [".", "..", "a/../b"])
def test_a_sample_of_a_task_that_is_called_like_a_folder_has_a_link_that_leads_to_it(site, endpoint, name):
    rows = [{"said": "yes", "answer": "yes"}]
    asked = spec(recorded("said"), rows, CONTAINS)
    task = asked.tasks[0].model_copy(update={"name": name})
    job_id = night.add(site.state, asked.model_copy(update={"tasks": (task,)}), name=f"named {name}")
    Lab(site.state, endpoint).carry_out(site.state.jobs.get(job_id))
    (url,) = re.findall(r'<td class="figure"><a href="([^"]*)">0</a>', site.get(f"/jobs/{job_id}/samples"))
    assert str(httpx.URL("http://host").join(url)) == f"http://host{url}"
    page = site.get(url)
    assert f'action="{url}"' in page
    assert site.http.get(f"/api/assay/v1{url}").json()["task"] == name


@pytest.mark.parametrize(
    "wrong", [{"metric": "nothing"}, {"score": "much"}, {"score": "inf"}, {"target": "nobody"}, {"trial": "x"}]
)
def test_a_verdict_on_nothing_is_refused(site, jobs, samples, wrong):
    said = {"target": "large-2", "trial": "0", "metric": "quality", "verdict": "correct"} | wrong
    assert site.http.post(f"{samples}/qa/3", data=said).status_code in (404, 422)
    assert site.state.verdicts.of_job(jobs.large) == []


def test_a_note_that_is_no_text_is_refused(site, jobs, samples):
    said = {"target": "large-2", "trial": "0", "metric": "quality", "verdict": "correct", "note": r"\ud800"}
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{each}\r\n' for name, each in said.items()
    )
    kind = {"content-type": "multipart/form-data; boundary=b; charset=unicode_escape"}
    assert site.http.post(f"{samples}/qa/3", content=f"{parts}--b--\r\n", headers=kind).status_code == 422
    assert site.state.verdicts.of_job(jobs.large) == []


def test_no_text_of_a_stranger_becomes_markup(site, jobs):
    samples = f"/jobs/{jobs.hostile}/samples"
    for path in (samples, f"{samples}/qa/1", f"{samples}?search[output]=script"):
        page = site.get(path)
        assert "&lt;script&gt;" in page
        assert "<script>" not in page
        assert "<img" not in page


def test_a_job_without_samples_says_so(site, jobs):
    assert "The job has no samples yet." in site.get(f"/jobs/{jobs.running}/samples")
    assert "No sample is like that." in site.get(f"/jobs/{jobs.large}/samples?filter[sample]=4711")
    assert "there are 0 to 199" in site.get(f"/jobs/{jobs.large}/samples/qa/200", 404)
    assert "tasks: qa" in site.get(f"/jobs/{jobs.large}/samples/a/b/0", 404)


def test_a_long_output_is_cut_with_a_link_to_the_whole(site, jobs):
    """Ten million characters, of which a page shows the first."""
    folder = site.state.folder(jobs.hostile)
    manifest = folder.read_manifest()
    assert manifest
    shard = manifest.shards[0]
    long = "ß" * 10_000_000
    folder.finish_generate(shard, [Output("qa", n, "large-2", text=long) for n in range(2)], [])
    folder.finish_judge(shard, [Score("qa", n, "large-2", 0, "quality", "score", "scored", 1.0) for n in range(2)], [])
    table, page = site.get(f"/jobs/{jobs.hostile}/samples"), site.get(f"/jobs/{jobs.hostile}/samples/qa/0")
    assert len(table) < 100_000
    assert len(page) < 100_000
    assert "… 9,980,000 characters more" in page
    whole = f"/api/assay/v1/jobs/{jobs.hostile}/samples/qa/0"
    assert f'href="{whole}">the whole' in page
    assert site.http.get(whole).json()["outputs"][0]["output"] == long
