"""What modules and types of the interpreter lack that evaluators often use: the sandbox names it where they do."""

from collections import namedtuple

named_tuple = namedtuple
OrderedDict = dict


def NamedTuple(typename, fields):
    return namedtuple(typename, [name for name, _ in fields])


def TypedDict(typename, fields, total=True):
    return dict


def wraps(wrapped, assigned=None, updated=None):
    return lambda function: function


def maketrans(x, y=None, z=""):
    """Return a table for `translate`: of a mapping, or of two texts and one of what is left out."""
    if y is None:
        return {ord(key) if isinstance(key, str) else key: value for key, value in x.items()}
    if len(x) != len(y):
        raise ValueError("the first two maketrans arguments must have equal length")
    table = {}
    for place, character in enumerate(x):
        table[ord(character)] = ord(y[place])
    for character in z:
        table[ord(character)] = None
    return table


def translate(text, table):
    """Return a text in which characters are others, or left out, by a table; of what is no text its own method does."""
    if not isinstance(text, str):
        return text.translate(table)
    made = []
    for character in text:
        to = table.get(ord(character), character)
        if to is not None:
            made.append(chr(to) if isinstance(to, int) else to)
    return "".join(made)
