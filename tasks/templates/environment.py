"""The Jinja environment of every template: sandboxed, and bounded in time and memory.

A template can loop, add and repeat, so it could also run for ever or fill the memory. Here every loop turn and call
is counted, and every text or list is measured before it is made.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from types import BuiltinMethodType
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from tasks.templates import account
from tasks.templates.account import Account, Work, refuse_size
from tasks.templates.costs import (
    FILTERS,
    FREE_METHODS,
    GROWING_METHODS,
    OPERATORS,
    PLAIN_METHODS,
    TESTS,
    Names,
    concat,
    counted_range,
    operate,
    pay,
    refuse_fields,
    write,
)

MAX_SOURCE: Final = 1_000_000
MAX_TOKENS: Final = 10_000

_SCOPES = frozenset({"_loop_vars", "_block_vars"})
"""Arguments that Jinja's own code adds to a call inside a loop."""
_SHOWN_KEYS = 100
_SHOWN_CHARACTERS = 100


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which keys of an object come before its methods, and whatever is done is paid for."""

    intercepted_binops = frozenset(OPERATORS)
    context_class = Account
    concat = staticmethod(concat)

    # Every context of this environment is an account, which the types of the methods above cannot say.
    def call_binop(self, context: Account, operator: str, left: Any, right: Any) -> Any:  # type: ignore[override]
        """Carry out an operator."""
        return operate(context, operator, left, right)

    def call(self, context: Account, obj: Any, /, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Call a macro, a function or a method; of the methods of values only those that are known."""
        owner = getattr(obj, "__self__", None)
        name, on = "", tuple[Any, ...]()
        if isinstance(obj, BuiltinMethodType) or isinstance(owner, str):
            name, on = obj.__name__, (owner,)
            if name in GROWING_METHODS and isinstance(owner, str):
                obj = partial(GROWING_METHODS[name], owner)
            elif name not in PLAIN_METHODS:
                raise SecurityError(f"a template may not call {name!r}")
        is_free = name in FREE_METHODS
        given = {key: value for key, value in kwargs.items() if key not in _SCOPES}
        pay(context, name, args if is_free else (*on, *args), given)
        result = super().call(context, obj, *args, **kwargs)
        return result if is_free else context.weigh(result)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Measure what `str.format` will make, beside keeping it in the sandbox."""
        formatted = super().wrap_str_format(value)
        if formatted is None:
            return None

        def bounded_format(*args: Any, **kwargs: Any) -> str:
            refuse_fields(value.__self__, (args, kwargs))
            return formatted(*args, **kwargs)

        return bounded_format

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read `obj.attribute`; of an object its key, if there is one."""
        if isinstance(obj, dict):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Read `obj[argument]`, naming the keys there are if it is none."""
        if isinstance(obj, dict) and isinstance(argument, str):
            try:
                return obj[argument]
            except KeyError:
                if not hasattr(dict, argument):
                    return self.undefined(f"{argument!r} is not among: {_shown(obj)}", name=argument)
        return super().getitem(obj, argument)


def _shown(keys: Mapping[Any, Any]) -> str:
    shown = [str(key)[:_SHOWN_CHARACTERS] for key in islice(keys, _SHOWN_KEYS)]
    return ", ".join([*shown, "..."] if len(keys) > _SHOWN_KEYS else shown)


_environment = BoundedEnvironment(
    undefined=jinja2.StrictUndefined,
    autoescape=False,
    keep_trailing_newline=True,
    finalize=write,
    optimized=False,  # what stands in a template is worked out when it is rendered, and paid for
)
_environment.filters = FILTERS
_environment.tests |= TESTS
_environment.globals |= {"range": counted_range, "namespace": Names}
del _environment.globals["lipsum"]

GLOBALS: Final = frozenset(_environment.globals)


class _Bound(NodeTransformer):
    """Puts payments where Jinja offers no hook: loops, macros, `set` blocks, `~`, slices, keys and comparisons."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja calls visitors by the node's name
        size = _size(node)
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "(turns)", nodes.Const(size))
        if node.recursive:
            node.body.insert(0, _payment(size, node))
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        return self._with_payment(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:  # noqa: N802
        return self._with_payment(node)

    def _with_payment(self, node: nodes.Macro | nodes.CallBlock) -> nodes.Node:
        size = _size(node)
        self.generic_visit(node)
        node.body.insert(0, _payment(size, node))
        return node

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.filter = _filtered(node.filter, "(taken)", lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "(concat)")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _filtered(node.node, "(taken)")
        else:
            node.arg = _weighed(node.arg)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.key = _weighed(node.key)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        operands = [node.expr, *(operand.expr for operand in node.ops)]
        is_cheap = len(operands) == 2 and any(map(is_short, operands)) and node.ops[0].op not in ("in", "notin")
        if not is_cheap:
            node.expr = _weighed(node.expr)
            for operand in node.ops:
                operand.expr = _weighed(operand.expr)
        return node


def _size(node: nodes.Node) -> int:
    return sum(1 for _ in node.find_all(nodes.Node))


def _payment(size: int, at: nodes.Node) -> nodes.ExprStmt:
    return nodes.ExprStmt(_filtered(nodes.Const(size, lineno=at.lineno), "(body)"), lineno=at.lineno)


def is_short(node: nodes.Node) -> bool:
    """Tell whether a node is a constant that takes no time to handle."""
    return isinstance(node, nodes.Const) and not (isinstance(node.value, str) and len(node.value) > _SHOWN_CHARACTERS)


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if is_short(node) else _filtered(node, "(weighed)")


def _filtered(node: nodes.Node | None, name: str, *args: nodes.Expr, lineno: int | None = None) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno if node else lineno)


def parse(source: str) -> nodes.Template:
    """Parse a template; raises jinja2.TemplateSyntaxError, also for one that is too long or needs other templates."""
    _refuse_long(source)
    try:
        tree = _environment.parse(source)
    except RecursionError as error:
        raise jinja2.TemplateSyntaxError("it is nested too deeply", 1) from error
    except ValueError as error:  # a number so long that Python does not read it
        raise jinja2.TemplateSyntaxError(str(error), 1) from error
    for node in tree.find_all((nodes.Block, nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        tag = type(node).__name__.lower()
        raise jinja2.TemplateSyntaxError(f"{tag!r} is not supported: a template stands alone", node.lineno)
    return tree


def _refuse_long(source: str) -> None:
    if len(source) > MAX_SOURCE:
        raise jinja2.TemplateSyntaxError(f"it has {len(source):,} characters of {MAX_SOURCE:,} at most", 1)
    for line, _, _ in islice(_environment.lex(source), MAX_TOKENS, None):
        raise jinja2.TemplateSyntaxError(f"it has more than {MAX_TOKENS:,} words and signs of markup", line)


def build(tree: nodes.Template) -> jinja2.Template:
    """Compile a parsed template, which is changed, into one that is bounded; raises jinja2.TemplateSyntaxError."""
    try:
        bound = _Bound().visit(tree)
        bound.set_environment(_environment)
        code = _environment.compile(bound)
    except ValueError as error:  # a number so long that Python neither reads nor writes it
        raise jinja2.TemplateSyntaxError(str(error), 1) from error
    # As a plain dict: each rendering copies it, which takes ten times as long of the one that Jinja makes.
    return jinja2.Template.from_code(_environment, code, dict(_environment.globals))


def pieces(template: jinja2.Template, variables: Mapping[str, Any], work: Work, *, only_reads: bool) -> Iterator[str]:
    """Render a template piece by piece, at most `MAX_OUTPUT` characters, beside the `work` that was done before."""
    size, most = 0, account.MAX_OUTPUT
    used = template.new_context(dict(variables))
    assert isinstance(used, Account)
    used.only_reads, used.spent, used.written = only_reads, work.spent, work.written
    for piece in template.root_render_func(used):
        size += len(piece)
        if size > most:
            refuse_size(size)
        yield piece
    work.spent, work.written = used.spent, used.written
