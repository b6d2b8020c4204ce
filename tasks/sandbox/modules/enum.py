"""Enumerations made by a call, `Enum("Colour", "RED GREEN")`: the interpreter runs no classes that inherit."""


class _Member:
    def __init__(self, kind, name, value):
        self.kind = kind
        self.name = name
        self.value = value

    def __repr__(self):
        return "<" + self.kind + "." + self.name + ": " + repr(self.value) + ">"


class _Enumeration:
    def __init__(self, name, members):
        self.members = []
        for place, each in enumerate(members):
            member, value = (each, place + 1) if isinstance(each, str) else each
            made = _Member(name, member, value)
            self.members.append(made)
            setattr(self, member, made)

    def __iter__(self):
        return iter(self.members)

    def __call__(self, value):
        for member in self.members:
            if member.value == value:
                return member
        raise ValueError(repr(value) + " is not a valid member")

    def __getitem__(self, name):
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(name)


def Enum(value, names):
    """Return an enumeration of names: a text, a list of names or of names with values, or a dict."""
    if isinstance(names, str):
        names = names.replace(",", " ").split()
    return _Enumeration(value, list(names.items()) if isinstance(names, dict) else list(names))
