"""One rendering of a body's template: the body, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from core.errors import TemplateInvalid
from tasks.templates.template import BodyTemplate, MissingField, TooMuch, context

STOPPED: Final = "its rendering was stopped: "
"""Begins what is said of a rendering that was killed: the next one of the same may not be."""


@dataclass(frozen=True, slots=True)
class Unrendered:
    """Why there is no body: a value is missing, the template failed, or it is not tried any more.

    `limit` is what stopped it, if it was stopped; a fuse counts those.
    """

    outcome: Literal["missing_field", "error", "not_attempted"]
    error: str
    limit: str | None = None

    @property
    def score_outcome(self) -> Literal["missing_field", "metric_error", "not_attempted"]:
        """What becomes of a score that is computed from what was to be rendered."""
        return "metric_error" if self.outcome == "error" else self.outcome


Rendered = dict[str, Any] | Unrendered


def stopped(where: str, reason: str) -> Unrendered:
    """Return what is said of a rendering that was killed."""
    return Unrendered("error", f"{where}: {STOPPED}{reason}", f"{STOPPED}{reason}")


def rendered(template: BodyTemplate, row: Mapping[str, Any], sample: Mapping[str, Any] | None) -> Rendered:
    """Render with a row and what there is of its sample; raises MemoryError."""
    try:
        return template.render(context(row, sample, sample_names=template.source.sample_names))
    except MissingField as error:
        return Unrendered("missing_field", str(error))
    except TooMuch as error:
        return Unrendered("error", error.message, f"{STOPPED}{error.limit}")
    except TemplateInvalid as error:
        return Unrendered("error", error.message)
