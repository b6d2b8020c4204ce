"""Final number: is the number that an answer ends in that of the reference?

Source: the scoring of GSM8K (Cobbe et al. 2021), strict and flexible as in the Language Model Evaluation Harness.
"""

from core.metric import FinalNumber
from tasks.metrics.measure import Measure, Texts, Unparsable, check
from tasks.metrics.number_check import last_number, leading_number


def final_number(candidate: str, reference: str, *, marker: str) -> tuple[bool, bool]:
    """Return whether the number after the first `marker`, and the last number, are the reference's last.

    Raises Unparsable for a text without a number.
    """
    wanted, last = last_number(reference), last_number(candidate)
    for part, text, number in (("reference", reference, wanted), ("candidate", candidate, last)):
        if number is None:
            raise Unparsable(part, f"there is no number in {text[-100:]!r}")
    _, _, after = candidate.partition(marker)
    return leading_number(after) == wanted, last == wanted


def measure(metric: FinalNumber, texts: Texts) -> list[Measure]:
    """Return the scores of an output's texts."""
    return [check(value) for value in final_number(**texts, marker=metric.marker)]
