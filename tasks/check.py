"""Checks before the first paid request: every template against every row, every pattern, every source."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, islice, tee
from typing import Any, Final, Protocol, assert_never

from core.endpoint import Prompt
from core.errors import DatasetUnreadable, SpecInvalid, TemplateInvalid
from core.metric import Code, Computed, FirstParser, Judge, Parsed, Parser, RegexParser
from core.spec import ModelTarget, RecordedTarget, Target, TaskSpec
from tasks.endpoint.breaker import Fuse
from tasks.judging.parsers import compile_pattern
from tasks.sandbox.shared import check as check_source
from tasks.summaries.units import cluster_of, weight_of
from tasks.templates.images import image_urls
from tasks.templates.pool import Given, render_each
from tasks.templates.reads import REFERENCE_KEYS, SAMPLE_KEYS
from tasks.templates.rendering import Unrendered
from tasks.templates.template import BodyTemplate, aliases, column_names, compile_body, compile_prompt

RENDERED_ROWS: Final = 1_000
"""How many rows the templates are rendered with; in the others only the names of columns are checked."""

_SAMPLE_NAMES = SAMPLE_KEYS | REFERENCE_KEYS | {"sample", "tool_calls"}
_PLACEHOLDER: Final[Mapping[str, Any]] = {**dict.fromkeys(SAMPLE_KEYS, ""), "tool_calls": []}
_REFERENCE: Final[Mapping[str, Any]] = dict.fromkeys(REFERENCE_KEYS, "")


def check_templates(
    task: TaskSpec,
    targets: Sequence[Target],
    rows: Iterable[Mapping[str, Any]],
    *,
    reference: str | None = None,
    strict_columns: bool = False,
) -> Iterator[Any]:
    """Yield each row once every template of the task has been checked against it.

    All rows must have the columns that a template names; the first 1,000 are rendered whole. Raises TemplateInvalid
    naming task, template, row and columns, DatasetUnreadable for a row without its recorded output or with an image,
    cluster or weight that is none, and with `strict_columns` for columns that nothing reads, SpecInvalid for a judge's
    pattern.
    """
    check_metrics(task)
    checks = _checks(task, targets, reference)
    templates = [check for check in checks if isinstance(check, _TemplateCheck)]
    read = frozenset(name for check in checks for name in check.reads)
    is_strict = strict_columns and not any(check.whole_row for check in checks)
    unread: set[str] = set()
    rest = iter(rows)
    first, *copies = tee(islice(rest, RENDERED_ROWS), 1 + len(templates))  # some are rendered by many at a time
    renderings = [check.rendered(copy) for check, copy in zip(templates, copies, strict=True)]
    for index, row in enumerate(chain(first, rest)):
        columns = tuple(row)
        for check in checks:
            check.row(index, row, columns)
        for rendering in renderings if index < RENDERED_ROWS else ():
            next(rendering)
        if is_strict:
            unread |= _unread(columns, read)
        yield row
    if unread:
        images = sorted({prompt.images for prompt in _prompts(task) if prompt.images})
        known = f", or be a recognized field ({', '.join(map(repr, images))})" if images else ""
        raise DatasetUnreadable(
            f"Unsupported dataset column(s): {sorted(unread)}. Each column must be referenced by a model or judge "
            f"template{known}. Remove unused columns or reference them in a template."
        )


def columns_read(task: TaskSpec, targets: Sequence[Target], reference: str | None = None) -> frozenset[str]:
    """Return the names of columns that something of the task reads."""
    return frozenset().union(*(check.reads for check in _checks(task, targets, reference)))


def check_metrics(task: TaskSpec) -> None:
    """Raise SpecInvalid naming the metric whose source, or the score whose pattern, cannot be run.

    Raises Unsupported for a source where there is no sandbox for it.
    """
    for metric in task.metrics:
        where = f"task {task.name!r}, metric {metric.name!r}"
        if isinstance(metric, Code):
            with _naming(where):
                check_source(metric.source)
        elif isinstance(metric, Judge) and isinstance(metric.scale, Parsed):
            for score, parser in metric.scale.scores.items():
                with _naming(f"{where}, score {score!r}"):
                    for pattern in _patterns(parser):
                        compile_pattern(pattern)


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Have an error say which part of the specification it is about."""
    try:
        yield
    except SpecInvalid as error:
        raise SpecInvalid(f"{where}: {error.message}", field=error.field) from error


def _patterns(parser: Parser) -> list[str]:
    parsers = parser.parsers if isinstance(parser, FirstParser) else (parser,)
    return [each.pattern for each in parsers if isinstance(each, RegexParser)]


class _Check(Protocol):
    """What every row must pass; `reads` are the names of columns that it reads, unless it reads the `whole_row`."""

    @property
    def reads(self) -> frozenset[str]: ...

    @property
    def whole_row(self) -> bool: ...

    def row(self, index: int, row: Mapping[str, Any], columns: tuple[str, ...]) -> None:
        """Raise InvalidInput if the row does not pass."""


@dataclass(frozen=True)
class _RecordedCheck:
    """That the rows have a target's recorded output."""

    where: str
    column: str
    whole_row = False

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({self.column})

    def row(self, index: int, row: Mapping[str, Any], columns: tuple[str, ...]) -> None:
        if self.column not in row:
            hint = f"; {self.column!r} is taken for the column of recorded outputs"
            if "/" in self.column:
                hint += ": a model is given as an object with its name"
            raise DatasetUnreadable(_missing(self.where, index, [self.column], columns) + hint)


@dataclass(frozen=True)
class _ValueCheck:
    """That what a column holds can be read as what it is named for."""

    task: str
    column: str
    read: Callable[[Any], object]
    whole_row = False

    @property
    def reads(self) -> frozenset[str]:
        return frozenset({self.column})

    def row(self, index: int, row: Mapping[str, Any], columns: tuple[str, ...]) -> None:
        try:
            self.read(row.get(self.column))
        except ValueError as error:
            raise DatasetUnreadable(f"task {self.task!r}, row {index + 1}, column {self.column!r}: {error}") from error


@dataclass(frozen=True)
class _TemplateCheck:
    """That a template finds what it reads: `sample` stands for the sample (None: there is none here)."""

    where: str
    template: BodyTemplate
    sample: Mapping[str, Any] | None

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns that it needs; without a sample, the names of its values are columns like any other."""
        return self.template.columns if self.sample else self.template.columns | self.template.sample_names

    @property
    def reads(self) -> frozenset[str]:
        return self.columns.union(self.template.reads.named)

    @property
    def whole_row(self) -> bool:
        return self.template.reads.whole_row

    def row(self, index: int, row: Mapping[str, Any], columns: tuple[str, ...]) -> None:
        if not self.columns <= column_names(columns):
            lacking = sorted(self.columns - column_names(columns))
            hint = "; there is no sample here" if not self.sample and not _SAMPLE_NAMES.isdisjoint(lacking) else ""
            raise TemplateInvalid(_missing(self.where, index, lacking, columns) + hint)

    def rendered(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[None]:
        """Render with each row, as far as a made-up sample tells anything; raises TemplateInvalid naming the row."""
        if self.sample and self.template.probes_sample:
            yield from (None for _ in rows)
            return
        bodies = render_each(self.template, (Given(row, self.sample, Fuse()) for row in rows))
        for number, body in enumerate(bodies, start=1):
            if isinstance(body, Unrendered):
                raise TemplateInvalid(f"row {number}: {body.error}")
            yield


def _checks(task: TaskSpec, targets: Sequence[Target], reference: str | None) -> list[_Check]:
    return [
        *_recorded_checks(task, targets),
        *_value_checks(task),
        *_template_checks(task, targets, reference),
    ]


def _value_checks(task: TaskSpec) -> Iterator[_ValueCheck]:
    for column in sorted({prompt.images for prompt in _prompts(task) if prompt.images}):
        yield _ValueCheck(task.name, column, image_urls)
    if task.cluster:
        yield _ValueCheck(task.name, task.cluster, cluster_of)
    if task.weight:
        yield _ValueCheck(task.name, task.weight, weight_of)


def _recorded_checks(task: TaskSpec, targets: Sequence[Target]) -> Iterator[_RecordedCheck]:
    for target in targets:
        if isinstance(target, RecordedTarget) and target.column is not None:
            yield _RecordedCheck(f"task {task.name!r}, target {target.name!r}", target.column)


def _template_checks(task: TaskSpec, targets: Sequence[Target], reference: str | None) -> Iterator[_TemplateCheck]:
    """Yield what is to be checked; compiling a template checks its syntax."""
    for target in targets:
        if isinstance(target, ModelTarget):
            where = f"task {task.name!r}, prompt of {target.name!r}"
            yield _TemplateCheck(where, compile_prompt(task.prompts[target.name], where=where), None)
    has_sample = not any(isinstance(target, RecordedTarget) and target.column is None for target in targets)
    sample = {**_PLACEHOLDER, **(_REFERENCE if reference else {})} if has_sample else None
    for metric in task.metrics:
        where = f"task {task.name!r}, metric {metric.name!r}"
        match metric:
            case Computed():
                for part, source in metric.templates.items():
                    template = compile_body({part: source}, where=where, json_values=False)
                    yield _TemplateCheck(f"{where} ({part})", template, sample)
            case Judge():
                yield _TemplateCheck(where, compile_prompt(metric.prompt, where=where), sample)
            case Code():
                yield _TemplateCheck(where, compile_body(metric.item, where=where), sample)
            case _:
                assert_never(metric)


def _prompts(task: TaskSpec) -> Iterator[Prompt]:
    yield from task.prompts.values()
    for metric in task.metrics:
        if isinstance(metric, Judge):
            yield metric.prompt


@lru_cache(maxsize=256)
def _unread(columns: tuple[str, ...], read: frozenset[str]) -> frozenset[str]:
    """Return the columns that are not read, by their own name or their plain one."""
    by_alias = {column for alias, column in aliases(columns).items() if alias in read}
    return frozenset(columns) - read - by_alias


def _missing(where: str, index: int, lacking: Sequence[str], columns: Sequence[str]) -> str:
    names = ", ".join(repr(name) for name in lacking)
    return f"{where}, row {index + 1}: no column {names}; columns: {', '.join(columns)}"
