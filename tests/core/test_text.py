"""Texts that would do something where they are shown."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.text import as_markdown, json_line, one_line, visible

HOSTILE = {
    "\x1b]0;owned\x07": r"\x1b]0;owned\x07",
    "\x1b[2J\x1b[1;1H": r"\x1b[2J\x1b[1;1H",
    "\x9b31m": r"\x9b31m",
    "fine\rforged": r"fine\rforged",
    "a\nERROR b": r"a\nERROR b",
    "a\u2028b\u2029c\x85d": r"a\u2028b\u2029c\x85d",
    "user\u202etxt.exe": r"user\u202etxt.exe",
    "\u2066x\u2069": r"\u2066x\u2069",
    "half \ud800": r"half \ud800",
    "\ufeff=1": r"\ufeff=1",
    "\x08\x08\x7f": r"\x08\x08\x7f",
    "tag \U000e0041": r"tag \U000e0041",
}
TEXTS = st.text(st.characters() | st.sampled_from("\x1b\x9b\r\n\t\u2028\u202e![](){}<>*_`#|\\&~:/.@$w"))


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_what_controls_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(TEXTS)
def test_a_visible_text_can_be_printed_on_one_line(text: str) -> None:
    for shown in (visible(text), one_line(text), as_markdown(text)):
        assert len(shown.encode().decode().splitlines()) <= 1
        assert all(character.isprintable() or character.isspace() or ord(character) > 0x9F for character in shown)


def test_other_writing_stays_as_it_is() -> None:
    text = "Grüße, 世界, 👩\u200d👩\u200d👧, שלום, مرحبا"
    assert visible(text) == one_line(text) == text
    assert visible("a\n\tb", keep="\n\t") == "a\n\tb"


@pytest.mark.parametrize(
    "text",
    [
        "![](http://127.0.0.1/pixel.png)",
        "[here](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        "http://evil.example/",
        "www.evil.example",
        "me@evil.example",
        "a | b",
        "`code` **bold** _soft_ __hard__ ~~gone~~ $x$",
        "&lt;b&gt;",
        "[a]: http://evil.example",
        "\\![x](y)",
        "# heading #",
    ],
)
def test_markdown_of_a_text_is_that_text(text: str) -> None:
    assert shown_by_markdown(text) == text
    assert not re.search(r"(?<!\\)(://|@)|www\.e", as_markdown(text))


@given(TEXTS)
def test_nothing_in_a_cell_is_more_than_text(text: str) -> None:
    assert shown_by_markdown(text) == one_line(text)


def shown_by_markdown(text: str) -> str:
    """Return what a reader of Markdown sees of a text in a cell, of which nothing may be more than text."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(f"|a|\n|---|\n|x{as_markdown(text)}x|")
    inline = tokens[tokens.index(next(token for token in tokens if token.type == "tbody_open")) :]
    children = [child for token in inline for child in token.children or ()]
    assert {child.type for child in children} <= {"text", "text_special"}
    return "".join(child.content for child in children)[1:-1]


@given(TEXTS.map(lambda text: text.encode(errors="replace").decode()))
def test_a_line_of_json_is_one_for_every_reader(text: str) -> None:
    line = json_line(json.dumps({"a": text}, ensure_ascii=False).encode())
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line) == {"a": text}
