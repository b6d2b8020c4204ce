"""The Jinja environment of every template: sandboxed, and bounded in time and memory.

A template can loop, add and repeat, so it could also run for ever or fill the memory. Here every loop turn and call
is counted, and every text or list is measured before it is made.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import BuiltinMethodType
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from tasks.templates.costs import (
    FILTERS,
    GROWING_METHODS,
    OPERATORS,
    PLAIN_METHODS,
    WIDE_FIELD,
    CountedContext,
    Names,
    concat,
    counted_range,
    refuse_format,
    refuse_size,
    weigh,
    write,
)

_SCOPES = frozenset({"_loop_vars", "_block_vars"})
"""Arguments that Jinja's own code adds to a call inside a loop."""


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which keys of an object come before its methods, and whatever grows is measured first."""

    intercepted_binops = frozenset(OPERATORS)
    context_class = CountedContext
    concat = staticmethod(concat)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Carry out an operator whose result may grow."""
        return OPERATORS[operator](left, right)

    # Every context of this environment counts, which the type of the method above cannot say.
    def call(self, context: CountedContext, obj: Any, /, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Call a macro, a function or a method; of the methods of values only those that are known."""
        context.step()
        weigh([*args, *(value for name, value in kwargs.items() if name not in _SCOPES)])
        owner = getattr(obj, "__self__", None)
        if isinstance(obj, BuiltinMethodType) or isinstance(owner, str):
            if obj.__name__ in GROWING_METHODS and isinstance(owner, str):
                obj = partial(GROWING_METHODS[obj.__name__], owner)
            elif obj.__name__ not in PLAIN_METHODS:
                raise SecurityError(f"a template may not call {obj.__name__!r}")
        return super().call(context, obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Measure what `str.format` will make, beside keeping it in the sandbox."""
        formatted = super().wrap_str_format(value)
        if formatted is None:
            return None

        def bounded_format(*args: Any, **kwargs: Any) -> str:
            refuse_format(value.__self__, "{", (args, kwargs), WIDE_FIELD)
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
                    return self.undefined(f"{argument!r} is not among: {', '.join(map(str, obj))}", name=argument)
        return super().getitem(obj, argument)


_environment = BoundedEnvironment(
    undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=write
)
_environment.filters = FILTERS
_environment.globals |= {"range": counted_range, "namespace": Names}
del _environment.globals["lipsum"]

GLOBALS: Final = frozenset(_environment.globals)


class _Bound(NodeTransformer):
    """Puts the measures where Jinja offers no hook: loops, `~`, and lists written out."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja calls visitors by the node's name
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "(counted)")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "(concat)")

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, "(weighed)")

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, "(weighed)")

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, "(weighed)") if node.ctx == "load" else node


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def parse(source: str) -> nodes.Template:
    """Parse a template; raises jinja2.TemplateSyntaxError, also for tags that would need other templates."""
    tree = _environment.parse(source)
    for node in tree.find_all((nodes.Block, nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        tag = type(node).__name__.lower()
        raise jinja2.TemplateSyntaxError(f"{tag!r} is not supported: a template stands alone", node.lineno)
    return tree


def build(tree: nodes.Template) -> jinja2.Template:
    """Compile a parsed template, which is changed, into one that is bounded."""
    bound = _Bound().visit(tree)
    bound.set_environment(_environment)
    return jinja2.Template.from_code(_environment, _environment.compile(bound), _environment.make_globals(None))


def pieces(template: jinja2.Template, variables: Mapping[str, Any]) -> Iterator[str]:
    """Render a template piece by piece, at most `MAX_OUTPUT` characters."""
    size = 0
    for piece in template.root_render_func(template.new_context(dict(variables))):
        size += len(piece)
        refuse_size(size)
        yield piece
