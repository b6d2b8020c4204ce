"""Texts of strangers, made harmless for where they are shown: a terminal, a line of a log or of JSON, Markdown."""

import re
from typing import Final

_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
"""What moves a cursor, breaks a line, turns the direction of what stands beside it, or cannot be seen or written."""

_SHORT: Final = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
_MARKUP: Final = re.compile(r"[\\`*\[\]()<>#|~&:@$]|(?<![^\W_])_|_(?![^\W_])|\.(?=[^\W\d])")
"""What Markdown takes for more than a text within a line; a dot may make a link of a name."""
LINE_BREAKS: Final = {each.encode(): rb"\u%04x" % ord(each) for each in "\x7f\x85\u2028\u2029"}
"""What JSON lets stand in a text, but those who read a file by lines may take for the end of one."""


def visible(text: str, *, keep: str = "") -> str:
    """Return a text in which what controls a terminal or cannot be seen is written as an escape, but for `keep`."""
    return _UNSEEN.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def one_line(text: str) -> str:
    """Return a text on one line: white space of any kind is one space."""
    return visible(" ".join(text.split()))


def as_markdown(text: str) -> str:
    """Return a text on one line that Markdown shows as it is: no image, link, table or HTML comes of it."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def json_line(line: bytes) -> bytes:
    """Return a JSON text as a line, which is one for every reader of lines."""
    for character, escaped in LINE_BREAKS.items():
        line = line.replace(character, escaped)
    return line + b"\n"


def _escape(character: str) -> str:
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
