"""Markdown of a model as markup that can do nothing: no HTML of its own, no links, no images, no styles."""

from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from web.text import seen

LONGEST: Final = 10_000
"""So many characters are rendered at most: of emphasis within emphasis the time is the square of its length."""

MOST_CELLS: Final = 2_000
"""So many cells a table may have: those that its rows leave out are made, so that few characters become many."""

LEAST_HEADING: Final = 4
"""Headings stand below those of the page."""

_LEADING_ELSEWHERE: Final = ("link", "image", "autolink", "reference", "html_block", "html_inline")
_PARSER: Final = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("table").disable(_LEADING_ELSEWHERE)


def rendered(text: str) -> Markup | None:
    """Return a text as what its Markdown means; None of one that is too long."""
    lines = text.split("\n")
    if len(text) > LONGEST or len(lines) * max(line.count("|") for line in lines) > MOST_CELLS:
        return None
    tokens = _PARSER.parse(seen(text))
    for token in tokens:
        _keep_plain(token)
    return Markup(_PARSER.renderer.render(tokens, _PARSER.options, {}))


def _keep_plain(token: Token) -> None:
    """Leave of a token's attributes where a list begins; the others are styles, and the language of code."""
    token.attrs = {name: value for name, value in token.attrs.items() if name == "start"}
    token.info = ""
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(6, LEAST_HEADING - 1 + int(token.tag[1:]))}"
