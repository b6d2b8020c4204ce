"""Checks before the first paid request: every template against every row, every parser's pattern."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.errors import DatasetUnreadable, SpecInvalid, TemplateInvalid
from core.spec import Computed, Judge, ModelTarget, Parsed, RecordedTarget, RegexParser, Target, TaskSpec
from tasks.columns import SAMPLE_KEYS
from tasks.templates import (
    BodyTemplate,
    MissingField,
    Template,
    column_names,
    compile_body,
    compile_template,
    context,
)
from tasks.verdict import compile_pattern

RENDERED_ROWS: Final = 1_000
"""How many rows the templates are rendered with; in the others only the names of columns are checked."""

_SAMPLE_NAMES = SAMPLE_KEYS | {"sample", "tool_calls"}
_PLACEHOLDER: Final[Mapping[str, Any]] = {**dict.fromkeys(SAMPLE_KEYS, ""), "tool_calls": []}


def check_templates(task: TaskSpec, targets: Sequence[Target], rows: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield each row once every template of the task has been checked against it.

    All rows must have the columns that a template names; the first 1,000 are rendered whole. Raises TemplateInvalid
    naming task, template, row and columns, DatasetUnreadable for a row without its recorded output, SpecInvalid for
    a judge's pattern.
    """
    check_parsers(task)
    checks = list(_checks(task, targets))
    recorded = [target for target in targets if isinstance(target, RecordedTarget) and target.column is not None]
    for index, row in enumerate(rows):
        columns = tuple(row)
        for target in recorded:
            if target.column not in row:
                where = f"task {task.name!r}, target {target.name!r}"
                raise DatasetUnreadable(_missing(where, index, [str(target.column)], columns))
        for check in checks:
            check.names(index, columns)
            if index < RENDERED_ROWS:
                check.rendering(index, row)
        yield row


def check_parsers(task: TaskSpec) -> None:
    """Raise SpecInvalid naming the metric and score whose pattern is wrong."""
    for metric in task.metrics:
        if isinstance(metric, Judge) and isinstance(metric.scale, Parsed):
            for score, parser in metric.scale.scores.items():
                if isinstance(parser, RegexParser):
                    try:
                        compile_pattern(parser.pattern)
                    except SpecInvalid as error:
                        where = f"task {task.name!r}, metric {metric.name!r}, score {score!r}"
                        raise SpecInvalid(f"{where}: {error.message}", field=error.field) from error


@dataclass(frozen=True)
class _Check:
    """A template, what it needs of every row, and what to render it with (None: nothing can stand for its sample)."""

    template: Template | BodyTemplate
    columns: frozenset[str]
    sample: Mapping[str, Any] | None
    rendered: bool

    def names(self, index: int, columns: tuple[str, ...]) -> None:
        """Raise TemplateInvalid if the row lacks a column."""
        if not self.columns <= column_names(columns):
            lacking = sorted(self.columns - column_names(columns))
            hint = "; there is no sample here" if self.sample is None and not _SAMPLE_NAMES.isdisjoint(lacking) else ""
            raise TemplateInvalid(_missing(self.template.where, index, lacking, columns) + hint)

    def rendering(self, index: int, row: Mapping[str, Any]) -> None:
        """Raise TemplateInvalid if it does not render with the row."""
        if self.rendered:
            try:
                self.template.render(context(row, self.sample))
            except MissingField as error:
                raise TemplateInvalid(f"row {index + 1}: {error}") from error
            except TemplateInvalid as error:
                raise TemplateInvalid(f"row {index + 1}: {error.message}") from error


def _checks(task: TaskSpec, targets: Sequence[Target]) -> Iterator[_Check]:
    """Yield what is to be checked; compiling a template checks its syntax."""
    for target in targets:
        if isinstance(target, ModelTarget):
            where = f"task {task.name!r}, prompt of {target.name!r}"
            yield _check(compile_body(task.prompts[target.name].body, where=where), has_sample=False)
    has_sample = not any(isinstance(target, RecordedTarget) and target.column is None for target in targets)
    for metric in task.metrics:
        where = f"task {task.name!r}, metric {metric.name!r}"
        if isinstance(metric, Computed):
            for part, source in metric.templates.items():
                yield _check(compile_template(source, where=f"{where} ({part})"), has_sample=has_sample)
        else:
            yield _check(compile_body(metric.prompt.body, where=where), has_sample=has_sample)


def _check(template: Template | BodyTemplate, *, has_sample: bool) -> _Check:
    """Plan a check; without a sample, the names of its values are columns like any other."""
    if has_sample:
        return _Check(template, template.columns, _PLACEHOLDER, not template.probes_sample)
    return _Check(template, template.columns | template.sample_names, None, True)


def _missing(where: str, index: int, lacking: Sequence[str], columns: Sequence[str]) -> str:
    names = ", ".join(repr(name) for name in lacking)
    return f"{where}, row {index + 1}: no column {names}; columns: {', '.join(columns)}"
