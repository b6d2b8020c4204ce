"""What the Markdown of an output becomes, and what it cannot become."""

import re

import pytest

from tests.browser.test_hostile import PAYLOADS
from tests.web import night
from web.samples.markdown import LONGEST, rendered

NAMES = (
    "p",
    "h4",
    "li",
    "ul",
    "blockquote",
    "code",
    "pre",
    "em",
    "strong",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
)
OWN = {f"<{end}{name}>" for name in NAMES for end in ("", "/")} | {"<hr />", "<br />"}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("The **answer** is `4`.", "<p>The <strong>answer</strong> is <code>4</code>.</p>\n"),
        ("# Title\n\n7. one", '<h4>Title</h4>\n<ol start="7">\n<li>one</li>\n</ol>\n'),
        ("```python\na < b\n```", "<pre><code>a &lt; b\n</code></pre>\n"),
        ('```x"><script>\n```', "<pre><code></code></pre>\n"),
        ("[a](javascript:b)", "<p>[a](javascript:b)</p>\n"),
        ("[a][b]\n\n[b]: http://e.example", "<p>[a][b]</p>\n<p>[b]: http://e.example</p>\n"),
        ("![a](http://e.example/x.png)", "<p>![a](http://e.example/x.png)</p>\n"),
        ("<http://e.example>", "<p>&lt;http://e.example&gt;</p>\n"),
        ("<b>a</b>\n\n<div>", "<p>&lt;b&gt;a&lt;/b&gt;</p>\n<p>&lt;div&gt;</p>\n"),
        ("a\u202eb\x00", "<p>a\\u202eb\\x00</p>\n"),
        ("", ""),
    ],
)
def test_markdown_is_rendered_without_html_links_images_and_attributes(written, shown):
    assert rendered(written) == shown


@pytest.mark.parametrize("around", ["{}", "> {}", "- {}", "|a|\n|-|\n|{}|", "# {}", "```{}\nx\n```", "*{}*"])
def test_of_a_hundred_payloads_none_has_an_element_or_an_attribute(around):
    for payload in PAYLOADS:
        page = rendered(around.format(payload))
        assert page is not None
        assert set(re.findall(r"<[^>]*>?", page)) <= OWN, payload


def test_a_table_has_no_style():
    table = rendered("|a|b|\n|:-:|--:|\n|1|2|")
    assert table
    assert re.findall(r"<(\w+)([^>]*)>", table)[:3] == [("table", ""), ("thead", ""), ("tr", "")]
    assert "style" not in table


@pytest.mark.parametrize("made", ["a" * (LONGEST + 1), "|" + "a|" * 100 + "\n|" + "-|" * 100 + "\n" + "|\n" * 100])
def test_what_is_long_or_becomes_long_stays_text(made):
    assert rendered(made) is None


@pytest.mark.parametrize("made", ["> ", "- ", "*a", "[", "|a", "`a", "**a ", "_a__b", "    - a\n", "> - "])
def test_what_nests_deeply_becomes_little(made):
    assert len(rendered(made * (LONGEST // len(made))) or "") < 10 * LONGEST


def test_a_sample_is_shown_as_text_and_rendered_and_the_way_is_kept(site):
    jobs = night.make_night(site.state, samples=12)
    path = f"/jobs/{jobs.large}/samples/qa/1"
    text = site.get(f"{path}?sort=-sample")
    assert "The answer is **" in text
    assert f'href="{path}?sort=-sample&amp;view=rendered">rendered</a>' in text
    page = site.get(f"{path}?sort=-sample&view=rendered")
    assert re.search(r'<div class="markdown"><p>The answer is <strong>\w+</strong>\.</p>', page)
    assert re.search(r'rel="next" href="[^"]*/0\?sort=-sample&amp;view=rendered"', page)
    assert 'aria-current="true">rendered</a>' in page
    assert f'href="{path}?sort=-sample">text</a>' in page
    assert "view" in site.get(f"{path}?view=pictures", 422)
    hostile = site.get(f"/jobs/{jobs.hostile}/samples/qa/1?view=rendered")
    assert "<script>" not in hostile
    assert "<img" not in hostile
