"""A report opens from the disk: it shows all, in its own style, and asks nobody."""

import httpx

from tests.browser.conftest import Browser


def test_a_report_opens_from_the_disk(browser, jobs, tmp_path):
    answer = httpx.get(f"{browser.url}/jobs/{jobs.hostile}/report?against={jobs.large}&match=item.id", timeout=60)
    file = tmp_path / "report.html"
    file.write_bytes(answer.content)
    offline = Browser(browser.driver, file.as_uri())
    offline.open("")
    assert "document.title" in offline.text
    assert offline.driver.title != "hacked"
    assert offline.run("return getComputedStyle(document.querySelector('.said')).borderLeftStyle") == "solid"
    assert offline.requests() == [file.as_uri()]
    assert offline.complaints() == []
