"""An evaluator's source as the interpreter can run it: what that lacks stands for what it was, each line in its own.

Imports of modules that it lacks are assignments, classes that inherit from Enum, NamedTuple or TypedDict are calls, and
`translate` of texts is a function. It runs in the sandbox's own process, and imports nothing of ours.
"""

import ast
import secrets
from collections.abc import Iterator, Mapping
from html.entities import name2codepoint
from pathlib import Path
from typing import Final, NamedTuple

OURS: Final = f"_{secrets.token_hex(16)}"
"""Begins the names that no source can know, and so none can take."""

_CHARACTERS: Final = {name: chr(code) for name, code in name2codepoint.items()} | {"apos": "'"}
_FOLDER: Final = Path(__file__).with_name("modules")

MODULES: Final = {
    file.stem: file.read_text().replace("_NAMES = {}", f"_NAMES = {_CHARACTERS!r}") for file in _FOLDER.glob("[!_]*.py")
}
"""The sources of the modules that the interpreter lacks, by their names."""

LANGUAGE: Final = "_language"
_SOURCES: Final = MODULES | {LANGUAGE: (_FOLDER / f"{LANGUAGE}.py").read_text()}

_IN_LANGUAGE: Final = {
    ("functools", "wraps"),
    ("collections", "OrderedDict"),
    ("typing", "NamedTuple"),
    ("typing", "TypedDict"),
}
"""What the interpreter's own modules lack."""

_ENUMERATIONS: Final[Mapping[tuple[str, ...], str]] = {
    (*mixed, f"{module}{kind}"): f", type={mixed[0]}" if mixed else ""
    for module in ("", "enum.")
    for kind, mixed in (("Enum", ()), ("StrEnum", ()), ("IntEnum", ()), ("Enum", ("str",)), ("Enum", ("int",)))
}
"""What a class inherits from that is an enumeration, and what is said of that in a call."""

_NAMED_TUPLES: Final = {("NamedTuple",), ("typing.NamedTuple",)}
_TYPED_DICTS: Final = {("TypedDict",), ("typing.TypedDict",)}
_AUTO: Final = {"auto()", "enum.auto()"}


class _Edit(NamedTuple):
    """What stands for a part of a source, and which of our modules it names."""

    node: ast.stmt | ast.expr
    text: str
    wanted: frozenset[str] = frozenset()


def parsed(source: str) -> ast.Module | None:
    """Return a source as this Python reads it; the interpreter may read what this does not."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def prepared(source: str) -> tuple[str, str]:
    """Return a source that the interpreter can run, and what makes our modules that it names."""
    read = parsed(source)
    try:
        edits = sorted(_edits(read), key=_place, reverse=True) if read else []
    except RecursionError:
        edits = []
    lines = source.encode(errors="surrogatepass").split(b"\n")  # the places in a tree are in bytes
    for node, text, _ in edits:
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [before + text.encode(errors="surrogatepass") + after, *[b""] * (last - first)]
    wanted = frozenset[str]().union(*(edit.wanted for edit in edits))
    return b"\n".join(lines).decode(errors="surrogatepass"), "".join(map(_module, sorted(wanted)))


def _place(edit: _Edit) -> tuple[int, int]:
    return edit.node.lineno, edit.node.col_offset


def _edits(read: ast.Module) -> Iterator[_Edit]:
    """Yield the edits of a source, of which none is within another."""
    pending: list[ast.AST] = [read]
    while pending:
        for node in ast.iter_child_nodes(pending.pop()):
            edit = _edit(node)
            if edit is None or isinstance(edit.node, ast.Name):
                pending.append(node)
            if edit is not None:
                yield edit


def _edit(node: ast.AST) -> _Edit | None:
    match node:
        case ast.Import():
            return _of_import(node)
        case ast.ImportFrom():
            return _of_names(node)
        case ast.ClassDef():
            return _of_class(node)
        case ast.Call() | ast.Attribute() | ast.JoinedStr():
            return _of_text(node)
    return None


# Imports.


def _of_import(node: ast.Import) -> _Edit | None:
    ours = frozenset(alias.name for alias in node.names) & MODULES.keys()
    made = [
        f"{alias.asname or alias.name} = {OURS}{alias.name}" if alias.name in ours else ast.unparse(ast.Import([alias]))
        for alias in node.names
    ]
    return _Edit(node, "; ".join(made), frozenset(ours)) if ours else None


def _of_names(node: ast.ImportFrom) -> _Edit | None:
    module = node.module or ""
    homes = [module if module in MODULES else LANGUAGE if _is_lacking(module, alias) else "" for alias in node.names]
    made = [
        f"{alias.asname or alias.name} = {OURS}{home}.{alias.name}" if home else _alone(node, alias)
        for home, alias in zip(homes, node.names, strict=True)
    ]
    return _Edit(node, "; ".join(made), frozenset(filter(None, homes))) if any(homes) else None


def _is_lacking(module: str, alias: ast.alias) -> bool:
    return (module, alias.name) in _IN_LANGUAGE


def _alone(node: ast.ImportFrom, alias: ast.alias) -> str:
    return ast.unparse(ast.ImportFrom(node.module, [alias], node.level))


# Classes.


def _of_class(node: ast.ClassDef) -> _Edit | None:
    """Return what stands for a class that inherits, if a call makes it as well: with plain values and no methods."""
    bases = tuple(map(ast.unparse, node.bases))
    if bases == ("object",):
        return _Edit(node.bases[0], "")
    body = [each for each in node.body if not (isinstance(each, ast.Pass) or _is_text(each))]
    made = None
    if node.decorator_list or any(each.arg != "total" for each in node.keywords):
        return None
    if bases in _ENUMERATIONS:
        made = _enumeration(node.name, bases, body)
    elif bases in _NAMED_TUPLES:
        made = _named_tuple(node.name, body)
    elif bases in _TYPED_DICTS and all(isinstance(each, ast.AnnAssign) and each.value is None for each in body):
        made = "dict"
    wanted = frozenset({LANGUAGE}) if bases in _NAMED_TUPLES else frozenset[str]()
    return _Edit(node, f"{node.name} = {made}", wanted) if made else None


def _enumeration(name: str, bases: tuple[str, ...], body: list[ast.stmt]) -> str | None:
    members = []
    for each in body:
        if not isinstance(each, ast.Assign) or not (_is_plain(each.value) or ast.unparse(each.value) in _AUTO):
            return None
        if len(each.targets) != 1 or not isinstance(each.targets[0], ast.Name):
            return None
        members.append(f"({each.targets[0].id!r}, {ast.unparse(each.value)})")
    return f"{bases[-1]}({name!r}, [{', '.join(members)}]{_ENUMERATIONS[bases]})"


def _named_tuple(name: str, body: list[ast.stmt]) -> str | None:
    fields, defaults = [], []
    for each in body:
        if not isinstance(each, ast.AnnAssign) or not isinstance(each.target, ast.Name):
            return None
        if each.value is not None and not _is_plain(each.value):
            return None
        fields.append(each.target.id)
        defaults += [] if each.value is None else [ast.unparse(each.value)]
    return f"{OURS}{LANGUAGE}.named_tuple({name!r}, {fields}, defaults=[{', '.join(defaults)}])"


def _is_plain(value: ast.expr) -> bool:
    """Tell whether nothing is looked up or called in a value."""
    return not any(isinstance(each, ast.Name | ast.Call) for each in ast.walk(value))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


# Methods of texts.


def _of_text(node: ast.expr) -> _Edit | None:
    """Return what stands for an expression that is a method of texts which they lack; of an f-string, for all of it."""
    within = ast.walk(node) if isinstance(node, ast.JoinedStr) else [node]
    if not any(_is_maketrans(each) or _is_translate(each) for each in within):
        return None
    try:
        return _Edit(node, ast.unparse(_Texts().visit(node)), frozenset({LANGUAGE}))
    except ValueError:  # an f-string that can be written only as it was
        return None


def _is_maketrans(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "str.maketrans"


def _is_translate(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "translate"
        and len(node.args) == 1
        and not node.keywords
    )


class _Texts(ast.NodeTransformer):
    """Calls our functions in the place of methods of texts."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_translate = _is_translate(node)
        self.generic_visit(node)
        if is_translate and isinstance(node.func, ast.Attribute):
            return ast.Call(_ours("translate"), [node.func.value, *node.args], [])
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return _ours("maketrans") if _is_maketrans(node) else self.generic_visit(node)


def _ours(name: str) -> ast.Attribute:
    return ast.Attribute(ast.Name(f"{OURS}{LANGUAGE}", ast.Load()), name, ast.Load())


# Our modules.


def _module(name: str) -> str:
    """Return the source that makes one of our modules: an object with what is defined in it."""
    defined = [
        target
        for node in ast.parse(_SOURCES[name]).body
        for target in ([node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else _targets(node))
    ]
    public = [target for target in defined if not target.startswith("_")]
    body = [*_SOURCES[name].splitlines(), "made = OURS_Module()", *(f"made.{each} = {each}" for each in public)]
    lines = [f"def OURS_load_{name}():", *("    " + line for line in body), "    return made"]
    return "\n".join([*lines, f"OURS{name} = OURS_load_{name}()", ""]).replace("OURS", OURS)


def _targets(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
