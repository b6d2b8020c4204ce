"""Templates of prompts and metrics: compiled once, checked by name, rendered once a sample."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

import jinja2
import orjson
from jinja2 import nodes
from pydantic import JsonValue

from core.errors import TemplateInvalid
from tasks import bounded
from tasks.columns import SAMPLE_KEYS, find_reads


class MissingField(Exception):
    """A template names a value that this sample does not have."""


class _Program(NamedTuple):
    """What compiling a source gives, wherever it stands."""

    template: jinja2.Template
    columns: frozenset[str]
    sample_names: frozenset[str]
    probes_sample: bool
    gives_json: bool


@dataclass(frozen=True)
class Template:
    """A compiled template; `where` names its place in error messages.

    `columns` are the columns it needs in every row, `sample_names` what it reads of the sample (`sample` if all of
    it). `probes_sample` if it does more with that than print it. `gives_json` if it uses the filter `tojson`.
    """

    where: str
    program: _Program

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the row that it cannot do without."""
        return self.program.columns

    @property
    def sample_names(self) -> frozenset[str]:
        """The names of the sample that it cannot do without; where there is no sample, they are columns."""
        return self.program.sample_names

    @property
    def reads_sample(self) -> bool:
        """Whether it needs the sample, and not the row alone."""
        return bool(self.program.sample_names)

    @property
    def reads_response(self) -> bool:
        """Whether it needs the model's raw response."""
        return not self.program.sample_names.isdisjoint({"response", "sample"})

    @property
    def probes_sample(self) -> bool:
        """Whether it does more with the sample than print it, so that a made-up one tells nothing."""
        return self.program.probes_sample

    def render(self, context: Mapping[str, Any]) -> str:
        """Render with what `context` gave.

        Raises MissingField for a value that is not there, TemplateInvalid for anything else that goes wrong.
        """
        try:
            return "".join(bounded.pieces(self.program.template, context))
        except jinja2.UndefinedError as error:
            raise MissingField(f"{self.where}: {error}") from error
        except Exception as error:  # a template is a program: it may raise whatever its operators and filters do
            line = _failing_line(self.program.template, error)
            raise TemplateInvalid(f"{self.where}, {line}cannot be rendered: {_cause(error)}") from error

    def render_value(self, context: Mapping[str, Any]) -> Any:
        """Render, and read the text as JSON if the template uses `tojson` and it is JSON."""
        text = self.render(context)
        if self.program.gives_json:
            try:
                return orjson.loads(text)
            except orjson.JSONDecodeError:
                pass  # a text with JSON inside it
        return text


def compile_template(source: str, *, where: str) -> Template:
    """Compile a template; raises TemplateInvalid naming `where` and the line."""
    try:
        return Template(where, _compile(source))
    except jinja2.TemplateSyntaxError as error:
        raise TemplateInvalid(f"{where}, line {error.lineno}: {error.message}") from error
    except (RecursionError, SyntaxError, MemoryError) as error:  # of Python's own compiler, which Jinja's code goes to
        raise TemplateInvalid(f"{where}: it is nested too deeply") from error


@lru_cache(maxsize=1024)
def _compile(source: str) -> _Program:
    tree = bounded.parse(source)
    reads = find_reads(tree)
    gives_json = any(node.name == "tojson" for node in tree.find_all(nodes.Filter))
    return _Program(
        bounded.build(tree), frozenset(reads.columns), frozenset(reads.sample), reads.probes_sample, gives_json
    )


def _failing_line(template: jinja2.Template, error: Exception) -> str:
    """Return `line n: ` for the innermost line of the template that an error passed."""
    line, traceback = "", error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__jinja_template__") is template:
            line = f"line {template.get_corresponding_lineno(traceback.tb_lineno)}: "
        traceback = traceback.tb_next
    return line


def _cause(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it calls itself without end"
    return str(error) or type(error).__name__


# Bodies: JSON structures whose strings are templates.

_MARKUP = re.compile(r"\{[{%#]")

_Render = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class BodyTemplate:
    """A request body whose strings are templates; `templates` are those that are more than plain text."""

    where: str
    templates: tuple[Template, ...]
    fields: dict[str, _Render]

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the row that it cannot do without."""
        return frozenset(name for template in self.templates for name in template.columns)

    @property
    def sample_names(self) -> frozenset[str]:
        """The names of the sample that it cannot do without; where there is no sample, they are columns."""
        return frozenset(name for template in self.templates for name in template.sample_names)

    @property
    def reads_sample(self) -> bool:
        """Whether it needs the sample, and not the row alone."""
        return any(template.reads_sample for template in self.templates)

    @property
    def reads_response(self) -> bool:
        """Whether it needs the model's raw response."""
        return any(template.reads_response for template in self.templates)

    @property
    def probes_sample(self) -> bool:
        """Whether it does more with the sample than print it, so that a made-up one tells nothing."""
        return any(template.probes_sample for template in self.templates)

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Render every string; raises as `Template.render` does, and if `messages` comes out as no list."""
        body = {name: render(context) for name, render in self.fields.items()}
        if not isinstance(body.get("messages", []), list):
            _refuse_messages(self.where)
        return body


def compile_body(body: Mapping[str, JsonValue], *, where: str) -> BodyTemplate:
    """Compile a request body; raises TemplateInvalid naming `where` and the path of the string in it."""
    templates: list[Template] = []
    fields = {name: _compile_value(value, f"{where} ({name}", templates) for name, value in body.items()}
    if isinstance(body.get("messages"), str) and not any(t.program.gives_json for t in templates):
        _refuse_messages(where)
    return BodyTemplate(where, tuple(templates), fields)


def _compile_value(value: JsonValue, path: str, templates: list[Template]) -> _Render:
    """Return what renders a value, adding its templates to `templates`."""
    match value:
        case str() if _MARKUP.search(value):
            template = compile_template(value, where=f"{path})")
            templates.append(template)
            return template.render_value
        case list():
            items = [_compile_value(item, f"{path}[{i}]", templates) for i, item in enumerate(value)]
            return lambda context: [item(context) for item in items]
        case dict():
            members = {name: _compile_value(member, f"{path}.{name}", templates) for name, member in value.items()}
            return lambda context: {name: member(context) for name, member in members.items()}
    return lambda context: value


def _refuse_messages(where: str) -> NoReturn:
    raise TemplateInvalid(
        f"{where} (messages): it must be a list, or one template that gives a JSON list, "
        'such as "{{ item.messages | tojson }}"'
    )


# What templates see.


class Row(dict[str, Any]):
    """A row by its columns; the plain names of columns find them too."""

    def __missing__(self, name: str) -> Any:
        """Find a column by its plain name."""
        return self[aliases(tuple(self))[name]]


def context(item: Mapping[str, Any], sample: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the variables of a template: `item`, `sample`, and every column and value of the sample by its name.

    A value of the sample hides a column of the same name, which is still there as `item.<name>`; one that the sample
    does not have (None) hides nothing.
    """
    variables = dict(item)
    for alias, column in aliases(tuple(item)).items():
        variables[alias] = item[column]
    variables["item"] = Row(item)
    if sample is not None:
        named = ((name, sample[name]) for name in SAMPLE_KEYS & sample.keys())
        variables.update((name, value) for name, value in named if value is not None or name not in item)
        variables["sample"] = sample
    return variables


@lru_cache(maxsize=256)
def aliases(columns: tuple[str, ...]) -> Mapping[str, str]:
    """Return the columns that have no plain name, by a plain name that no other column has.

    A plain name is lower-cased, with `_` for all but letters and digits; where taken, it ends in `_1`, `_2`.
    """
    found: dict[str, str] = {}
    for column in columns:
        plain = re.sub(r"[\W_]", "_", column.lower())
        if plain == column:
            continue
        name, n = plain, 0
        while name in found or name in columns:
            n += 1
            name = f"{plain}_{n}"
        found[name] = column
    return found


@lru_cache(maxsize=256)
def column_names(columns: tuple[str, ...]) -> frozenset[str]:
    """Return every name by which a template can name a column."""
    return frozenset(columns).union(aliases(columns))
