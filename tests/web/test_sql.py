"""The page of queries."""

import re
from html import unescape

import pytest


@pytest.fixture(scope="module")
def examples(site) -> list[str]:
    return re.findall(r'href="(/sql\?q=[^"]+)"', site.get("/sql"))


def test_the_views_are_beside_the_box_with_their_columns(site):
    page = site.get("/sql")
    assert re.search(r'<label for="q">SQL</label>\s*<textarea id="q"', page)
    assert "<dt><code>calls</code></dt>" in page
    assert "total_tokens" in page


@pytest.mark.parametrize("n", range(3))
def test_each_example_is_answered(site, examples, n):
    assert "0 rows." in site.get(unescape(examples[n]))


@pytest.mark.thorough
def test_an_answer_is_text_and_can_be_had_as_a_file(site):
    page = site.get("/sql?q=SELECT '<script>x</script>' AS a, NULL AS b, {'n': 1} AS c, 'job-1' AS job_id")
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<script>x" not in page
    assert '<a href="/jobs/job-1">' in page
    csv, parquet = (unescape(href) for href in re.findall(r'<a href="(/sql[^"]+)">(?:CSV|Parquet)</a>', page))
    answer = site.http.get(csv)
    assert (answer.text, answer.headers["content-type"]) == (
        'a,b,c,job_id\r\n<script>x</script>,,"{""n"": 1}",job-1\r\n',
        "text/csv; charset=utf-8",
    )
    assert site.http.get(parquet).content[:4] == b"PAR1"


@pytest.mark.thorough
def test_a_wrong_query_is_answered_beside_what_was_asked(site):
    page = site.get("/sql?q=selec <b>", 422)
    assert 'role="alert">the query failed' in page
    assert "selec &lt;b&gt;</textarea>" in page
    assert "<h2>What can be asked</h2>" in site.get("/sql?q=selec&format=csv", 422)
