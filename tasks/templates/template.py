"""Templates of prompts and metrics: compiled once, checked by name, rendered once a sample."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple, NoReturn

import jinja2
import orjson
from jinja2 import meta, nodes
from pydantic import JsonValue

from core.endpoint import Prompt
from core.errors import TemplateInvalid
from tasks.templates import environment
from tasks.templates.account import Runaway, Work
from tasks.templates.images import image_urls, with_images
from tasks.templates.plain import only_reads
from tasks.templates.reads import SAMPLE_KEYS, Reads, find_reads, together

_NOT_LITERAL = re.compile(r"[{\r]+")
"""What would open markup, and the line ends that Jinja makes into others."""


MAX_TEMPLATES: Final = 1_000
"""Templates in a body."""
_SHOWN_CHARACTERS = 1_000


class MissingField(Exception):
    """A template names a value that this sample does not have."""


class TooMuch(TemplateInvalid):
    """A rendering asked for more than its account has; `limit` is what it was beyond."""

    def __init__(self, message: str, limit: str) -> None:
        super().__init__(message)
        self.limit = limit


class _Program(NamedTuple):
    """What compiling a source gives, wherever it stands in a specification."""

    template: jinja2.Template
    reads: Reads
    gives_json: bool
    only_reads: bool


@dataclass(frozen=True)
class _Compiled:
    """Something compiled; `where` names its place in error messages, `reads` what it reads of a row and a sample."""

    where: str
    reads: Reads

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the row that it cannot do without."""
        return self.reads.columns

    @property
    def sample_names(self) -> frozenset[str]:
        """The names of the sample that it cannot do without; where there is no sample, they are columns."""
        return self.reads.sample

    @property
    def reads_sample(self) -> bool:
        """Whether it needs the sample, and not the row alone."""
        return bool(self.reads.sample)

    @property
    def reads_response(self) -> bool:
        """Whether it needs a model's raw response."""
        return not self.reads.sample.isdisjoint({"response", "reference_response", "sample"})

    @property
    def probes_sample(self) -> bool:
        """Whether it does more with the sample than print it, so that a made-up one tells nothing."""
        return self.reads.probes_sample


@dataclass(frozen=True)
class Template(_Compiled):
    """A compiled template."""

    program: _Program

    def render(self, context: Mapping[str, Any], work: Work | None = None) -> str:
        """Render with what `context` gave, within what the `work` done before leaves.

        Raises MissingField for a value that is not there, TooMuch beyond its account, TemplateInvalid for anything else
        that goes wrong with it.
        """
        try:
            program = self.program
            return "".join(environment.pieces(program.template, context, work or Work(), only_reads=program.only_reads))
        except jinja2.UndefinedError as error:
            raise MissingField(f"{self.where}: {error}") from error
        except MemoryError:
            raise  # what there is of it is the process's affair
        except Exception as error:  # a template is a program: it may raise whatever its operators and filters do
            line = _failing_line(self.program.template, error)
            message = f"{self.where}, {line}cannot be rendered: {_cause(error)}"
            raise TooMuch(message, str(error)) if isinstance(error, Runaway) else TemplateInvalid(message) from error

    def render_value(self, context: Mapping[str, Any], work: Work | None = None) -> Any:
        """Render, and read the text as JSON if the template uses `tojson` and it is JSON."""
        text = self.render(context, work)
        if self.program.gives_json:
            try:
                return orjson.loads(text)
            except orjson.JSONDecodeError:
                pass  # a text with JSON inside it
        return text


def compile_template(source: str, *, where: str, sample_names: bool = True) -> Template:
    """Compile a template; raises TemplateInvalid naming `where` and the line.

    Unless `sample_names`, values of the sample do not stand at its top level.
    """
    try:
        program = _compile(source, sample_names)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateInvalid(f"{where}, line {error.lineno}: {error.message}") from error
    except (RecursionError, SyntaxError, MemoryError) as error:  # of Python's own compiler, which Jinja's code goes to
        raise TemplateInvalid(f"{where}: it is nested too deeply") from error
    return Template(where, program.reads, program)


@lru_cache(maxsize=1024)
def _compile(source: str, sample_names: bool) -> _Program:
    tree = environment.parse(source)
    reads = find_reads(tree, sample_names=sample_names)
    gives_json = any(node.name == "tojson" for node in tree.find_all(nodes.Filter))
    is_plain = only_reads(tree)  # `build` changes the tree
    return _Program(environment.build(tree), reads, gives_json, is_plain)


def literal(text: str) -> str:
    """Return a template that gives just this text, also as a part of a longer template."""
    return _NOT_LITERAL.sub(lambda found: f"{{{{ {found[0]!r} }}}}", text)


def of_columns(source: str) -> str:
    """Return a template to which `item` and `sample` are columns by these names, as all other names are."""
    names = sorted(meta.find_undeclared_variables(environment.parse(source)) & {"item", "sample"})
    if not names:
        return source
    columns = ", ".join(f"{name} = item[{name!r}]" for name in names)
    return f"{{% with {columns} %}}{source}{{% endwith %}}"


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
    return str(error)[:_SHOWN_CHARACTERS] or type(error).__name__


# Bodies: JSON structures whose strings are templates.

_MARKUP = re.compile(r"\{[{%#]")

_Render = Callable[[Mapping[str, Any], Work], Any]


@dataclass(frozen=True)
class BodyTemplate(_Compiled):
    """A request body whose strings are templates; `images` is the column whose images go with it.

    It `only_reads` if all of them do (`tasks.templates.plain`).
    """

    fields: dict[str, _Render]
    source: "_Source"
    only_reads: bool

    @cached_property
    def recipe(self) -> str:
        """What another process makes the same of, by `of_recipe`."""
        return json.dumps(asdict(self.source))

    def render(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Render every string within one account; raises as `Template.render` does, and if `messages` are no list."""
        work = Work()
        body = {name: render(context, work) for name, render in self.fields.items()}
        if not isinstance(body.get("messages", []), list):
            _refuse_messages(self.where)
        images = self.source.images
        try:
            urls = image_urls(context["item"].get(images)) if images else []
            return {**body, "messages": with_images(body.get("messages", []), urls)} if urls else body
        except ValueError as error:
            raise TemplateInvalid(f"{self.where}: {error}") from error


@dataclass(frozen=True)
class _Source:
    """All that a body's template is made of; see `compile_body`."""

    body: Mapping[str, JsonValue]
    where: str
    sample_names: bool
    json_values: bool
    images: str | None


def compile_prompt(prompt: Prompt, *, where: str) -> BodyTemplate:
    """Compile a prompt, whose context is to have its `sample_names`; raises as `compile_body` does."""
    return _compiled(_Source(prompt.body, where, prompt.sample_names, prompt.json_values, prompt.images))


def compile_body(
    body: Mapping[str, JsonValue], *, where: str, sample_names: bool = True, json_values: bool = True
) -> BodyTemplate:
    """Compile a request body; raises TemplateInvalid naming `where` and the path of the string in it."""
    return _compiled(_Source(body, where, sample_names, json_values, None))


def of_recipe(recipe: str) -> BodyTemplate:
    """Compile what `BodyTemplate.recipe` says."""
    return _compiled(_Source(**json.loads(recipe)))


def _compiled(source: _Source) -> BodyTemplate:
    body, where = source.body, source.where
    compiler = _BodyCompiler(sample_names=source.sample_names, json_values=source.json_values)
    fields = {name: compiler.compile(value, f"{where} ({name}") for name, value in body.items()}
    templates = compiler.templates
    if isinstance(body.get("messages"), str) and not any(each.program.gives_json for each in templates):
        _refuse_messages(where)
    reads = together([each.reads for each in templates])
    return BodyTemplate(where, reads, fields, source, all(each.program.only_reads for each in templates))


class _BodyCompiler:
    """Compiles the values of a body, keeping the templates that it meets."""

    def __init__(self, *, sample_names: bool, json_values: bool) -> None:
        self.templates: list[Template] = []
        self._sample_names = sample_names
        self._json_values = json_values

    def compile(self, value: JsonValue, path: str) -> _Render:
        """Return what renders a value."""
        match value:
            case str() if _MARKUP.search(value):
                template = compile_template(value, where=f"{path})", sample_names=self._sample_names)
                self.templates.append(template)
                if len(self.templates) > MAX_TEMPLATES:
                    raise TemplateInvalid(f"{path}): the body has more than {MAX_TEMPLATES:,} templates")
                return template.render_value if self._json_values else template.render
            case list():
                items = [self.compile(item, f"{path}[{i}]") for i, item in enumerate(value)]
                return lambda context, work: [item(context, work) for item in items]
            case dict():
                members = {name: self.compile(member, f"{path}.{name}") for name, member in value.items()}
                return lambda context, work: {name: member(context, work) for name, member in members.items()}
        return lambda *_: value


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


def context(item: Mapping[str, Any], sample: Mapping[str, Any] | None, *, sample_names: bool = True) -> dict[str, Any]:
    """Return the variables of a template: `item`, `sample`, and every column and value of the sample by its name.

    A value of the sample hides a column of the same name, which is still there as `item.<name>`; one that the sample
    does not have (None) hides nothing. Unless `sample_names`, its values are there as `sample.<name>` alone.
    """
    variables = dict(item)
    for alias, column in aliases(tuple(item)).items():
        variables[alias] = item[column]
    variables["item"] = Row(item)
    if sample is not None:
        if sample_names:
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
