"""Enumerations made by a call, `Enum("Colour", "RED GREEN")`: the interpreter runs no classes that inherit."""


class auto:
    pass


class _Member:
    def __init__(self, kind, name, value):
        self.kind = kind
        self.name = name
        self.value = value

    def __repr__(self):
        return "<" + self.kind + "." + self.name + ": " + repr(self.value) + ">"

    def __str__(self):
        return self.kind + "." + self.name


class _Alike:
    """A member that equals its value; it is no text or number, and what takes only those refuses it."""

    def __init__(self, kind, name, value, bare):
        self.kind = kind
        self.name = name
        self.value = value
        self.bare = bare

    def __eq__(self, other):
        return self.value == (other.value if isinstance(other, _Alike) else other)

    def __hash__(self):
        return hash(self.value)

    def __repr__(self):
        return "<" + self.kind + "." + self.name + ": " + repr(self.value) + ">"

    def __str__(self):
        return str(self.value) if self.bare else self.kind + "." + self.name

    def __int__(self):
        return int(self.value)

    def __float__(self):
        return float(self.value)


class _Enumeration:
    def __init__(self, name, members, of, bare):
        self.__members__ = {}
        self._made = []
        last = 0
        for each in members:
            member, value = (each, auto()) if isinstance(each, str) else each
            if isinstance(value, auto):
                value = member.lower() if bare and of is str else last + 1
            if of is not None and (not isinstance(value, of) or not value):
                raise TypeError(name + "." + member + ": " + repr(value) + " is no value that this can equal here")
            last = value if isinstance(value, int) else last
            same = [made for made in self._made if made.value == value]
            if not same:
                same = [_Member(name, member, value) if of is None else _Alike(name, member, value, bare)]
                self._made += same
            self.__members__[member] = same[0]
            setattr(self, member, same[0])

    def __iter__(self):
        return iter(self._made)

    def __call__(self, value):
        for member in self._made:
            if member is value or member.value == value:
                return member
        raise ValueError(repr(value) + " is not a valid member")

    def __getitem__(self, name):
        return self.__members__[name]


def _listed(names):
    if isinstance(names, str):
        names = names.replace(",", " ").split()
    return list(names.items()) if isinstance(names, dict) else list(names)


def Enum(value, names, *, type=None):
    """Return an enumeration of names: a text, a list of names or of names with values, or a dict."""
    return _Enumeration(value, _listed(names), type, False)


def StrEnum(value, names):
    return _Enumeration(value, _listed(names), str, True)


def IntEnum(value, names):
    return _Enumeration(value, _listed(names), int, True)
