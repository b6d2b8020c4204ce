"""The columns of a job's rows in the order in which they tell a person which sample it is."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Final

from core.errors import TemplateInvalid
from core.metric import Code, Computed, Judge, MetricSpec
from core.spec import EvaluationSpec, RecordedTarget, TaskSpec
from tasks.templates.template import aliases, compile_body, compile_prompt

WHERE: Final = "a template"


def telling_columns(spec: EvaluationSpec, columns: Sequence[str]) -> list[str]:
    """Return the columns of a job's rows, those first that tell most.

    That is the first that prompts read, then what answers are held against, then all else that something reads, and
    the others in their order; what is evaluated itself comes last.
    """
    known = {**aliases(tuple(columns)), **{name: name for name in columns}}
    recorded = {each.name: each.column for each in spec.targets if isinstance(each, RecordedTarget) and each.column}
    reference = [column for name, column in recorded.items() if name == spec.reference]
    evaluated = {column for name, column in recorded.items() if name != spec.reference}
    try:
        of_tasks = [list(_read(task, reference, known.keys() - evaluated)) for task in spec.tasks]
    except TemplateInvalid:  # an earlier release took it
        of_tasks = []
    read = (known[name] for name in chain.from_iterable(zip_longest(*of_tasks)) if name is not None)
    return sorted(dict.fromkeys([*read, *columns]), key=lambda name: name in evaluated)


def _read(task: TaskSpec, reference: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """Yield the columns that something of a task reads, the most telling first; a job without prompts has judges'."""
    prompts = list(task.prompts.values()) or [each.prompt for each in task.metrics if isinstance(each, Judge)]
    of_prompts = (name for prompt in prompts for name in compile_prompt(prompt, where=WHERE).reads.named)
    of_metrics = (name for metric in task.metrics for name in _read_by(metric))
    asked = [name for name in dict.fromkeys(of_prompts) if name in known]
    held = [name for name in dict.fromkeys([*reference, *of_metrics]) if name in known and name not in asked]
    yield from (*asked[:1], *held[:1], *asked[1:], *held[1:])


def _read_by(metric: MetricSpec) -> Sequence[str]:
    match metric:
        case Judge():
            template = compile_prompt(metric.prompt, where=WHERE)
        case Computed():
            template = compile_body(metric.templates, where=WHERE, json_values=False)
        case Code():
            template = compile_body(metric.item, where=WHERE)
    return template.reads.named
