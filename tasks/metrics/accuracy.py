"""Accuracy: are two texts the same? Its mean is the fraction of answers that are right to the letter."""

from core.metric import Accuracy
from tasks.metrics.measure import Measure, Texts, check


def accuracy(candidate: str, reference: str) -> float:
    """Return 1.0 if the texts are the same but for the white space around them, else 0.0."""
    return float(candidate.strip() == reference.strip())


def measure(_metric: Accuracy, texts: Texts) -> list[Measure]:
    """Return the scores of an output's texts."""
    return [check(accuracy(**texts))]
