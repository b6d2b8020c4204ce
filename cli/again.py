"""What `assay retry` is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Again:
    """What is made again.

    Args:
        only: Only what ended in this outcome, such as judge_error; more with commas, or given again.
        judge_only: Judge the stored outputs again, and ask no target.
        judge: Only this judge, by its metric's name; may be given more than once.
        metrics: A YAML or JSON file with `metrics`, a list: they take the place of those of their names.
        key: NAME=env:VARIABLE, the key of a target or judge by its name; those that came with the job are deleted.
        name: What to call the new job.
    """

    only: Annotated[list[str] | None, Parameter(negative="")] = None
    judge_only: Annotated[bool, Parameter(negative="")] = False
    judge: Annotated[list[str] | None, Parameter(negative="")] = None
    metrics: Path | None = None
    key: Annotated[list[str] | None, Parameter(negative="")] = None
    name: str | None = None
