"""Which templates only read: their time is bounded by what their account counts, whatever the row holds.

The values of a row are trees. A template that makes none of its own, with which it could multiply, can do no more than
go through them, so it is rendered where it stands. Any other goes to a process that can be killed.
"""

from collections.abc import Callable
from typing import Any, Final

from jinja2 import nodes

from tasks.templates.environment import is_short

_ALWAYS: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.Neg,
    nodes.If,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.With,
    nodes.Assign,
    nodes.Concat,
    nodes.Operand,
    nodes.Keyword,
)
_READING_FILTERS: Final = frozenset(
    """
    abs capitalize count d default e escape first float indent int items join last length list lower map max min reject
    rejectattr replace reverse round safe select selectattr string sum title tojson trim truncate upper wordcount
    """.split()  # noqa: SIM905 - so many names read better as words
)
_READING_METHODS: Final = frozenset(
    """
    capitalize endswith get items keys lower lstrip removeprefix removesuffix rstrip split splitlines startswith strip
    title upper values
    """.split()  # noqa: SIM905
)
"""Whose time grows with what they are given, where all but the value itself is short and known."""


def only_reads(tree: nodes.Template) -> bool:
    """Tell whether a parsed template makes nothing with which it could multiply."""
    return all(map(_only_reads, [tree, *tree.find_all(nodes.Node)]))


def _only_reads(node: nodes.Node) -> bool:
    rule = _RULES.get(type(node))
    return rule(node) if rule else isinstance(node, _ALWAYS)


def _by_constants(node: nodes.Filter | nodes.Call | nodes.Test) -> bool:
    """Tell whether all that is given to a filter, test or method, beside its value, is short and known."""
    given = [*node.args, *(each.value for each in node.kwargs)]
    return not (node.dyn_args or node.dyn_kwargs) and all(map(is_short, given))


def _filters(node: nodes.Filter) -> bool:
    match node:
        case nodes.Filter(name="default" | "d", dyn_args=None, dyn_kwargs=None):
            return True
        case nodes.Filter(name="map", args=[nodes.Const(value=name)]):
            return name in _READING_FILTERS
        case nodes.Filter(name="map", args=[_, *_]):
            return False
    return node.name in _READING_FILTERS and node.node is not None and _by_constants(node)


def _calls(node: nodes.Call) -> bool:
    return isinstance(node.node, nodes.Getattr) and node.node.attr in _READING_METHODS and _by_constants(node)


def _compares(node: nodes.Compare) -> bool:
    """Tell whether a comparison is of one value, with what is short and known."""
    return len(node.ops) == 1 and (_is_known(node.expr) or _is_known(node.ops[0].expr))


def _is_known(node: nodes.Node) -> bool:
    return all(map(is_short, node.items)) if isinstance(node, nodes.List | nodes.Tuple) else is_short(node)


_RULES: Final[dict[type[nodes.Node], Callable[[Any], bool]]] = {
    nodes.Add: lambda node: is_short(node.left) or is_short(node.right),
    nodes.Call: _calls,
    nodes.Compare: _compares,
    nodes.Filter: _filters,
    nodes.For: lambda node: not node.recursive,
    nodes.List: _is_known,
    nodes.Sub: lambda node: is_short(node.left) or is_short(node.right),
    nodes.Test: _by_constants,
    nodes.Tuple: lambda node: node.ctx == "store" or _is_known(node),
}
