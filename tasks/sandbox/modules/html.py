"""Escaping in HTML; names of characters are those of HTML 4, with their semicolon."""

import re

_NAMES = {}  # the sandbox puts the names here


def escape(s, quote=True):
    s = s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return s.replace('"', "&quot;").replace("'", "&#x27;") if quote else s


def unescape(s):
    text = ""
    for place, piece in enumerate(re.split(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]*);", s)):
        text += piece if place % 2 == 0 else _character(piece)
    return text


def _character(name):
    if name[0] != "#":
        return _NAMES[name] if name in _NAMES else "&" + name + ";"
    code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return chr(code)
