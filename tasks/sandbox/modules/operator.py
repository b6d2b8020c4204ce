"""Operators as functions."""


def lt(a, b):
    return a < b


def le(a, b):
    return a <= b


def eq(a, b):
    return a == b


def ne(a, b):
    return a != b


def ge(a, b):
    return a >= b


def gt(a, b):
    return a > b


def add(a, b):
    return a + b


def sub(a, b):
    return a - b


def mul(a, b):
    return a * b


def truediv(a, b):
    return a / b


def floordiv(a, b):
    return a // b


def mod(a, b):
    return a % b


def pow(a, b):
    return a**b


def and_(a, b):
    return a & b


def or_(a, b):
    return a | b


def xor(a, b):
    return a ^ b


def concat(a, b):
    return a + b


def contains(a, b):
    return b in a


def getitem(a, b):
    return a[b]


def is_(a, b):
    return a is b


def is_not(a, b):
    return a is not b


def neg(a):
    return -a


def pos(a):
    return +a


def not_(a):
    return not a


def truth(a):
    return bool(a)


def abs(a):
    return a if a >= 0 else -a


def countOf(a, b):
    """Return how often `b` is in `a`."""
    return len([each for each in a if each == b])


def indexOf(a, b):
    """Return where `b` is in `a` first."""
    for place, each in enumerate(a):
        if each == b:
            return place
    raise ValueError("sequence.index(x): x not in sequence")


def itemgetter(item, *items):
    """Return a function that takes items out of what it is given: one, or a tuple of several."""
    if not items:
        return lambda given: given[item]
    return lambda given: tuple([given[each] for each in (item, *items)])
