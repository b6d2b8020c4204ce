"""The pages on which one decides: which is better, is that new, is the judge right, and anything else."""

import re


def test_is_b_better_where_did_it_get_worse_and_why(browser, jobs):
    browser.open("/?search[text]=nightly-")
    for job_id in (jobs.small, jobs.large):
        browser.click(f"#pick-{job_id}")
    browser.send("form .pages button")
    assert "Is nightly-large-2 better than nightly-small-1?" in browser.text
    assert re.search(r"Better in qa / correct / string-check", browser.text)
    assert re.search(r"\+0\.\d+ \[\+0\.\d+, \+0\.\d+\]", browser.text)
    assert "One part differs, the model" in browser.text
    browser.picture("compare", height=1500)
    first = browser.texts("article.changed h3")
    browser.follow("next")
    assert browser.texts("article.changed h3") != first
    browser.follow("improved")
    assert "Samples that improved" in browser.text
    browser.send("article.changed h4 a")
    assert "Your verdict" in browser.text


def test_a_comparison_is_cut_in_slices_from_its_form(browser, jobs):
    browser.open(f"/compare?a={jobs.small}&b={jobs.large}")
    browser.run("document.querySelector('main form details').open = true")
    browser.type("#slice", "item.topic")
    browser.send("form.facts-form button")
    assert "By item.topic" in browser.text
    assert browser.path.endswith("slice=item.topic")


def test_did_it_change_over_time(browser, jobs):
    browser.open("/trends")
    browser.type("#name", "nightly-")
    browser.send("main form button")
    assert "Did nightly- change?" in browser.text
    assert browser.count("svg.trend a") == 4
    assert re.search(r"nightly-large-2\s+[\d: -]+\s+large-2\s+0\.751", browser.text)
    browser.picture("trends", height=900)


def test_can_the_judge_be_trusted(browser, jobs):
    browser.open(f"/jobs/{jobs.small}")
    browser.follow("Judges")
    assert "takes 50 verdicts of people" in browser.text
    assert re.search(r"Not understood\s+\d+ of \d+: [\d.]+ %", browser.text)
    browser.picture("judges", height=700)


def test_a_query_answers_what_no_page_does(browser, jobs):
    browser.open("/sql")
    browser.type("#q", "SELECT name, model FROM jobs WHERE name = 'nightly-large-2'")
    browser.send("form.query button")
    assert "1 row." in browser.text
    assert browser.texts("table.answer td") == ["nightly-large-2", "large-2"]
    browser.picture("sql", height=700)
