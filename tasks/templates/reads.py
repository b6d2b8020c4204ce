"""Which columns of a row, and which values of a sample, a parsed template needs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from jinja2 import nodes

from tasks.templates.environment import GLOBALS

SAMPLE_KEYS: Final = frozenset({"output_text", "response", "output_a", "output_b"})
"""What a sample may hold besides its row; these names also stand at the top level of a template.

Not so its `tool_calls`: datasets have a column of that name, with the calls that should have been made. Nor what it
holds of a reference.
"""

REFERENCE_KEYS: Final = frozenset({"reference_text", "reference_response"})
"""What a sample holds of the output that it is held against."""

_SPECIAL = GLOBALS | {"item", "loop", "self", "caller", "varargs", "kwargs"}
_DICT_METHODS = frozenset({"get", "items", "keys", "values"})
_PRINTING = frozenset({"default", "d", "e", "escape", "lower", "safe", "string", "title", "tojson", "trim", "upper"})

Names = frozenset[str]
_NONE: Names = frozenset()


class Reference(NamedTuple):
    """A value that a template names: `item.x`, `item['x']`, `x`, `sample.x`; `sample` itself is named `sample`."""

    source: Literal["row", "sample"]
    name: str


@dataclass(frozen=True)
class Reads:
    """What a template reads: `columns` it needs in every row, `named` those and the ones it can do without, in turn.

    `sample` are names of the sample (`sample` if all of it), `whole_row` if it reads columns that it does not name.
    `probes_sample` if it does more with a sample's value than print it, so that rendering it with a made-up value
    says nothing.
    """

    columns: Names = _NONE
    named: tuple[str, ...] = ()
    sample: Names = _NONE
    whole_row: bool = False
    probes_sample: bool = False


def together(parts: Sequence[Reads]) -> Reads:
    """Return what several templates, or parts of one, read together."""
    return Reads(
        columns=_NONE.union(*(part.columns for part in parts)),
        named=tuple(dict.fromkeys(name for part in parts for name in part.named)),
        sample=_NONE.union(*(part.sample for part in parts)),
        whole_row=any(part.whole_row for part in parts),
        probes_sample=any(part.probes_sample for part in parts),
    )


def find_reads(tree: nodes.Template, *, sample_names: bool = True) -> Reads:
    """Return what a template reads; unless `sample_names`, values of the sample do not stand at its top level.

    It can do without values that have a `default`, or whose being `is defined` is asked first.
    """
    reader = _Reader()
    reader.read_all(tree.body, _Scope(SAMPLE_KEYS if sample_names else _NONE))
    return together(reader.parts)


@dataclass(frozen=True)
class _Scope:
    """Names of the sample, names that are set in the template, and references only read if they are defined."""

    sample_names: Names
    bound: Names = _NONE
    guarded: frozenset[Reference] = frozenset()

    def bind(self, names: Iterable[str]) -> "_Scope":
        return replace(self, bound=self.bound | set(names))

    def guard(self, references: Iterable[Reference]) -> "_Scope":
        return replace(self, guarded=self.guarded | set(references))


class _Reader:
    """Walks a template, keeping account of what is read where."""

    def __init__(self) -> None:
        self.parts: list[Reads] = []

    def read_all(self, body: Iterable[nodes.Node], scope: _Scope) -> None:
        """Read siblings in turn: what one sets, the next may use."""
        for node in body:
            self.read(node, scope)
            scope = scope.bind(_assigned(node))

    def read(self, node: nodes.Node, scope: _Scope) -> None:
        reference = _reference(node, scope)
        if reference is not None:
            self._note(reference, scope, plain=False)
            return
        match node:
            case nodes.Output():
                for child in node.nodes:
                    self._read_printed(child, scope)
            case nodes.For() | nodes.With() | nodes.Macro() | nodes.CallBlock():
                self._read_block(node, scope)
            case nodes.If() | nodes.CondExpr() | nodes.And() | nodes.Or():
                test = node.test if isinstance(node, nodes.If | nodes.CondExpr) else node
                self.read_all(node.iter_child_nodes(), scope.guard(_asked(test, scope)))
            case nodes.Filter(name="default" | "d") | nodes.Test(name="defined" | "undefined"):
                optional = _reference(node.node, scope) if node.node is not None else None
                self.read_all(node.iter_child_nodes(), scope.guard([optional] if optional else []))
            case _:
                self._read_others(node, scope)

    def _read_others(self, node: nodes.Node, scope: _Scope) -> None:
        """Read what changes no scope; `item` by itself is all of the row."""
        is_row = "item" not in scope.bound
        match node:
            case nodes.Compare(
                expr=nodes.Const(value=str(name)), ops=[nodes.Operand(expr=nodes.Name(name="item"))]
            ) if is_row:
                self.parts.append(Reads(named=(name,)))
            case nodes.Name(name="item", ctx="load") if is_row:
                self.parts.append(Reads(whole_row=True))
            case nodes.Call(node=nodes.Getattr(node=nodes.Name(name="item"), attr=attr)) if (
                is_row and attr in _DICT_METHODS
            ):
                self._read_method(node, scope)
            case _:
                self.read_all(node.iter_child_nodes(), scope)

    def _read_printed(self, node: nodes.Node, scope: _Scope) -> None:
        """Read what stands alone in `{{ }}`: a value of the sample that is only printed can be made up."""
        inner = node
        while isinstance(inner, nodes.Filter) and inner.name in _PRINTING and inner.node is not None:
            inner = inner.node
        reference = _reference(inner, scope)
        if reference is not None and reference.source == "sample" and reference.name != "sample":
            self._note(reference, scope, plain=True)
        else:
            self.read(node, scope)

    def _read_block(self, node: nodes.Node, scope: _Scope) -> None:
        """Read a block that sets names for its body alone."""
        if isinstance(node, nodes.For):
            self.read(node.iter, scope)
            inner = scope.bind(_stored([node.target]))
            self.read_all([*([node.test] if node.test else []), *node.body, *node.else_], inner)
        elif isinstance(node, nodes.With):
            self.read_all(node.values, scope)
            self.read_all(node.body, scope.bind(_stored(node.targets)))
        elif isinstance(node, nodes.Macro | nodes.CallBlock):
            if isinstance(node, nodes.CallBlock):
                self.read(node.call, scope)
            self.read_all(node.defaults, scope)
            self.read_all(node.body, scope.bind([*_stored(node.args), *_assigned(node)]))

    def _read_method(self, node: nodes.Call, scope: _Scope) -> None:
        """Read a call such as `item.get('x')`, which names a column, or `item.items()`, which reads them all."""
        match node.args:
            case [nodes.Const(value=str(name)), *_]:
                self.parts.append(Reads(named=(name,)))
            case _:
                self.parts.append(Reads(whole_row=True))
        self.read_all(node.iter_child_nodes(exclude=["node"]), scope)

    def _note(self, reference: Reference, scope: _Scope, *, plain: bool) -> None:
        name = frozenset({reference.name})
        guarded = reference in scope.guarded
        if reference.source == "row":
            self.parts.append(Reads(columns=_NONE if guarded else name, named=(reference.name,)))
        elif not guarded:
            self.parts.append(Reads(sample=name, probes_sample=not plain))


def _reference(node: nodes.Node, scope: _Scope) -> Reference | None:
    """Return what a node refers to, if it is a value of the row or the sample."""
    match node:
        case nodes.Name(name=name, ctx="load") if name not in scope.bound | _SPECIAL:
            return Reference("sample" if name in scope.sample_names or name == "sample" else "row", name)
        case (
            nodes.Getattr(node=nodes.Name(name=owner), attr=str(name))
            | nodes.Getitem(node=nodes.Name(name=owner), arg=nodes.Const(value=str(name)))
        ) if owner in {"item", "sample"} - scope.bound:
            return Reference("row" if owner == "item" else "sample", name)
    return None


def _asked(test: nodes.Node, scope: _Scope) -> Iterator[Reference]:
    """Yield the references whose being there is asked by `is defined`, `is undefined` or `'x' in item`."""
    for node in [test, *test.find_all((nodes.Test, nodes.Compare))]:
        match node:
            case nodes.Test(name="defined" | "undefined", node=nodes.Node() as inner):
                reference = _reference(inner, scope)
                if reference is not None:
                    yield reference
            case nodes.Compare(expr=nodes.Const(value=str(name)), ops=[nodes.Operand(expr=nodes.Name(name="item"))]):
                yield Reference("row", name)


def _assigned(node: nodes.Node) -> Iterator[str]:
    """Yield the names that a statement sets for those after it; an `if` makes no scope of its own."""
    match node:
        case nodes.Assign() | nodes.AssignBlock():
            yield from _stored([node.target])
        case nodes.Macro():
            yield node.name
        case nodes.If():
            for child in [*node.body, *node.elif_, *node.else_]:
                yield from _assigned(child)


def _stored(targets: Iterable[nodes.Node]) -> Iterator[str]:
    for target in targets:
        for name in [target, *target.find_all(nodes.Name)]:
            if isinstance(name, nodes.Name):
                yield name.name
