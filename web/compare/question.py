"""What the page of a comparison is asked: the two results, and how they are held against each other."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.http.fields import NO_NUL, ItemColumn
from tasks.comparisons.compare import Asked
from tasks.comparisons.samples import Way

ITEM = "item."

Named = Annotated[str, StringConstraints(strip_whitespace=True), NO_NUL]


class Question(BaseModel):
    """The query of the page, field by field; `a` is the baseline and `b` the candidate, each `JOB` or `JOB/TARGET`."""

    model_config = ConfigDict(extra="forbid")

    a: Named = ""
    b: Named = ""
    a_trial: Annotated[int | None, Field(ge=0)] = None
    b_trial: Annotated[int | None, Field(ge=0)] = None
    match: ItemColumn | None = None
    margin: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    primary: Named | None = None
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    slice: ItemColumn | None = None
    change: Way = "regressed"
    score: str | None = None
    cursor: str | None = None

    @property
    def asked(self) -> Asked:
        """What is asked of the comparison itself."""
        primary = (self.primary,) if self.primary else ()
        return Asked(_bare(self.match), self.margin, primary, self.alpha, _bare(self.slice))

    def query(self, **other: str | None) -> list[tuple[str, str]]:
        """Return the query of the same page with other values; what is as by default is left out."""
        fields = self.model_dump(mode="json", exclude_defaults=True) | other
        return [(name, str(value)) for name, value in fields.items() if value is not None]

    @classmethod
    def of(cls, query: dict[str, str]) -> Self:
        """Read a query, in which an empty field of the form says nothing."""
        return cls.model_validate({name: value for name, value in query.items() if value})


def _bare(column: str | None) -> str | None:
    return column and column.removeprefix(ITEM)
