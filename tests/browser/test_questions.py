"""Each page answers its question to somebody who looks at it and knows no SQL."""

import re

import pytest

from tests.web import night

NEWS_FIRST = """
const send = XMLHttpRequest.prototype.send, filter = document.getElementById("filter");
XMLHttpRequest.prototype.send = function (...sent) {
  if (window.isHeld || !filter.classList.contains("htmx-request")) return send.apply(this, sent);
  window.isHeld = true;
  document.addEventListener("htmx:afterRequest", () => send.apply(this, sent), {once: true});
};"""
"""Sends what the filter asks for only once something else was answered."""


def test_what_ran_what_runs_and_is_anything_wrong(browser, jobs):
    browser.open("/")
    assert re.search(r"nightly-now.*?running\s+3 of 200", browser.text, re.S)
    assert "answered no request: HTTP 401" in browser.text
    assert re.search(r"nightly-large-2.*?0\.751 \[0\.686, 0\.806\].*?197 of 200.*?3 target_error", browser.text, re.S)
    browser.open("/?search[text]=nightly-")
    browser.picture("jobs", height=800)


def test_how_did_it_do_and_can_i_believe_it(browser, jobs):
    browser.open("/")
    browser.follow("nightly-large-2")
    assert re.search(r"correct / string-check\s+qa / large-2.*?0\.751 \[0\.686, 0\.806\]", browser.text, re.S)
    assert "2.885 to 3.025" in browser.text
    browser.run("document.getElementById('slice').value = 'item.topic'")
    browser.send("form[action$='#slices'] button")
    assert "slice=item.topic" in browser.path
    assert re.search(r"geography\s+large-2\s+0\.791", browser.text)
    browser.open(browser.path)
    browser.picture("job", height=1400)


def test_which_ones_and_why(browser, jobs):
    browser.open(f"/jobs/{jobs.large}")
    browser.follow("Samples")
    browser.follow("failed")
    assert browser.count("tbody tr") == 49
    browser.follow("lowest quality/score")
    assert browser.count("tbody tr") == 50
    browser.picture("samples", height=900)
    browser.follow("next")
    assert browser.count("tbody tr") == 50


def test_what_happened_here_and_a_person_says_so(browser, jobs):
    browser.open(f"/jobs/{jobs.large}/samples?filter[passed]=false")
    browser.send("tbody a")
    assert "user" in browser.text
    assert "assistant" in browser.text
    browser.click("summary", -1)
    assert "How good is the answer" in browser.text
    browser.picture("sample", height=1300)
    browser.click("input[value=incorrect]")
    browser.type("textarea[name=note]", "the judge is right")
    browser.send("form.opinion button")
    assert "incorrect on quality" in browser.text
    assert "the judge is right" in browser.text
    assert "filter[passed]=false" in browser.path or "filter%5Bpassed%5D=false" in browser.path


def test_the_api_can_be_read_and_tried(browser):
    browser.open("/docs")
    browser.until("Swagger's list", lambda: browser.count(".opblock-tag"))
    browser.until("the API's name", lambda: browser.texts("#swagger-ui .title")[0].startswith("Assay"))


def test_a_job_that_runs_moves_without_a_reload_and_shows_its_end(browser, state, jobs):
    spec = state.jobs.get(jobs.large).spec
    job_id = night.start(state, spec, name="moving")
    browser.open(f"/jobs/{job_id}")
    browser.run("window.same = true")
    assert "3 of 200 samples" in browser.text
    night.tell(state, job_id, 80)
    browser.see("80 of 200 samples")
    assert browser.run("return window.same")
    state.jobs.settle(job_id, status="cancelled")
    browser.until("the end", lambda: "cancelled" in browser.texts("#live")[0] and browser.count("[data-live]") == 0)


def test_the_list_moves_and_keeps_what_is_ticked(browser, state, jobs):
    browser.open("/")
    browser.click(f"#pick-{jobs.large}")
    job_id = night.start(state, state.jobs.get(jobs.large).spec, name="just-begun")
    browser.until("the new job", lambda: browser.count(f"#pick-{job_id}"))
    assert browser.value(f"#pick-{jobs.large}", "checked")
    state.jobs.settle(job_id, status="cancelled")


def test_while_nobody_looks_nothing_is_asked(browser, jobs):
    browser.open("/")
    browser.run(
        """window.sent = 0;
        document.addEventListener("htmx:beforeSend", () => { window.sent += 1; });
        Object.defineProperty(document, "hidden", {value: true, configurable: true});
        htmx.trigger("#jobs", "seen");"""
    )
    assert browser.run("return window.sent") == 0
    browser.run(
        """Object.defineProperty(document, "hidden", {value: false, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));"""
    )
    browser.until("a request", lambda: browser.run("return window.sent > 0"))


def test_the_filter_narrows_the_list_as_it_is_typed_and_stands_in_the_url(browser, jobs):
    browser.open("/")
    browser.type("body", "/")
    browser.until("the filter to be written in", lambda: browser.run("return document.activeElement.id") == "filter")
    browser.type("#filter", "small-1")
    browser.until("the narrowed list", lambda: browser.count("tbody tr") == 2 and "small-1" in browser.path)
    assert all("small-1" in row for row in browser.texts("tbody tr"))


def test_news_of_all_jobs_that_come_first_do_not_take_the_place_of_the_narrowed_list(browser, jobs):
    browser.open("/")
    browser.run(NEWS_FIRST)
    browser.type("#filter", "small-1")
    browser.until("the filter's request", lambda: browser.run("return window.isHeld"))
    browser.run("htmx.trigger('#jobs', 'seen')")
    browser.until("the narrowed list", lambda: browser.count("tbody tr") == 2)


def test_keys_lead_from_sample_to_sample_and_say_which_there_are(browser, jobs):
    browser.open(f"/jobs/{jobs.large}/samples/qa/5")
    browser.press("j")
    assert browser.path.endswith("/6")
    browser.press("k")
    assert browser.path.endswith("/5")
    browser.type("body", "?")
    browser.until("the keys that there are", lambda: browser.value("#help", "open"))


def test_a_person_signs_in_looks_around_and_signs_out(locked):
    locked.open("/?filter[status]=failed")
    locked.type("input[name=key]", "wrong")
    locked.send("form.login button")
    assert "no key of the service" in locked.text
    locked.type("input[name=key]", "a-key-0123456789")
    locked.send("form.login button")
    assert "No job is like that" in locked.text
    assert locked.run("return document.cookie") == ""
    locked.send("form[action='/logout'] button")
    assert locked.count("input[name=key]") == 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everybody_can_use_the_pages(browser, jobs, dark):
    browser.dark(dark)
    for name, path in pages(jobs).items():
        browser.open(path)
        assert browser.violations() == [], name
        if dark and name in ("jobs", "job"):
            browser.picture(f"{name}-dark", height=800)
        if not dark and name == "rendered":
            browser.picture(name, height=800)


@pytest.mark.parametrize("width", [360, 590], ids=["a phone", "200 %"])
def test_no_page_is_wider_than_a_phone_or_a_page_twice_as_large(browser, jobs, width):
    browser.width(width)
    for name, path in pages(jobs).items():
        browser.open(path)
        assert browser.run("return document.documentElement.scrollWidth") <= width, name


def test_without_a_script_all_is_there(browser, jobs):
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(f"/jobs/{jobs.large}/samples?sort=score.score")
        browser.follow("next")
        assert browser.count("tbody tr") == 50
        browser.open("/")
        browser.type("#filter", "large-2")
        browser.send("form[role=search] button")
        assert "nightly-large-2" in browser.texts("td.name a")
        assert "nightly-small-1" not in browser.texts("td.name a")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def pages(jobs: night.Night) -> dict[str, str]:
    samples = f"/jobs/{jobs.large}/samples"
    return {
        "jobs": "/?search[text]=nightly-",
        "job": f"/jobs/{jobs.large}?slice=item.topic",
        "running": f"/jobs/{jobs.running}",
        "failed": f"/jobs/{jobs.failed}",
        "samples": f"{samples}?sort=score.score",
        "sample": f"{samples}/qa/44",
        "rendered": f"{samples}/qa/17?view=rendered",
        "lost": f"{samples}/qa/74",
        "error": "/jobs/nothing",
        "compare": f"/compare?a={jobs.small}&b={jobs.large}&slice=item.topic",
        "comparing": "/compare",
        "trends": "/trends?name=nightly-",
        "judges": f"/judges/{jobs.small}",
        "sql": "/sql?q=SELECT 1 AS one",
    }
