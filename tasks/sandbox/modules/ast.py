"""Literals read from a text, such as lists that a model has written as Python has them."""

import re

_VALUE = re.compile(
    r"""[bru]?'(?:[^'\\\n]|\\.)*'|[bru]?"(?:[^"\\\n]|\\.)*"|\b(?:\d[\d_]*\.?[\d_]*|\.\d+)(?:[eE][+-]?\d+)?|\b(?:True|False|None)\b"""
)
_LITERAL = re.compile(r"[\s\[\](){},:+0-]+")
_NO_LITERAL = re.compile(r"[0\])}]\s*[\[(+0-]")


def literal_eval(node_or_string):
    """Return the value of a text of literals, lists, tuples, sets and dicts: nothing in it is called or reckoned."""
    text = node_or_string.strip()
    bare = _VALUE.sub("0", text)
    if not _LITERAL.fullmatch(bare) or _NO_LITERAL.search(bare):
        raise ValueError("malformed node or string: " + repr(text[:100]))
    return eval(text)
