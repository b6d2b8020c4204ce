"""What a job has paid for: tokens, and money where the settings have prices."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.cost import cost
from core.result import ModelUsage, Usage
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Paid:
    """What a job has paid for, a row a model in a role with what that costs, and all together.

    The total is None where it is not known of all, for want of prices or counts.
    """

    rows: list[tuple[ModelUsage, float | None]]
    total: float | None

    @property
    def is_priced(self) -> bool:
        """Whether anything has a price."""
        return any(cost is not None for _, cost in self.rows)

    @property
    def tokens(self) -> int | None:
        """The tokens sent and made; None where no endpoint counted any."""
        counts = [count for usage, _ in self.rows for count in _counts(usage.tokens) if count is not None]
        return sum(counts) if counts else None


def paid(usages: Sequence[ModelUsage], settings: Settings) -> Paid:
    """Return what a job has paid for, by the prices of the settings."""
    rows = [(each, cost(each.tokens, settings.of_model(each.model))) for each in usages]
    costs = [each for _, each in rows if each is not None]
    return Paid(rows, sum(costs) if rows and len(costs) == len(rows) else None)


def _counts(tokens: Usage) -> tuple[int | None, int | None]:
    return tokens.prompt_tokens, tokens.completion_tokens
